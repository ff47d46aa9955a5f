/*  query_inside.h - a question while it is being answered; what the files of query_view.h share. */
#ifndef RAYC_QUERY_INSIDE_H
#define RAYC_QUERY_INSIDE_H
#include "common/text.h"
#include "head/query_view.h"

enum subject { JOB, TASK, OBJECT, NODE, EVENT, STUDY, USER, TOKEN, AUDIT };
enum view_option { ONE = 1, DOWN = 2, PLACE = 4 };

struct view {
    const char *name, *kind;
    enum subject subject;
    unsigned options;
    const char *key, *columns, *from, *of_job, *order;
};

struct question {
    sqlite3 *db;
    struct reader reader;
    const struct msg_query *ask;
    const struct view *view;
    int64_t job;      /* 0: of all */
    int64_t subject;  /* 0: all */
    int64_t value;    /* of an OBJECT, whose subject is its task: which of its values */
    bool reverse;     /* the other way round than the view's order */
    struct text *why; /* of a failure, for people */
};

/*  Finds what an id, its unique beginning, or for jobs, nodes and studies a number means, or @last for a study; fills *out,
    which is above 0, and of an OBJECT self->value. */
MUST_CHECK int query_find(struct question *self, enum subject subject, struct slice id,
                          int64_t *out);
/*  Who sees only its own things of a kind. */
bool query_own_only(const struct question *self, enum subject subject);
/*  What SQLite says when a statement cannot be stepped. */
int query_failed(const struct question *self, int rc);
#endif
