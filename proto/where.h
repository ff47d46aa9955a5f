/*  where.h - where a task may run, as texts that people write: a strategy, labels of nodes, and what a task asks of them.
    One grammar for librayc, the command line, HTTP, the worker and the core.  Pure.

    strategy   DEFAULT (or empty), SPREAD, node:NODE (there or nowhere), node:NODE:soft (there while that node lives)
    labels     KEY=VALUE, one per line
    selector   KEY=VALUE, KEY!=VALUE, KEY in (A|B), KEY not in (A|B), one per line: all must hold.  A node without the key
               has no value of it: != and `not in` hold. */
#ifndef RAYC_WHERE_H
#define RAYC_WHERE_H
#include "common/base.h"

enum {
    LABEL_PART_MAX = 128,    /* bytes of a key, of a value */
    LABELS_MAX = 1024,       /* bytes of a node's labels */
    SELECTOR_MAX = 512,      /* bytes of what a task asks of them */
    STRATEGY_MAX = 64,       /* bytes */
    PRIORITY_MAX = 100,      /* and -PRIORITY_MAX is the lowest */
    PRIORITY_STEP_MS = 60000 /* waiting that outweighs one level of priority */
};

struct strategy {
    uint32_t kind; /* enum strategy_kind */
    uint64_t node; /* of STRATEGY_NODE */
    bool soft;
};
enum strategy_kind { STRATEGY_DEFAULT = 0, STRATEGY_SPREAD, STRATEGY_NODE };

/*  False: `why` names what is wrong, and what would be right. */
bool strategy_read(struct slice text, struct strategy *out, struct diag *why);
bool labels_check(struct slice labels, struct diag *why);
bool selector_check(struct slice selector, struct diag *why);
bool priority_check(int64_t priority, struct diag *why);

/*  Both were checked before. */
bool selector_holds(struct slice selector, struct slice labels);

/*  Takes the next line, without its newline; false: there is none left. */
bool line_next(struct slice *text, struct slice *line);
#endif
