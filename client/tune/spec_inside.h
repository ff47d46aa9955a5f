/*  spec_inside.h - what the files spec*.c share while they read one search.yaml. */
#ifndef RAYC_TUNE_SPEC_INSIDE_H
#define RAYC_TUNE_SPEC_INSIDE_H
#include "client/tune/spec.h"
#include "client/tune/yaml.h"
#include "common/err.h"
#include "common/near.h"

enum { OPTIONS_MAX = 10000, ARGS_MAX = 4 };

/*  A branch of a `case` that a parameter belongs to: parent's option must be one of these. */
struct branch {
    uint32_t parent; /* in the order of the file */
    uint32_t count;
    double *values; /* room for all options of the parent */
};

/*  A parameter in the order of the file, before it is known what depends on what. */
struct raw_param {
    struct param param; /* without when, when_expr, expr */
    const char *field;
    const struct yaml_node *node; /* its map or scalar */
    const struct yaml_node *when, *expr, *init;
    struct branch *branches;
    uint32_t branch_count;
    uint32_t place; /* in the space; NONE: not yet */
};

/*  Where a `space:` is being read: of a group the prefix, of a case the branches. */
struct place {
    const char *field;  /* "space.net" */
    const char *prefix; /* "net." */
    const struct branch *branches;
    uint32_t branch_count;
};

struct reader {
    struct arena *arena;
    struct study_spec *spec;
    struct spec_error *error;
    const struct yaml_node *root;
    struct raw_param *raw; /* PARAMS_MAX */
    uint32_t raw_count;
    uint32_t num_samples;
    bool mode_given;
    const char *search_wanted; /* NULL: not given */
};

/* --- spec_values.c: errors, and scalars of one kind ------------------------------------------- */

/*  ERR_INVALID, after filling the error; node NULL: of no place. */
__attribute__((format(printf, 4, 5))) int spec_refuse(struct reader *self,
                                                      const struct yaml_node *node,
                                                      const char *field, const char *format, ...);
/*  `unknown key "trails"; do you mean trials?` */
int spec_unknown(struct reader *self, const struct yaml_node *node, const char *field,
                 const char *what, const struct near *near);
const char *field_join(struct reader *self, const char *parent, const char *name);
const char *field_item(struct reader *self, const char *parent, uint32_t i);

MUST_CHECK int read_text(struct reader *self, const struct yaml_node *node, const char *field,
                         const char **out);
MUST_CHECK int read_number(struct reader *self, const struct yaml_node *node, const char *field,
                           double low, double high, double *out);
MUST_CHECK int read_integer(struct reader *self, const struct yaml_node *node, const char *field,
                            double low, double high, double *out);
MUST_CHECK int read_bool(struct reader *self, const struct yaml_node *node, const char *field,
                         bool *out);
MUST_CHECK int read_duration(struct reader *self, const struct yaml_node *node, const char *field,
                             uint64_t *out_ms);
MUST_CHECK int read_bytes(struct reader *self, const struct yaml_node *node, const char *field,
                          uint64_t *out);
/*  A list, or one scalar as a list of one; each is given to `each`. */
MUST_CHECK int read_each(struct reader *self, const struct yaml_node *node, const char *field,
                         int (*each)(struct reader *self, const struct yaml_node *item,
                                     const char *field));

/* --- spec_keys.c: the tables of keys ---------------------------------------------------------- */

enum section {
    SECTION_top,
    SECTION_search,
    SECTION_scheduler,
    SECTION_resources,
    SECTION_retry,
    SECTION_checkpoint,
    SECTION_stop,
    SECTION_stop_study
};
/*  Reads a map by the keys of a section. */
MUST_CHECK int read_section(struct reader *self, enum section section, const struct yaml_node *map,
                            const char *field);
/*  The node of a key of the file's top level, by its name or an alias; NULL: not given. */
const struct yaml_node *spec_node(const struct reader *self, const char *key);
/*  The tree with flags over it, and short forms (cpus: 2) in their places. */
MUST_CHECK int spec_overrule(struct reader *self, struct yaml_node *root,
                             const struct spec_source *source);

/* --- the space -------------------------------------------------------------------------------- */

MUST_CHECK int space_read(struct reader *self, const struct yaml_node *map);
/*  A number's or choice's own keys into raw->param: spec_dist.c. */
MUST_CHECK int dist_read(struct reader *self, struct raw_param *raw, const struct yaml_node *map,
                         const char *type, const struct yaml_node *args);
/*  The name of ours; `other`: the key is not.  NULL: none. */
const char *dist_type(const char *key, bool *other);
void dist_offer(struct near *near);
MUST_CHECK int options_read(struct reader *self, struct raw_param *raw,
                            struct yaml_node *const *values, uint32_t count, const char *field);
/*  W&B's min, max, values, distribution: which type of ours that is, and its arguments. */
bool wandb_is(const struct yaml_node *map);
MUST_CHECK int wandb_read(struct reader *self, const struct yaml_node *map, const char *field,
                          const char **type, const struct yaml_node **args);
/*  Sorts raw parameters into spec->space, with their conditions: spec_order.c. */
MUST_CHECK int space_order(struct reader *self);
MUST_CHECK int constraints_read(struct reader *self, const struct yaml_node *node);

/* --- values and points: spec_points.c --------------------------------------------------------- */

/*  OK, or ERR_INVALID with a reason. */
enum { WHY_BYTES = 200 };
MUST_CHECK int value_of_node(const struct param *param, const struct yaml_node *node, double *out,
                             char why[static WHY_BYTES]);
MUST_CHECK int points_read(struct reader *self, const struct yaml_node *node);

/* --- the rest --------------------------------------------------------------------------------- */

MUST_CHECK int command_read(struct reader *self, const struct yaml_node *node, char *const *argv);
MUST_CHECK int spec_check(struct reader *self); /* what concerns more than one key: spec_check.c */
#endif
