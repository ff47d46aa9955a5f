/*  plot_svg.c - SVG without a library: lines, text and numbers. */
#include "client/tune/plot_svg.h"

#include <math.h>
#include "client/tune/space.h"

void svg_text(FILE *to, double x, double y, const char *anchor, const char *text)
{
    fprintf(to, "<text x='%.1f' y='%.1f' text-anchor='%s'>", x, y, anchor);
    for (; *text; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", to);
            break;
        case '>':
            fputs("&gt;", to);
            break;
        case '&':
            fputs("&amp;", to);
            break;
        default:
            if ((unsigned char)*text >= 0x20) {
                fputc(*text, to);
            }
        }
    }
    fputs("</text>\n", to);
}

void svg_begin(FILE *to, const char *title, int width, int height)
{
    fprintf(to,
            "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' viewBox='0 0 %d %d' "
            "font-family='sans-serif' font-size='12' fill='#333'>\n"
            "<rect width='%d' height='%d' fill='#fff'/>\n",
            width, height, width, height, width, height);
    svg_text(to, width / 2.0, 22, "middle", title);
}

void svg_end(FILE *to)
{
    fputs("</svg>\n", to);
}

double axis_at(const struct axis *self, double value)
{
    double at = self->log ? log10(value) : value;
    double share = self->high > self->low ? (at - self->low) / (self->high - self->low) : 0.5;
    return self->from + share * (self->to - self->from);
}

/*  1, 2 or 5 times a power of ten, about `wanted` of them. */
static double tick_step(double span, int wanted)
{
    double raw = span / wanted, power = pow(10, floor(log10(raw)));
    double unit = raw / power;
    return power * (unit < 1.5 ? 1 : unit < 3.5 ? 2 : unit < 7.5 ? 5 : 10);
}

static void ticks(FILE *to, const struct axis *axis, void (*tick)(FILE *, double at, const char *, const double *),
                  const double *place)
{
    char text[40];
    double span = axis->high - axis->low;
    double step = span > 0 ? tick_step(span, 6) : 1;
    step = axis->log && step < 1 ? 1 : step;
    for (double at = ceil(axis->low / step - 1e-9) * step; at <= axis->high + 1e-9 * span; at += step) {
        double value = axis->log ? pow(10, at) : fabs(at) < step * 1e-9 ? 0 : at;
        snprintf(text, sizeof(text), "%.6g", value);
        tick(to, axis_at(axis, value), text, place);
        if (span <= 0) {
            break;
        }
    }
}

static void tick_up(FILE *to, double at, const char *text, const double *place)
{
    fprintf(to, "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='#ddd'/>\n", place[0], at, place[1], at);
    svg_text(to, place[0] - 6, at + 4, "end", text);
}

static void tick_along(FILE *to, double at, const char *text, const double *place)
{
    fprintf(to, "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='#999'/>\n", at, place[0], at, place[0] + 4);
    svg_text(to, at, place[0] + 18, "middle", text);
}

void svg_ticks_up(FILE *to, const struct axis *axis, double x0, double x1)
{
    ticks(to, axis, tick_up, (const double[]){ x0, x1 });
}

void svg_ticks_along(FILE *to, const struct axis *axis, double y)
{
    ticks(to, axis, tick_along, (const double[]){ y });
}

const char *svg_colour(double share, char out[8])
{
    static const unsigned char viridis[][3] = { { 68, 1, 84 },   { 72, 40, 120 },  { 62, 74, 137 },
                                                { 49, 104, 142 }, { 38, 130, 142 }, { 31, 158, 137 },
                                                { 53, 183, 121 }, { 109, 205, 89 }, { 180, 222, 44 },
                                                { 253, 231, 37 } };
    double place = fmin(fmax(share, 0), 1) * (COUNT(viridis) - 1);
    size_t i = place >= COUNT(viridis) - 1 ? COUNT(viridis) - 2 : (size_t)place;
    double part = place - (double)i;
    int rgb[3];
    for (int k = 0; k < 3; k++) {
        rgb[k] = (int)lround(viridis[i][k] + part * (viridis[i + 1][k] - viridis[i][k]));
    }
    snprintf(out, 8, "#%02x%02x%02x", (unsigned)rgb[0] & 255, (unsigned)rgb[1] & 255, (unsigned)rgb[2] & 255);
    return out;
}
