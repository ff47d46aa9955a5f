/*  spec.h - a search.yaml as the rest of rayc sees it.  spec_read() parses; everything lives in the spec's arena.

    spec_text holds the file's bytes as they were read: they are the study's definition in the database, and reading
    them again gives the same spec.  Command-line flags are written over the file by spec_set() before spec_finish(). */
#ifndef RAYC_TUNE_SPEC_H
#define RAYC_TUNE_SPEC_H
#include "client/tune/scheduler.h"
#include "client/tune/search.h"
#include "client/tune/space.h"

struct arena; /* blocks of memory that go together */
struct arena *arena_new(void);
void arena_destroy(struct arena **self);
void *arena_take(struct arena *self, size_t bytes); /* zeroed; never NULL */
char *arena_text(struct arena *self, struct slice text);

/*  What is wrong with a search.yaml: "search.yaml:12:7: space.lr.loguniform: the low end must be above 0". */
struct spec_error {
    uint32_t line, column; /* from 1; 0: not of a place in the file */
    char field[128];       /* "space.lr.loguniform"; "" */
    char text
        [512]; /* what, and what to do; with the near miss: `unknown key "trails"; do you mean trials?` */
};

enum template_kind {
    TEMPLATE_TEXT = 0,
    TEMPLATE_PARAM,
    TEMPLATE_ALL,
    TEMPLATE_KV,
    TEMPLATE_JSON,
    TEMPLATE_FILE
};
/*  "--lr {lr0}" as pieces; {params} becomes several words when it is a whole word of the command. */
struct piece {
    enum template_kind kind;
    const char *text; /* of TEXT */
    uint32_t param;   /* of PARAM */
};
struct word {
    const struct piece *pieces;
    uint32_t count;
};

struct point {
    const double *x; /* NAN: the search draws it */
    bool has_result;
    double result;
    uint32_t line;
};

/*  "val_loss > 10", "plateau(val_loss, 5, 0.001)" of stop.trial; see stop.h. */
struct stop_rule {
    enum { STOP_COMPARE = 1, STOP_PLATEAU } kind;
    const char *metric;
    const char *text;                                                /* as written */
    enum { LESS = 1, LESS_EQUAL, MORE, MORE_EQUAL, EQUAL } operator; /* of COMPARE */
    double number;  /* of COMPARE; of PLATEAU the tolerance (standard deviation) */
    uint32_t count; /* of PLATEAU: reports looked at */
};

struct study_spec {
    struct arena *arena;
    const char *name;           /* NULL: made from the file's name and a number */
    const char *dir;            /* folder of the file, absolute: relative paths start there */
    struct slice text;          /* of the file */
    const struct word *command; /* what a trial runs; or */
    uint32_t command_count;
    const char *program,
        *task; /* a C task: program (path; looked for as `rayc submit` does) and the task's name */
    /*  metrics: {from: stdout, regex: ...}: POSIX extended, group 1 name, group 2 value; NULL */
    const char *stdout_regex;
    bool stdout_lines;  /* metrics: {from: stdout}: name=value pairs on any line */
    const char *metric; /* "value" when a trial prints only a number */
    bool maximize;
    bool has_goal;
    double goal;
    struct space space;
    const struct point *points;
    uint32_t point_count;
    struct search_options search;
    struct scheduler_options scheduler;
    const struct stop_rule *stops; /* of a trial */
    uint32_t stop_count;
    /*  of the study: so many trials in a row without a better one; 0: off */
    uint32_t no_improvement;
    uint32_t trials_max;     /* 0: until the space, the time or a stopper ends it */
    uint32_t concurrency;    /* 0: as many as the cluster runs */
    uint64_t time_budget_ms; /* 0: none */
    double cpus, gpus;       /* of a trial (1, 0) */
    uint64_t memory_bytes;
    const char *resources;         /* "moon=1,..." or NULL */
    const char *strategy, *labels; /* where trials run, as in rayc_options; NULL: anywhere */
    int32_t priority;              /* of trials among all that waits (0) */
    int32_t max_failures;          /* retries of a trial (0); -1: without end */
    uint32_t backoff_ms;           /* 0: the cluster's default */
    uint32_t checkpoint_every;     /* advice to trials: RAYC_CHECKPOINT_EVERY (0: none) */
    uint32_t checkpoint_keep;      /* newest ones kept per trial (1) */
    bool checkpoint_best;          /* and the best one, by checkpoint.best_by (the metric) */
    bool has_checkpoint;           /* the key is there: trials can be resumed */
    const char *const *env;        /* "K=V", up to NULL */
    bool log_json, log_csv;        /* loggers: Ray's files in the trials' folders while they run */
    const char *storage;           /* folder of trials' folders and checkpoints; NULL: STATE/tune */
    uint64_t seed; /* 0 given: still 0; has_seed false: drawn at the study's start */
    bool has_seed;
};

/*  Reads a file (or `text`, if not NULL, as that file).  OK, or ERR_INVALID / ERR_NOT_FOUND with *error.  Flags are
    "key=value" lines that overrule the file's top-level keys: "trials=50", "search=tpe", "search.startup=5",
    "metric=loss", "cpus=2"; `command` (up to NULL, or NULL) overrules the file's command.  *out: spec_close(). */
struct spec_source {
    const char *path;
    struct slice text; /* p NULL: read the file */
    const char *dir;   /* NULL: the file's folder */
    const char *const *flags;
    uint32_t flag_count;
    char *const *command;
};
MUST_CHECK int spec_read(struct study_spec **out, const struct spec_source *source,
                         struct spec_error *error);
void spec_close(struct study_spec **spec);
/*  All top-level keys, for flags, --help and near misses: NULL after the last. */
const char *spec_key(uint32_t i);
/*  For the manual page: every key, in the order of spec_keys.def; false after the last. */
struct spec_key_row {
    const char *section; /* "" is the top, else as a path: "search", "stop.study" */
    const char *name;
    const char *type; /* "a number"; NULL: it has a form of its own */
    bool ranges;      /* from least to most */
    double least, most;
    const char *same_section; /* of the key that it is another name for */
    const char *same_as;      /* that key's name; NULL: it is none */
    bool refused;             /* known, and not there yet */
};
bool spec_key_row(uint32_t i, struct spec_key_row *out);
/*  A search.yaml's scalar for a parameter ("0.5", "adam") as a number of a point: OK, or ERR_INVALID. */
MUST_CHECK int param_read(const struct param *param, struct slice text, double *out);

/*  The command of one trial: argv (up to NULL) in `arena`.  Each piece stays inside its word; {params} and {params_kv}
    that are whole words become one word per active parameter pair.  params_file: path for {params_file}. */
const char *const *spec_argv(const struct study_spec *self, const double *x,
                             const char *params_file, struct arena *arena);
#endif
