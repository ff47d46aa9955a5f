/*  spec_wandb.c - W&B's words for a parameter: {min: 0, max: 1}, {values: [...]}, {distribution: normal, mu: 0}. */
#include <math.h>

#include "client/tune/spec_inside.h"

static const struct yaml_node *scalar(const struct yaml_node *map, const char *key)
{
    const struct yaml_node *node = yaml_find(map, key);
    return node && node->kind == NODE_SCALAR ? node : NULL;
}

bool wandb_is(const struct yaml_node *map)
{
    const struct yaml_node *values = yaml_find(map, "values");
    return scalar(map, "distribution") || scalar(map, "value") ||
           (values && values->kind == NODE_LIST) || (scalar(map, "min") && scalar(map, "max"));
}

static const char *inferred(const struct yaml_node *map)
{
    bool low = false;
    bool high = false;
    double ignored;
    if (yaml_find(map, "values")) {
        return "choice";
    }
    if (yaml_find(map, "value")) {
        return "const";
    }
    const struct yaml_node *min = yaml_find(map, "min");
    const struct yaml_node *max = yaml_find(map, "max");
    bool numbers =
        min && max && yaml_number(min, &ignored, &low) && yaml_number(max, &ignored, &high);
    return numbers && low && high ? "int" : "uniform";
}

/*  min, max and q (or mu, sigma and q, or a and b) as the list that our type takes. */
static int collect(struct reader *self, const struct yaml_node *map, const char *field,
                   const char *type, const struct yaml_node **out)
{
    bool normal = strstr(type, "randn") != NULL;
    bool beta = strcmp(type, "beta") == 0;
    const char *names[3] = { beta     ? "a"
                             : normal ? "mu"
                                      : "min",
                             beta     ? "b"
                             : normal ? "sigma"
                                      : "max",
                             type[0] == 'q' ? "q" : NULL };
    struct yaml_node *list = arena_take(self->arena, sizeof(*list));
    struct yaml_node **items = arena_take(self->arena, 3 * sizeof(struct yaml_node *));
    *list = *map;
    list->kind = NODE_LIST;
    list->keys = NULL;
    list->items = items;
    list->count = 0;
    for (int i = 0; i < 3 && names[i]; i++) {
        struct yaml_node *item = yaml_find(map, names[i]);
        if (!item) {
            return spec_refuse(self, map, field, "needs %s", names[i]);
        }
        items[list->count++] = item;
    }
    *out = list;
    return OK;
}

int wandb_read(struct reader *self, const struct yaml_node *map, const char *field,
               const char **type, const struct yaml_node **args)
{
    const struct yaml_node *named = yaml_find(map, "distribution");
    *type = inferred(map);
    if (named) {
        bool other = false;
        if (strcmp(named->text, "log_uniform") == 0 || strcmp(named->text, "q_log_uniform") == 0) {
            return spec_refuse(
                self, named, field,
                "W&B's %s takes exponents of e: say log_uniform_values and the values "
                "themselves, or loguniform: [low, high]",
                named->text);
        }
        *type = dist_type(named->text, &other);
        if (!*type || strcmp(*type, "case") == 0 || strcmp(*type, "expr") == 0) {
            struct near near;
            near_begin(&near, named->text);
            dist_offer(&near);
            return spec_unknown(self, named, field, "distribution", &near);
        }
    }
    const char *direct = strcmp(*type, "choice") == 0 || strcmp(*type, "grid") == 0 ? "values"
                         : strcmp(*type, "const") == 0                              ? "value"
                                                                                    : NULL;
    if (!direct) {
        return collect(self, map, field, *type, args);
    }
    *args = yaml_find(map, direct);
    return *args ? OK : spec_refuse(self, map, field, "needs %s", direct);
}
