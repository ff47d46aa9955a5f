/*  spec_check.c - what concerns more than one key: an end, a way to choose, points that can exist. */
#include <math.h>
#include <stdio.h>

#include "client/tune/spec_inside.h"

enum { FEASIBLE_DRAWS = 10000 };

static bool is_grid(const struct study_spec *spec)
{
    return strcmp(spec->search.algo, "grid") == 0;
}

/* --- the metric ------------------------------------------------------------------------------- */

static int metric_check(struct reader *self)
{
    struct study_spec *spec = self->spec;
    if (!spec->metric) {
        if (spec->program) {
            return spec_refuse(self, NULL, "metric",
                               "is missing: say which number of a task counts");
        }
        if (spec->stdout_regex || spec->stdout_lines) {
            return spec_refuse(self, NULL, "metric",
                               "is missing: say which name=value of the output counts");
        }
        spec->metric = "value"; /* the number in the last line of the output */
        return OK;
    }
    return self->mode_given ? OK
                            : spec_refuse(self, spec_node(self, "metric"), "mode",
                                          "is missing: say mode: min or mode: max");
}

/* --- what to run ------------------------------------------------------------------------------ */

static int command_check(struct reader *self)
{
    const struct study_spec *spec = self->spec;
    const struct yaml_node *program = spec_node(self, "program");
    if (spec->command && spec->program) {
        return spec_refuse(self, program, "program",
                           "a study has a command or a program, not both");
    }
    if (!spec->command && !spec->program) {
        return spec_refuse(self, NULL, "command",
                           "is missing: say what a trial runs (or program and task)");
    }
    if (spec->program && !spec->task) {
        return spec_refuse(self, program, "task",
                           "is missing: say which task of the program to run");
    }
    if (spec->task && !spec->program) {
        return spec_refuse(self, spec_node(self, "task"), "task",
                           "needs `program`, the file that has it");
    }
    return OK;
}

/* --- grids ------------------------------------------------------------------------------------ */

/*  Are all parameters that are searched for `grid: [...]`?  The product of those that are, in *size. */
static bool all_grid(const struct space *space, uint64_t *size)
{
    bool all = true;
    *size = 1;
    for (uint32_t i = 0; i < space->count; i++) {
        const struct param *param = &space->params[i];
        all = all && (param->grid || !param_is_free(param));
        if (param->grid && *size < UINT32_MAX) {
            *size *= param->option_count;
        }
    }
    return all;
}

static int grid_check(struct reader *self)
{
    const struct space *space = &self->spec->space;
    for (uint32_t i = 0; is_grid(self->spec) && i < self->raw_count; i++) {
        const struct raw_param *raw = &self->raw[i];
        if (param_size(&space->params[raw->place]) == 0) {
            return spec_refuse(
                self, raw->node, raw->field,
                "a grid over a continuous parameter has no end: give it values (choice) or "
                "a step (quniform: [low, high, step])");
        }
    }
    return OK;
}

/* --- constraints ------------------------------------------------------------------------------ */

static const struct yaml_node *constraint_node(const struct reader *self, uint32_t i)
{
    const struct yaml_node *node = spec_node(self, "constraints");
    return node && node->kind == NODE_LIST ? node->items[i] : node;
}

/*  How many points of a walk or of draws meet each constraint, and all. */
struct feasible {
    uint64_t points, all;
    uint64_t *each;
};

static void feasible_count(const struct space *space, const double *x, struct feasible *counts)
{
    bool all = true;
    counts->points++;
    for (uint32_t i = 0; i < space->constraint_count; i++) {
        bool holds = expr_holds(space->constraints[i], space, x);
        counts->each[i] += holds;
        all = all && holds;
    }
    counts->all += all;
}

/*  Is there a point that meets all constraints?  *size: how many, of a finite space. */
static int constraints_check(struct reader *self, uint64_t *size)
{
    const struct space *space = &self->spec->space;
    double x[PARAMS_MAX];
    *size = space_size(space);
    if (space->constraint_count == 0) {
        return OK;
    }
    struct feasible counts = { 0, 0, arena_take(self->arena, space->constraint_count * 8) };
    uint64_t cursor = 0;
    bool finite = *size > 0;
    if (finite) {
        while (space_next(space, &cursor, x)) {
            feasible_count(space, x, &counts);
        }
        *size = counts.all;
    }
    for (uint64_t i = 0; !finite && i < FEASIBLE_DRAWS && counts.all == 0; i++) {
        space_draw(space, 1, i, 0, x);
        feasible_count(space, x, &counts);
    }
    if (counts.all > 0) {
        return OK;
    }
    char points[80];
    (void)snprintf(points, sizeof(points), "none of %s%llu%s points", finite ? "the " : "",
                   (unsigned long long)counts.points, finite ? "" : " random");
    for (uint32_t i = 0; i < space->constraint_count; i++) {
        if (counts.each[i] == 0) {
            return spec_refuse(self, constraint_node(self, i), "constraints",
                               "%s of the space meets this constraint: change it, or the space",
                               points);
        }
    }
    return spec_refuse(self, spec_node(self, "constraints"), "constraints",
                       "%s of the space meets all constraints together: change them, or the space",
                       points);
}

/* --- the end ---------------------------------------------------------------------------------- */

static int trials_check(struct reader *self, uint64_t size)
{
    struct study_spec *spec = self->spec;
    uint64_t grids = 1;
    bool only_grids = all_grid(&spec->space, &grids);
    uint64_t repeat = spec->search.repeat > 1 ? spec->search.repeat : 1;
    if (self->num_samples > 0) {
        if (spec->trials_max > 0) {
            return spec_refuse(self, spec_node(self, "num_samples"), "num_samples",
                               "is Ray's: for each point of the grid so many; give trials or this");
        }
        uint64_t trials = self->num_samples * grids;
        if (trials > UINT32_MAX - 1) {
            return spec_refuse(self, spec_node(self, "num_samples"), "num_samples",
                               "too many trials");
        }
        spec->trials_max = (uint32_t)trials;
    }
    if (only_grids && !self->search_wanted && search_find("grid")) {
        spec->search.algo = "grid";
    }
    bool counted = (only_grids || is_grid(spec)) && size > 0 && size * repeat < UINT32_MAX;
    if (spec->trials_max == 0 && counted) {
        spec->trials_max = (uint32_t)(size * repeat);
    }
    bool ends = spec->trials_max > 0 || spec->time_budget_ms > 0 || spec->has_goal ||
                spec->no_improvement > 0 || is_grid(spec) || (size > 0 && spec->search.dedup);
    return ends ? OK
                : spec_refuse(self, NULL, "trials",
                              "is missing: say how many trials (or give time_budget or goal)");
}

static int search_check(struct reader *self)
{
    const struct search_options *search = &self->spec->search;
    bool external = strcmp(search->algo, "external") == 0;
    const struct yaml_node *node = spec_node(self, "search");
    if (external && !search->command) {
        return spec_refuse(self, node, "search.command",
                           "is missing: search: {algo: external, command: [...]}");
    }
    if (!external && search->command) {
        return spec_refuse(self, node, "search.command", "is for algo: external only");
    }
    return OK;
}

int spec_check(struct reader *self)
{
    uint64_t size = 0;
    int code = command_check(self);
    code = code == OK ? metric_check(self) : code;
    code = code == OK ? search_check(self) : code;
    code = code == OK ? grid_check(self) : code;
    code = code == OK ? constraints_check(self, &size) : code;
    return code == OK ? trials_check(self, size) : code;
}
