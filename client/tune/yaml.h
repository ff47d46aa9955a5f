/*  yaml.h - YAML as a small tree with places, by the events of libyaml.

    One document, at most YAML_BYTES_MAX; anchors and aliases that stay small; scalars by YAML 1.2's core schema: `no`
    and `on` are words, 1e-05 is a number.  Everything lives in an arena; nodes may be shared by aliases. */
#ifndef RAYC_TUNE_YAML_H
#define RAYC_TUNE_YAML_H
#include "client/tune/spec.h"

enum {
    YAML_BYTES_MAX = 1 << 20,
    YAML_DEPTH_MAX = 64,
    YAML_NODES_MAX = 100000, /* as if aliases were written out */
    YAML_KEYS_MAX = 2048,    /* of one map */
    YAML_ANCHORS_MAX = 256
};

enum node_kind { NODE_SCALAR = 1, NODE_LIST, NODE_MAP };

struct yaml_node {
    enum node_kind kind;
    uint32_t line, column;    /* from 1; 0: of a flag */
    const char *text;         /* of a SCALAR */
    bool plain;               /* not quoted: may be a number, a boolean, null */
    struct yaml_node **keys;  /* of a MAP: SCALARs */
    struct yaml_node **items; /* of a LIST or MAP */
    uint32_t count;
    uint32_t weight; /* nodes in it, aliases written out */
};

/*  OK, or ERR_INVALID with *error. */
MUST_CHECK int yaml_parse(struct arena *arena, struct slice text, struct yaml_node **out,
                          struct spec_error *error);

struct yaml_node *yaml_find(const struct yaml_node *map, const char *key); /* NULL: not there */
/*  "a list", "a map", "a number", ...: for errors */
const char *yaml_what(const struct yaml_node *node);
bool yaml_null(const struct yaml_node *node);
bool yaml_bool(const struct yaml_node *node, bool *out);
/*  A number of YAML 1.2, infinite and not-a-number ones included; `integer` (may be NULL): written as one. */
bool yaml_number(const struct yaml_node *node, double *out, bool *integer);
#endif
