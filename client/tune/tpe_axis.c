/*  tpe_axis.c - parameters to [0, 1] and back. */
#include "client/tune/tpe_axis.h"

#include <math.h>

#include "client/tune/draw.h"

static double inside(double unit)
{
    return unit > 0 ? fmin(unit, 1) : 0;
}

/*  The inverse of what param_at() does before it rounds. */
static double transformed(const struct param *param, double value)
{
    switch (param->scale) {
    case SCALE_LINEAR:
        return value;
    case SCALE_LOG:
        return value > 0 ? log(value) : -INFINITY;
    case SCALE_REVERSE_LOG:
        break;
    }
    double mirrored = param->low - param->step / 2;
    mirrored = mirrored > 0 ? mirrored : param->low;
    mirrored += param->high + param->step / 2 - value;
    return mirrored > 0 ? -log(mirrored) : INFINITY;
}

struct axis axis_of(const struct param *param)
{
    struct axis self = { .param = param, .kind = AXIS_NUMBER, .span = 1 };
    if (param->kind == PARAM_CHOICE) {
        self.kind = AXIS_CHOICE;
        return self;
    }
    if (param->kind == PARAM_FLOAT || param->kind == PARAM_INT) {
        double low = param->low - param->step / 2;
        low = param->scale == SCALE_LINEAR || low > 0 ? low : param->low;
        self.low = transformed(param, low);
        self.span = transformed(param, param->high + param->step / 2) - self.low;
    }
    bool fine = param->scale == SCALE_LINEAR && param_size(param) > AXIS_CELLS_MAX;
    self.kind = param->step > 0 && !fine ? AXIS_CELLS : AXIS_NUMBER;
    return self;
}

double axis_unit(const struct axis *self, double value)
{
    const struct param *param = self->param;
    if (self->kind == AXIS_CHOICE) {
        return value;
    }
    if (param->kind == PARAM_NORMAL) {
        return inside(normal_cdf((transformed(param, value) - param->mean) / param->sd));
    }
    if (param->kind == PARAM_BETA) {
        return inside(beta_cdf(param->mean, param->sd, value));
    }
    return self->span > 0 ? inside((transformed(param, value) - self->low) / self->span) : 0.5;
}

void axis_cell(const struct axis *self, double value, double *low, double *high)
{
    double half = self->param->step / 2;
    *low = axis_unit(self, value - half);
    *high = axis_unit(self, value + half);
}

double axis_value(const struct axis *self, double unit)
{
    return self->kind == AXIS_CHOICE ? unit : param_at(self->param, unit);
}

double axis_prior(const struct axis *self, uint32_t option)
{
    const struct param *param = self->param;
    return param->weights ? fmax(param->weights[option], 1e-12) : 1.0 / param->option_count;
}
