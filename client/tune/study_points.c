/*  study_points.c - the points that a user wants first, drawn where they are left open. */
#include <math.h>

#include "client/tune/study_inside.h"

static double init_of(const struct study *self, const struct point *point, uint32_t i)
{
    const struct param *param = &self->spec->space.params[i];
    if (point) {
        return point->x[i];
    }
    return param->has_init ? param->init : NAN;
}

/*  `point` NULL: the parameters' own first values.  A draw per parameter, so that a value that the user fixed may
    switch others on. */
static enum search_answer draw(struct study *self, const struct point *point, double *x)
{
    const struct space *space = &self->spec->space;
    for (uint32_t n = 0; n < SEARCH_TRIES; n++) {
        bool drawn = false;
        for (uint32_t i = 0; i < space->count; i++) {
            const struct param *param = &space->params[i];
            x[i] = init_of(self, point, i);
            if (isnan(x[i]) && param_is_free(param)) {
                x[i] = param_at(param, draw_uniform(self->seed, self->count, i, n));
                drawn = true;
            }
        }
        space_complete(space, x);
        if (space_feasible(space, x)) {
            return SEARCH_POINT;
        }
        if (!drawn) {
            return SEARCH_INFEASIBLE;
        }
    }
    return SEARCH_INFEASIBLE;
}

enum search_answer point_of_user(struct study *self, const struct point *point, double *x)
{
    return draw(self, point, x);
}

enum search_answer point_of_init(struct study *self, double *x)
{
    return draw(self, NULL, x);
}

bool study_has_init(const struct study *self)
{
    const struct space *space = &self->spec->space;
    for (uint32_t i = 0; i < space->count; i++) {
        if (space->params[i].has_init) {
            return true;
        }
    }
    return false;
}
