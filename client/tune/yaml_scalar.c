/*  yaml_scalar.c - what a plain word is by YAML 1.2's core schema. */
#include <math.h>
#include <stdlib.h>

#include "client/tune/yaml.h"

struct yaml_node *yaml_find(const struct yaml_node *map, const char *key)
{
    for (uint32_t i = 0; map->kind == NODE_MAP && i < map->count; i++) {
        if (strcmp(map->keys[i]->text, key) == 0) {
            return map->items[i];
        }
    }
    return NULL;
}

static bool one_of(const struct yaml_node *node, const char *const words[], size_t count)
{
    for (size_t i = 0; node->kind == NODE_SCALAR && node->plain && i < count; i++) {
        if (strcmp(node->text, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool yaml_null(const struct yaml_node *node)
{
    static const char *const words[] = { "", "~", "null", "Null", "NULL" };
    return one_of(node, words, COUNT(words));
}

bool yaml_bool(const struct yaml_node *node, bool *out)
{
    static const char *const yes[] = { "true", "True", "TRUE" };
    static const char *const no[] = { "false", "False", "FALSE" };
    *out = one_of(node, yes, COUNT(yes));
    return *out || one_of(node, no, COUNT(no));
}

/*  0o17, 0x1F: no sign. */
static bool other_base(const char *text, double *out)
{
    int base = text[0] != '0' ? 0 : text[1] == 'o' ? 8 : text[1] == 'x' ? 16 : 0;
    const char *digits = base == 8 ? "01234567" : "0123456789abcdefABCDEF";
    if (base == 0 || text[2] == 0 || text[2 + strspn(text + 2, digits)] != 0) {
        return false;
    }
    *out = strtod(base == 16 ? text : "0", NULL);
    for (size_t i = 2; base == 8 && text[i] != 0; i++) {
        *out = *out * 8 + (text[i] - '0');
    }
    return true;
}

/*  [-+]? ( .[0-9]+ | [0-9]+ (.[0-9]*)? ) ( [eE][-+]?[0-9]+ )? */
static bool is_decimal(const char *text, bool *integer)
{
    static const char digits[] = "0123456789";
    text += *text == '-' || *text == '+';
    size_t whole = strspn(text, digits);
    text += whole;
    *integer = *text == 0;
    if (*text == '.') {
        size_t part = strspn(++text, digits);
        if (whole + part == 0) {
            return false;
        }
        text += part;
    } else if (whole == 0) {
        return false;
    }
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '-' || *text == '+';
        size_t exponent = strspn(text, digits);
        text += exponent;
        return exponent > 0 && *text == 0;
    }
    return *text == 0;
}

bool yaml_number(const struct yaml_node *node, double *out, bool *integer)
{
    static const char *const infinite[] = { ".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf",
                                            "+.INF", "-.inf", "-.Inf", "-.INF" };
    static const char *const nan[] = { ".nan", ".NaN", ".NAN" };
    bool ignored;
    integer = integer ? integer : &ignored;
    *integer = false;
    if (node->kind != NODE_SCALAR || !node->plain) {
        return false;
    }
    if (one_of(node, infinite, COUNT(infinite)) || one_of(node, nan, COUNT(nan))) {
        *out = one_of(node, nan, COUNT(nan)) ? NAN : node->text[0] == '-' ? -INFINITY : INFINITY;
        return true;
    }
    if (other_base(node->text, out)) {
        *integer = true;
        return true;
    }
    if (!is_decimal(node->text, integer)) {
        return false;
    }
    *out = strtod(node->text, NULL);
    return true;
}

const char *yaml_what(const struct yaml_node *node)
{
    double number;
    bool truth;
    if (node->kind != NODE_SCALAR) {
        return node->kind == NODE_LIST ? "a list" : "a map";
    }
    if (yaml_null(node)) {
        return "nothing";
    }
    return yaml_number(node, &number, NULL) ? "a number"
           : yaml_bool(node, &truth)        ? "true or false"
                                            : "a text";
}
