/*  spec_order.c - parents before children: who depends on whom, conditions and expressions by their final places. */
#include <math.h>
#include <stdio.h>

#include "client/tune/expr_inside.h"
#include "client/tune/spec_inside.h"

struct order {
    struct reader *reader;
    struct space draft; /* in the order of the file */
    bool *depends;      /* [child * count + parent] */
    uint32_t *placed;   /* raw index by place */
    uint32_t count;
};

static bool *depends(struct order *self, uint32_t child, uint32_t parent)
{
    return &self->depends[child * self->count + parent];
}

static struct slice name_of(const struct yaml_node *node)
{
    return slice_text(node->text);
}

/* --- expressions ------------------------------------------------------------------------------ */

static int expression(struct reader *self, const struct yaml_node *node, const char *field,
                      const struct space *space, uint32_t param_count, const struct expr **out)
{
    struct diag why = { 0 };
    if (node->kind != NODE_SCALAR || yaml_null(node)) {
        return spec_refuse(self, node, field, "must be an expression, not %s", yaml_what(node));
    }
    if (expr_parse(self->arena, node->text, space, param_count, out, &why) != OK) {
        return spec_refuse(self, node, field, "in \"%.100s\": %s", node->text, why.text);
    }
    return OK;
}

static const char *when_field(struct reader *self, const struct raw_param *raw)
{
    return field_join(self, raw->field, raw->expr ? "expr" : "when");
}

/* --- who depends on whom ---------------------------------------------------------------------- */

static int depends_by_expr(struct order *self, uint32_t child, const struct yaml_node *node,
                           const char *field)
{
    const struct expr *expr = NULL;
    int code = expression(self->reader, node, field, &self->draft, self->count, &expr);
    for (uint32_t i = 0; code == OK && i < self->count; i++) {
        *depends(self, child, i) |= expr_uses(expr, i);
    }
    return code;
}

static int depends_by_map(struct order *self, uint32_t child, const struct yaml_node *map,
                          const char *field)
{
    for (uint32_t i = 0; i < map->count; i++) {
        uint32_t parent = space_find(&self->draft, name_of(map->keys[i]));
        if (parent == NONE) {
            struct near near;
            near_begin(&near, map->keys[i]->text);
            for (uint32_t j = 0; j < self->count; j++) {
                near_offer(&near, self->draft.params[j].name);
            }
            return spec_unknown(self->reader, map->keys[i], field, "parameter", &near);
        }
        *depends(self, child, parent) = true;
    }
    return OK;
}

static int depends_find(struct order *self, uint32_t child)
{
    const struct raw_param *raw = &self->reader->raw[child];
    int code = OK;
    for (uint32_t i = 0; i < raw->branch_count; i++) {
        *depends(self, child, raw->branches[i].parent) = true;
    }
    if (raw->expr) {
        code =
            depends_by_expr(self, child, raw->expr, field_join(self->reader, raw->field, "expr"));
    }
    if (code == OK && raw->when) {
        const char *field = field_join(self->reader, raw->field, "when");
        code = raw->when->kind == NODE_MAP ? depends_by_map(self, child, raw->when, field)
                                           : depends_by_expr(self, child, raw->when, field);
    }
    return code;
}

static uint32_t unplaced_parent(struct order *self, uint32_t child)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (*depends(self, child, i) && self->reader->raw[i].place == NONE) {
            return i;
        }
    }
    return NONE;
}

/*  Walks parents until one comes again: "a needs b, b needs a". */
static int refuse_cycle(struct order *self, uint32_t begin)
{
    struct reader *reader = self->reader;
    for (uint32_t i = 0; i < self->count; i++) {
        begin = unplaced_parent(self, begin); /* now surely inside of the cycle */
    }
    char text[300];
    size_t n = 0;
    uint32_t at = begin;
    do {
        uint32_t parent = unplaced_parent(self, at);
        int more = snprintf(text + n, sizeof(text) - n, "%s%s needs %s", n > 0 ? ", " : "",
                            reader->raw[at].param.name, reader->raw[parent].param.name);
        n += (size_t)more;
        at = parent;
    } while (at != begin && n < sizeof(text));
    const struct raw_param *raw = &reader->raw[begin];
    const struct yaml_node *node = raw->expr ? raw->expr : raw->when ? raw->when : raw->node;
    return spec_refuse(reader, node, when_field(reader, raw), "a circle: %s", text);
}

static int sort(struct order *self)
{
    for (uint32_t place = 0; place < self->count; place++) {
        uint32_t next = NONE;
        uint32_t waiting = NONE;
        for (uint32_t i = 0; i < self->count && next == NONE; i++) {
            if (self->reader->raw[i].place == NONE) {
                waiting = waiting == NONE ? i : waiting;
                next = unplaced_parent(self, i) == NONE ? i : NONE;
            }
        }
        if (next == NONE) {
            return refuse_cycle(self, waiting);
        }
        self->reader->raw[next].place = place;
        self->placed[place] = next;
    }
    return OK;
}

/* --- conditions ------------------------------------------------------------------------------- */

static int condition_value(struct reader *self, const struct param *parent,
                           const struct yaml_node *node, const char *field, double *out)
{
    char why[WHY_BYTES];
    bool equals = parent->kind == PARAM_CHOICE || parent->kind == PARAM_CONST ||
                  (parent->kind != PARAM_EXPR && parent->step > 0);
    if (!equals) {
        return spec_refuse(self, node, field,
                           "%s hardly ever equals a number: write when: \"%s > 0.5\"", parent->name,
                           parent->name);
    }
    if (value_of_node(parent, node, out, why) != OK) {
        return spec_refuse(self, node, field, "%s %s", parent->name, why);
    }
    return OK;
}

static int condition_read(struct reader *self, const struct space *space,
                          const struct yaml_node *key, const struct yaml_node *values,
                          const char *field, struct condition *out)
{
    uint32_t parent = space_find(space, name_of(key));
    bool list = values->kind == NODE_LIST;
    uint32_t count = list ? values->count : 1;
    if (count == 0) {
        return spec_refuse(self, values, field, "is empty: the parameter would never be active");
    }
    double *numbers = arena_take(self->arena, count * sizeof(*numbers));
    for (uint32_t i = 0; i < count; i++) {
        const struct yaml_node *value = list ? values->items[i] : values;
        int code = condition_value(self, &space->params[parent], value, field, &numbers[i]);
        if (code != OK) {
            return code;
        }
    }
    *out = (struct condition){ parent, count, numbers };
    return OK;
}

static int conditions_read(struct reader *self, const struct space *space,
                           const struct raw_param *raw, struct param *param)
{
    const struct yaml_node *map = raw->when && raw->when->kind == NODE_MAP ? raw->when : NULL;
    uint32_t count = raw->branch_count + (map ? map->count : 0);
    struct condition *when = arena_take(self->arena, (count + 1) * sizeof(*when));
    for (uint32_t i = 0; i < raw->branch_count; i++) {
        const struct branch *branch = &raw->branches[i];
        when[i] =
            (struct condition){ self->raw[branch->parent].place, branch->count, branch->values };
    }
    int code = OK;
    for (uint32_t i = 0; map && i < map->count && code == OK; i++) {
        const char *field =
            field_join(self, field_join(self, raw->field, "when"), map->keys[i]->text);
        code = condition_read(self, space, map->keys[i], map->items[i], field,
                              &when[raw->branch_count + i]);
    }
    param->when = when;
    param->when_count = count;
    return code;
}

/*  Fills what refers to other parameters, now that all have their places. */
static int param_finish(struct reader *self, const struct space *space, const struct raw_param *raw,
                        struct param *param)
{
    int code = conditions_read(self, space, raw, param);
    if (code == OK && raw->when && raw->when->kind != NODE_MAP) {
        code = expression(self, raw->when, field_join(self, raw->field, "when"), space, raw->place,
                          &param->when_expr);
    }
    if (code == OK && raw->expr) {
        const char *field = field_join(self, raw->field, "expr");
        code = expression(self, raw->expr, field, space, raw->place, &param->expr);
        if (code == OK && param->expr->type == TYPE_TEXT) {
            code = spec_refuse(self, raw->expr, field, "must be a number, not a text");
        }
    }
    if (code == OK && raw->init) {
        char why[WHY_BYTES];
        const char *field = field_join(self, raw->field, "init");
        if (!param_is_free(param)) {
            return spec_refuse(self, raw->init, field, "%s is not searched for", param->name);
        }
        if (value_of_node(param, raw->init, &param->init, why) != OK) {
            return spec_refuse(self, raw->init, field, "%s", why);
        }
        param->has_init = true;
    }
    return code;
}

int space_order(struct reader *self)
{
    uint32_t n = self->raw_count;
    struct param *draft = arena_take(self->arena, n * sizeof(*draft));
    struct param *params = arena_take(self->arena, n * sizeof(*params));
    struct order order = { self,
                           { draft, n, NULL, 0 },
                           arena_take(self->arena, (size_t)n * n),
                           arena_take(self->arena, n * sizeof(uint32_t)),
                           n };
    for (uint32_t i = 0; i < n; i++) {
        draft[i] = self->raw[i].param;
    }
    int code = OK;
    for (uint32_t i = 0; i < n && code == OK; i++) {
        code = depends_find(&order, i);
    }
    if (code == OK) {
        code = sort(&order);
    }
    self->spec->space = (struct space){ params, n, NULL, 0 };
    for (uint32_t i = 0; i < n && code == OK; i++) {
        params[i] = self->raw[order.placed[i]].param;
    }
    for (uint32_t i = 0; i < n && code == OK; i++) {
        code = param_finish(self, &self->spec->space, &self->raw[order.placed[i]], &params[i]);
    }
    return code;
}

int constraints_read(struct reader *self, const struct yaml_node *node)
{
    struct space *space = &self->spec->space;
    bool list = node->kind == NODE_LIST;
    uint32_t count = list ? node->count : 1;
    const struct expr **made = arena_take(self->arena, (count + 1) * sizeof(*made));
    int code = OK;
    for (uint32_t i = 0; i < count && code == OK; i++) {
        const char *field = list ? field_item(self, "constraints", i) : "constraints";
        code = expression(self, list ? node->items[i] : node, field, space, space->count, &made[i]);
    }
    space->constraints = made;
    space->constraint_count = count;
    return code;
}
