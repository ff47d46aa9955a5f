/*  print.c - numbers, values and points as text: what commands, JSON files and people see. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/tune/space.h"

/*  Text that counts what did not fit, as snprintf() does. */
struct print {
    char *out;
    size_t capacity, n;
};

static void print_bytes(struct print *self, const char *from, size_t n)
{
    if (self->n + 1 < self->capacity) {
        size_t room = self->capacity - 1 - self->n;
        memcpy(self->out + self->n, from, n < room ? n : room);
    }
    self->n += n;
    if (self->capacity > 0) {
        self->out[self->n < self->capacity ? self->n : self->capacity - 1] = 0;
    }
}

static void print_text(struct print *self, const char *text)
{
    print_bytes(self, text, strlen(text));
}

size_t number_print(double value, char *out, size_t capacity)
{
    char text[40] = "0";
    if (value != 0 && value == trunc(value) && fabs(value) <= 0x1p53) {
        (void)snprintf(text, sizeof(text), "%.0f", value);
    } else if (value != 0) {
        for (int digits = 15; digits <= DBL_DECIMAL_DIG; digits++) {
            (void)snprintf(text, sizeof(text), "%.*g", digits, value);
            if (strtod(text, NULL) == value) {
                break;
            }
        }
    }
    struct print print = { out, capacity, 0 };
    print_text(&print, text);
    return print.n;
}

/*  A checked printf format (spec_dist.c) with the number: %d, %i, %x, %o and %u take it as an integer. */
static size_t format_print(const char *format, const struct choice *option, double value, char *out,
                           size_t capacity)
{
    char copy[64];
    size_t n = 0;
    bool integer = false;
    bool text = false;
    bool inside = false;
    for (const char *at = format; *at && n + 4 < sizeof(copy); at++) {
        if (inside && strchr("dixXou", *at)) {
            copy[n++] = 'l';
            copy[n++] = 'l';
            integer = true;
        }
        text = text || (inside && *at == 's');
        bool letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z');
        inside = *at == '%' ? !inside : inside && !letter;
        copy[n++] = *at;
    }
    copy[n] = 0;
    int length;
    if (text) {
        char plain[40];
        (void)number_print(value, plain, sizeof(plain));
        length = snprintf(out, capacity, copy, option ? option->text : plain);
    } else if (integer) {
        length = snprintf(out, capacity, copy, (long long)value);
    } else {
        length = snprintf(out, capacity, copy, value);
    }
    return length < 0 ? 0 : (size_t)length;
}

static const struct choice *option_of(const struct param *self, double value)
{
    bool listed = self->kind == PARAM_CHOICE || self->kind == PARAM_CONST;
    if (!listed || !(value >= 0 && value < self->option_count)) {
        return NULL;
    }
    return &self->options[(uint32_t)value];
}

size_t param_print(const struct param *self, double value, char *out, size_t capacity)
{
    struct print print = { out, capacity, 0 };
    print_text(&print, "");
    if (isnan(value)) {
        return 0; /* not active */
    }
    const struct choice *option = option_of(self, value);
    bool number = !option || option->kind == OPTION_INT || option->kind == OPTION_FLOAT;
    if (self->format && (number || (option && option->kind == OPTION_STRING))) {
        return format_print(self->format, option, option ? option->number : value, out, capacity);
    }
    if (!option) {
        return number_print(value, out, capacity);
    }
    print_text(&print, option->text);
    return print.n;
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void print_quoted(struct print *self, const char *text)
{
    print_text(self, "\"");
    for (const char *at = text; *at; at++) {
        unsigned char c = (unsigned char)*at;
        if (c == '"' || c == '\\') {
            char escaped[2] = { '\\', *at };
            print_bytes(self, escaped, 2);
        } else if (c < 0x20 || c == 0x7F) {
            char escaped[8];
            (void)snprintf(escaped, sizeof(escaped), "\\u%04x", c);
            print_text(self, escaped);
        } else {
            print_bytes(self, at, 1);
        }
    }
    print_text(self, "\"");
}

/*  -?(0|[1-9][0-9]*): an integer as written keeps digits that a double has not. */
static bool is_json_integer(const char *text)
{
    text += *text == '-';
    size_t n = strspn(text, "0123456789");
    return n > 0 && text[n] == 0 && (text[0] != '0' || n == 1);
}

static void print_value(struct print *self, const struct param *param, double value)
{
    char number[40];
    const struct choice *option = option_of(param, value);
    if (!option || option->kind == OPTION_FLOAT ||
        (option->kind == OPTION_INT && !is_json_integer(option->text))) {
        (void)number_print(option ? option->number : value, number, sizeof(number));
        print_text(self, number);
    } else if (option->kind == OPTION_STRING) {
        print_quoted(self, option->text);
    } else if (option->kind == OPTION_BOOL) {
        print_text(self, option->number != 0 ? "true" : "false");
    } else {
        print_text(self, option->kind == OPTION_NULL ? "null" : option->text);
    }
}

size_t space_print_json(const struct space *self, const double *x, char *out, size_t capacity)
{
    struct print print = { out, capacity, 0 };
    print_text(&print, "{");
    bool first = true;
    for (uint32_t i = 0; i < self->count; i++) {
        if (!isnan(x[i])) {
            print_text(&print, first ? "" : ", ");
            print_quoted(&print, self->params[i].name);
            print_text(&print, ": ");
            print_value(&print, &self->params[i], x[i]);
            first = false;
        }
    }
    print_text(&print, "}");
    return print.n;
}
