/*  spec_space.c - `space:` as a list of parameters in the order of the file: groups, cases, types. */
#include <ctype.h>
#include <stdio.h>

#include "client/tune/spec_inside.h"

enum { PARAM_NAME_MAX = 64 };

static int group_read(struct reader *self, const struct place *place, const struct yaml_node *map);

/* --- names ------------------------------------------------------------------------------------ */

static int name_check(struct reader *self, const struct yaml_node *key, const char *field)
{
    static const char *const reserved[] = { "params", "params_kv", "params_json", "params_file",
                                            "result", "and",       "or",          "not",
                                            "in",     "true",      "false" };
    const char *name = key->text;
    size_t n = 0;
    while (isalnum((unsigned char)name[n]) || (name[n] != 0 && strchr("_-.", name[n]))) {
        n++;
    }
    if (name[n] != 0 || n == 0 || n > PARAM_NAME_MAX ||
        !(isalpha((unsigned char)*name) || *name == '_')) {
        return spec_refuse(self, key, field,
                           "\"%.80s\" cannot be a parameter's name: use letters, digits, _ - and .,"
                           " a letter first, at most %d",
                           name, PARAM_NAME_MAX);
    }
    for (size_t i = 0; i < COUNT(reserved); i++) {
        if (strcmp(name, reserved[i]) == 0) {
            return spec_refuse(self, key, field, "\"%s\" is reserved: give it another name", name);
        }
    }
    return OK;
}

/*  RAYC_PARAM_<name> of both would be the same variable. */
static bool same_variable(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        int c = isalnum((unsigned char)*a) ? *a : '_';
        int d = isalnum((unsigned char)*b) ? *b : '_';
        if (c != d) {
            return false;
        }
    }
    return *a == *b;
}

/* --- parameters ------------------------------------------------------------------------------- */

static bool node_same(const struct yaml_node *a, const struct yaml_node *b)
{
    if (a == b) {
        return true;
    }
    if (a->kind != b->kind || a->count != b->count || a->weight != b->weight) {
        return false;
    }
    if (a->kind == NODE_SCALAR) {
        return a->plain == b->plain && strcmp(a->text, b->text) == 0;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        if ((a->kind == NODE_MAP && !node_same(a->keys[i], b->keys[i])) ||
            !node_same(a->items[i], b->items[i])) {
            return false;
        }
    }
    return true;
}

static void branches_copy(struct reader *self, struct raw_param *raw, const struct place *place)
{
    raw->branch_count = place->branch_count;
    raw->branches = arena_take(self->arena, (place->branch_count + 1) * sizeof(struct branch));
    for (uint32_t i = 0; i < place->branch_count; i++) {
        const struct branch *from = &place->branches[i];
        struct branch *to = &raw->branches[i];
        *to = *from;
        uint32_t room = self->raw[from->parent].param.option_count;
        to->values = arena_take(self->arena, room * sizeof(double));
        memcpy(to->values, from->values, from->count * sizeof(double));
    }
}

static bool has_value(const struct branch *self, double value)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (self->values[i] == value) {
            return true;
        }
    }
    return false;
}

/*  The same parameter in another branch of one case: active in both.  False: they differ in more than that. */
static bool branches_merge(struct raw_param *raw, const struct place *place)
{
    struct branch *differs = NULL;
    const struct branch *with = NULL;
    if (raw->branch_count != place->branch_count) {
        return false;
    }
    for (uint32_t i = 0; i < place->branch_count; i++) {
        struct branch *ours = &raw->branches[i];
        const struct branch *theirs = &place->branches[i]; /* has one value */
        if (ours->parent != theirs->parent || (!has_value(ours, theirs->values[0]) && differs)) {
            return false;
        }
        if (!has_value(ours, theirs->values[0])) {
            differs = ours;
            with = theirs;
        }
    }
    if (differs) {
        differs->values[differs->count++] = with->values[0];
    }
    return differs != NULL;
}

/*  Finds room for a parameter.  *out NULL and OK: it was merged into that of another branch, *merged. */
static int raw_add(struct reader *self, const struct place *place, const struct yaml_node *key,
                   const struct yaml_node *node, struct raw_param **out, struct raw_param **merged)
{
    char name[200];
    const char *field = field_join(self, place->field, key->text);
    *out = *merged = NULL;
    int code = name_check(self, key, field);
    if (code != OK) {
        return code;
    }
    if (snprintf(name, sizeof(name), "%s%s", place->prefix, key->text) >= (int)sizeof(name)) {
        return spec_refuse(self, key, field, "the name is too long");
    }
    for (uint32_t i = 0; i < self->raw_count; i++) {
        struct raw_param *raw = &self->raw[i];
        if (!same_variable(raw->param.name, name)) {
            continue;
        }
        if (strcmp(raw->param.name, name) != 0) {
            return spec_refuse(self, key, field, "%s and %s would be the same variable for trials",
                               raw->param.name, name);
        }
        bool same = node_same(raw->node, node);
        if (same && branches_merge(raw, place)) {
            *merged = raw;
            return OK;
        }
        return spec_refuse(self, key, field, "%s is in line %u already%s: give it another name",
                           name, raw->param.line, same ? "" : ", with another domain");
    }
    if (self->raw_count == PARAMS_MAX) {
        return spec_refuse(self, key, field, "more than %d parameters", PARAMS_MAX);
    }
    struct raw_param *raw = &self->raw[self->raw_count++];
    raw->param.name = arena_text(self->arena, slice_text(name));
    raw->param.line = key->line;
    raw->field = field;
    raw->node = node;
    raw->place = NONE;
    branches_copy(self, raw, place);
    *out = raw;
    return OK;
}

/* --- cases ------------------------------------------------------------------------------------ */

static int case_read(struct reader *self, const struct place *place, struct raw_param *raw,
                     const struct yaml_node *cases)
{
    const char *field = field_join(self, raw->field, "case");
    uint32_t parent = (uint32_t)(raw - self->raw);
    struct branch *branches =
        arena_take(self->arena, (place->branch_count + 1) * sizeof(*branches));
    if (place->branch_count > 0) {
        memcpy(branches, place->branches, place->branch_count * sizeof(*branches));
    }
    int code = OK;
    for (uint32_t i = 0; i < cases->count && code == OK; i++) {
        const struct yaml_node *item = cases->items[i];
        double *value = arena_take(self->arena, sizeof(*value));
        *value = i;
        branches[place->branch_count] = (struct branch){ parent, 1, value };
        struct place inside = { field_join(self, field, cases->keys[i]->text), place->prefix,
                                branches, place->branch_count + 1 };
        if (!yaml_null(item)) {
            code = group_read(self, &inside, item);
        }
    }
    return code;
}

/*  A parameter with a type; a case brings the parameters of its branches, too. */
static int param_add(struct reader *self, const struct place *place, const struct yaml_node *key,
                     const struct yaml_node *node, const char *type, const struct yaml_node *args)
{
    struct raw_param *raw;
    struct raw_param *merged;
    int code = raw_add(self, place, key, node, &raw, &merged);
    bool is_case = strcmp(type, "case") == 0;
    if (code != OK || (!raw && !is_case)) {
        return code;
    }
    if (raw && is_case) {
        const char *field = field_join(self, raw->field, type);
        raw->param.kind = PARAM_CHOICE;
        code = args->kind == NODE_MAP
                   ? options_read(self, raw, args->keys, args->count, field)
                   : spec_refuse(self, args, field, "must be a map: {VALUE: {NAME: ...}, ...}");
    }
    if (raw && code == OK) {
        code = dist_read(self, raw, node, type, args);
    }
    return code == OK && is_case ? case_read(self, place, raw ? raw : merged, args) : code;
}

/* --- what a map is ---------------------------------------------------------------------------- */

/*  Beside the type. */
static bool is_modifier(const char *key)
{
    static const char *const keys[] = { "when",    "init",    "format",
                                        "weights", "ordered", "probabilities" };
    for (size_t i = 0; i < COUNT(keys); i++) {
        if (strcmp(keys[i], key) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_wandb_key(const char *key)
{
    static const char *const keys[] = { "distribution", "values", "value", "min", "max", "q",
                                        "mu",           "sigma",  "a",     "b" };
    for (size_t i = 0; i < COUNT(keys); i++) {
        if (strcmp(keys[i], key) == 0) {
            return true;
        }
    }
    return false;
}

/*  Is this key the type of the map it is in?  A group's parameter may be called `beta`, too. */
static const char *type_of(const struct yaml_node *key, const struct yaml_node *item)
{
    bool other = false;
    const char *type = dist_type(key->text, &other);
    if (!type || (other && strcmp(key->text, "grid_search") != 0)) {
        return NULL;
    }
    return (strcmp(type, "case") == 0) || item->kind != NODE_MAP ? type : NULL;
}

static int unknown_type(struct reader *self, const struct yaml_node *key, const char *field)
{
    struct near near;
    near_begin(&near, key->text);
    dist_offer(&near);
    return spec_unknown(self, key, field, "type", &near);
}

/*  Only what belongs to a type may stand beside it. */
static int keys_check(struct reader *self, const struct yaml_node *map, const char *field,
                      const char *type_key)
{
    for (uint32_t i = 0; i < map->count; i++) {
        const struct yaml_node *key = map->keys[i];
        if (type_key ? strcmp(key->text, type_key) == 0 : is_wandb_key(key->text)) {
            continue;
        }
        if (type_key && type_of(key, map->items[i])) {
            return spec_refuse(self, key, field, "has two types, %s and %s", type_key, key->text);
        }
        if (!is_modifier(key->text)) {
            struct near near;
            near_begin(&near, key->text);
            static const char *const keys[] = { "when", "init", "format", "weights", "ordered" };
            for (size_t j = 0; j < COUNT(keys); j++) {
                near_offer(&near, keys[j]);
            }
            return spec_unknown(self, key, field, "key", &near);
        }
    }
    return OK;
}

/*  A map without a type: a group; its own keys `when`, ... are a slip. */
static int group_enter(struct reader *self, const struct place *place, const struct yaml_node *key,
                       const struct yaml_node *map)
{
    const char *field = field_join(self, place->field, key->text);
    if (map->count == 0) {
        return spec_refuse(self, map, field, "is empty: give it a type, like {uniform: [0, 1]}");
    }
    for (uint32_t i = 0; i < map->count; i++) {
        const struct yaml_node *slip = map->keys[i];
        if (map->items[i]->kind == NODE_LIST) {
            return unknown_type(self, slip, field);
        }
        if (is_modifier(slip->text)) {
            return spec_refuse(self, slip, field,
                               "has `%s` but no type (choice, uniform, ...); a group has no `%s`",
                               slip->text, slip->text);
        }
    }
    int code = name_check(self, key, field);
    char prefix[200];
    int n = snprintf(prefix, sizeof(prefix), "%s%s.", place->prefix, key->text);
    if (code == OK && n >= (int)sizeof(prefix)) {
        code = spec_refuse(self, key, field, "the name is too long");
    }
    const struct yaml_node *inner = yaml_find(map, "parameters"); /* W&B's groups */
    struct place inside = *place;
    inside.field = field;
    inside.prefix = arena_text(self->arena, slice_text(prefix));
    return code == OK ? group_read(self, &inside, inner && map->count == 1 ? inner : map) : code;
}

static int entry_read(struct reader *self, const struct place *place, const struct yaml_node *key,
                      const struct yaml_node *node)
{
    const char *field = field_join(self, place->field, key->text);
    if (node->kind == NODE_SCALAR) {
        return param_add(self, place, key, node, "const", node);
    }
    if (node->kind == NODE_LIST) {
        return spec_refuse(self, node, field,
                           "a list needs a type: {choice: [...]}, {uniform: [...]}");
    }
    for (uint32_t i = 0; i < node->count; i++) {
        const char *type = type_of(node->keys[i], node->items[i]);
        if (type) {
            int code = keys_check(self, node, field, node->keys[i]->text);
            return code == OK ? param_add(self, place, key, node, type, node->items[i]) : code;
        }
    }
    if (wandb_is(node)) {
        const char *type = NULL;
        const struct yaml_node *args = NULL;
        int code = keys_check(self, node, field, NULL);
        if (code == OK) {
            code = wandb_read(self, node, field, &type, &args);
        }
        return code == OK ? param_add(self, place, key, node, type, args) : code;
    }
    return group_enter(self, place, key, node);
}

static int group_read(struct reader *self, const struct place *place, const struct yaml_node *map)
{
    if (map->kind != NODE_MAP) {
        return spec_refuse(self, map, place->field, "must be a map of parameters, not %s",
                           yaml_what(map));
    }
    int code = OK;
    for (uint32_t i = 0; i < map->count && code == OK; i++) {
        code = entry_read(self, place, map->keys[i], map->items[i]);
    }
    return code;
}

int space_read(struct reader *self, const struct yaml_node *map)
{
    struct place place = { "space", "", NULL, 0 };
    self->raw = arena_take(self->arena, PARAMS_MAX * sizeof(*self->raw));
    int code = group_read(self, &place, map);
    if (code == OK && self->raw_count == 0) {
        return spec_refuse(self, map, "space", "is empty: name what is to be tuned");
    }
    return code == OK ? space_order(self) : code;
}
