/*  plot_svg.c - SVG without a library: lines, text and numbers. */
#include "client/tune/plot_svg.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

enum { OUTLIERS_FROM = 10 };

/* --- axes ------------------------------------------------------------------------------------- */

struct axis axis_over(double low, double high, bool log)
{
    struct axis self = { low, high, 0, 1, log };
    if (!(low <= high)) {
        self = (struct axis){ 0, 1, 0, 1, false };
    } else if (log) {
        self.low = log10(low);
        self.high = log10(high);
    }
    double size = fmax(fabs(self.low), fabs(self.high));
    if (self.high - self.low <= fmax(size * 1e-9, 1e-300)) {
        double more = size > 1e-290 ? size * 0.1 : 0.5;
        self.low = fmax(self.low - more, -DBL_MAX);
        self.high = fmin(self.high + more, DBL_MAX);
    }
    return self;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

struct axis axis_of_values(double *values, uint32_t n, bool maximize, double *edge)
{
    *edge = NAN;
    qsort(values, n, sizeof(*values), by_value);
    double low = n > 0 ? values[0] : 1, high = n > 0 ? values[n - 1] : 0;
    bool log = low > 0 && high / low > 1000;
    if (n >= OUTLIERS_FROM && !log) {
        double best = maximize ? high : low, most = values[maximize ? n / 10 : n - 1 - n / 10];
        double end = most + (most - best) / 2;
        if (most != best && fabs(end - best) < fabs((maximize ? low : high) - best) / 4) {
            *edge = *(maximize ? &low : &high) = end;
        }
    }
    return axis_over(low, high, log);
}

double axis_at(const struct axis *self, double value)
{
    double at = self->log ? log10(value) : value;
    double share = (at / 2 - self->low / 2) / (self->high / 2 - self->low / 2); /* no overflow */
    return self->from + fmin(fmax(share, 0), 1) * (self->to - self->from);
}

/*  1, 2 or 5 times a power of ten. */
static double round_step(double raw)
{
    double power = pow(10, floor(log10(raw))), unit = raw / power;
    return power * (unit < 1.5 ? 1 : unit < 3.5 ? 2 : unit < 7.5 ? 5 : 10);
}

static void tick_print(struct tick *self, double value, double step)
{
    double size = fabs(value) > 0 ? log10(fabs(value) / step) : 0;
    int digits = (int)fmin(fmax(ceil(size) + 2, 6), 15);
    self->value = value;
    snprintf(self->text, sizeof(self->text), "%.*g", digits, value);
}

uint32_t axis_ticks(const struct axis *self, int wanted, bool whole, struct tick out[TICKS_MAX])
{
    double span = fmin(self->high - self->low, DBL_MAX);
    double step = round_step(span / wanted);
    bool decades = self->log && span >= 1;
    step = (whole || decades) && step < 1 ? 1 : step;
    double first = ceil(self->low / step - 1e-9);
    uint32_t n = 0;
    for (int i = 0; i < TICKS_MAX; i++) {
        double at = (first + i) * step;
        if (!(at <= self->high + 1e-9 * step)) {
            break;
        }
        double value = fabs(at) < step * 1e-9 ? 0 : at;
        if (!self->log) {
            tick_print(&out[n++], value, step);
        } else if (decades) {
            tick_print(&out[n++], pow(10, value), pow(10, value));
        } else { /* within a power of ten: where they are even on the page */
            double power = pow(10, value);
            tick_print(&out[n++], power, power / 10);
        }
    }
    return n;
}

/* --- elements --------------------------------------------------------------------------------- */

static unsigned letters_of(const char *text)
{
    unsigned n = 0;
    for (; *text; text++) {
        n += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return n;
}

/*  What XML 1.0 allows; names are UTF-8.  Of a text that is too long the middle is left out. */
static void put_escaped(FILE *to, const char *text, unsigned letters)
{
    unsigned all = letters_of(text), head = all > letters ? letters / 2 : all, letter = 0;
    unsigned tail = all > letters ? all - (letters - 1 - head) : 0; /* where it begins */
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        letter += (*at & 0xc0) != 0x80;
        if (letter > head && letter <= tail) {
            fputs(letter == head + 1 && (*at & 0xc0) != 0x80 ? "\xe2\x80\xa6" : "", to);
            continue;
        }
        bool not_a_letter = at[0] == 0xef && at[1] == 0xbf && at[2] >= 0xbe; /* U+FFFE, U+FFFF */
        const char *name = *at == '<'    ? "&lt;"
                           : *at == '>'  ? "&gt;"
                           : *at == '&'  ? "&amp;"
                           : *at == '"'  ? "&quot;"
                           : *at == '\'' ? "&apos;"
                                         : NULL;
        if (name) {
            fputs(name, to);
        } else {
            fputc(*at < 0x20 || not_a_letter ? '?' : *at, to);
            at += not_a_letter ? 2 : 0;
        }
    }
}

void svg_text(FILE *to, double x, double y, const char *style, const char *text, unsigned letters)
{
    fprintf(to, "<text x='%.1f' y='%.1f' %s>", x, y, style);
    if (letters_of(text) > letters) {
        fputs("<title>", to);
        put_escaped(to, text, UINT32_MAX);
        fputs("</title>", to);
    }
    put_escaped(to, text, letters);
    fputs("</text>\n", to);
}

void svg_line(FILE *to, const double from[2], const double end[2], const char *style)
{
    fprintf(to, "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' %s/>\n", from[0], from[1], end[0],
            end[1], style);
}

void svg_begin(FILE *to, int width, int height)
{
    fprintf(to,
            "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' viewBox='0 0 %d %d' "
            "font-family='Helvetica, Arial, sans-serif' font-size='12' fill='#333'>\n"
            "<rect width='%d' height='%d' fill='#fff'/>\n",
            width, height, width, height, width, height);
}

void svg_title(FILE *to, int x, const char *title, const char *below, int width)
{
    svg_text(to, x, 24, "font-size='15' font-weight='bold'", title, (unsigned)(width - x) / 9);
    svg_text(to, x, 42, "fill='#666'", below, (unsigned)(width - x) / 6);
}

void svg_end(FILE *to)
{
    fputs("</svg>\n", to);
}

const char *svg_colour(double share, char out[8])
{
    static const unsigned char viridis[][3] = {
        { 253, 231, 37 }, { 180, 222, 44 }, { 109, 205, 89 }, { 53, 183, 121 }, { 31, 158, 137 },
        { 38, 130, 142 }, { 49, 104, 142 }, { 62, 74, 137 },  { 72, 40, 120 },  { 68, 1, 84 }
    };
    double place = fmin(fmax(share, 0), 1) * (COUNT(viridis) - 1);
    size_t i = place >= COUNT(viridis) - 1 ? COUNT(viridis) - 2 : (size_t)place;
    double part = place - (double)i;
    unsigned rgb[3];
    for (int k = 0; k < 3; k++) {
        rgb[k] = (unsigned)lround(viridis[i][k] + part * (viridis[i + 1][k] - viridis[i][k])) & 255;
    }
    snprintf(out, 8, "#%02x%02x%02x", rgb[0], rgb[1], rgb[2]);
    return out;
}
