/*  external.h - the protocol between rayc and a search algorithm that is another program (search: {algo: external,
    command: [...]}).  One JSON object per line; rayc writes to the program's stdin, the program to its stdout.

    {"type": "init", "protocol": 1, "metric": "loss", "mode": "min", "seed": 7, "trials": 50, "concurrency": 2,
     "space": [{"name": "lr", "kind": "float", "scale": "log", "low": 1e-05, "high": 0.1, "step": 0}, ...]}
        first of all.  trials and concurrency 0: not known.  Kinds: float, int (low, high, both included; step; scale
        linear, log or reverse_log), choice (options, ordered, weights if given), normal (mean, sd, step, scale), beta
        (a, b), const (value), computed.  "when": [{"param": "model", "values": ["mlp"]}]: all of these must hold for
        the parameter to be active; "when_expression": true: and something that only rayc can compute.
    {"type": "tell", "trial": 3, "state": "TERMINATED", "value": 0.31, "pruned": false, "params": {...}}
        a trial has ended (or ERROR); value as the user sees it, null if there is none.  A program that was started
        again is told all that ended before; a trial that it never was asked for may be the user's.
    {"type": "report", "trial": 3, "step": 10, "value": 0.4}
        a trial that runs reports.
    {"type": "ask", "trial": 4}
        wants an answer:
            {"trial": 4, "params": {"lr": 0.01, ...}}  values for all parameters that are active but const and computed
                                                       ones; values of others are not looked at
            {"trial": 4, "wait": true}                 not before something has ended
            {"trial": 4, "done": true}                 there is nothing more to try
        and to a point that breaks the user's constraints rayc says
    {"type": "refuse", "trial": 4, "text": "..."}
        and waits for another answer; a program that cannot choose again should end itself.

    Everything else is an error that ends the study.  The program ends when its stdin does; stderr is for people. */
#ifndef RAYC_TUNE_EXTERNAL_H
#define RAYC_TUNE_EXTERNAL_H
#include "client/tune/spec.h"

enum { EXTERNAL_PROTOCOL = 1, EXTERNAL_LINE_MAX = 4 << 20, EXTERNAL_REFUSALS_MAX = 1000 };

/*  Lines, with their newline: free() them. */
char *external_init(const struct study_spec *spec, uint64_t seed);
char *external_ask(uint32_t trial);
char *external_report(uint32_t trial, double step, double value);
/*  `value` as the user sees it (trial->value is negated when the study maximises); NAN: none. */
char *external_tell(const struct space *space, const struct trial *trial, double value);
char *external_refuse(uint32_t trial, const char *text);

enum external_answer {
    EXTERNAL_POINT = 1, /* x is complete and feasible */
    EXTERNAL_WAIT,
    EXTERNAL_DONE,
    EXTERNAL_REFUSED /* breaks a constraint: send external_refuse(why->text) and read another answer */
};
/*  An answer to external_ask(trial).  OK, or ERR_INVALID with why->text. */
MUST_CHECK int external_read(const struct space *space, uint32_t trial, struct slice line,
                             enum external_answer *answer, double *x, struct diag *why);
#endif
