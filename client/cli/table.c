/*  table.c - layout and printing of tables. */
#include "client/cli/table.h"

#include <langinfo.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include "client/tune/result_print.h"
#include "common/clock.h"

enum { SHRUNK_MIN = 8, GAP = 2 };

/*  Beginnings and ends of what is drawn over the letter before (0 columns), or two columns wide. */
static const struct {
    uint32_t first, last, columns;
} widths_of_letters[] = {
    { 0x300, 0x36f, 0 },     { 0x1100, 0x115f, 2 },   { 0x200b, 0x200f, 0 },
    { 0x2e80, 0x303e, 2 },   { 0x3041, 0xa4cf, 2 },   { 0xac00, 0xd7a3, 2 },
    { 0xf900, 0xfaff, 2 },   { 0xfe00, 0xfe0f, 0 },   { 0xfe30, 0xfe6f, 2 },
    { 0xff00, 0xff60, 2 },   { 0xffe0, 0xffe6, 2 },   { 0x1f300, 0x1f64f, 2 },
    { 0x1f680, 0x1f6ff, 2 }, { 0x1f900, 0x1f9ff, 2 }, { 0x20000, 0x3fffd, 2 },
};

/*  The letter at `text`, which is not at its end: its bytes, and how wide a terminal draws it. */
static size_t letter_at(const char *text, unsigned *columns)
{
    const uint8_t *p = (const uint8_t *)text;
    uint32_t letter = p[0] < 0x80   ? p[0]
                      : p[0] < 0xe0 ? p[0] & 0x1f
                                    : p[0] & (p[0] < 0xf0 ? 0xf : 7);
    size_t n = 1;
    for (; (p[n] & 0xc0) == 0x80; n++) {
        letter = letter << 6 | (p[n] & 0x3f);
    }
    *columns = 1;
    for (size_t i = 0; i < COUNT(widths_of_letters); i++) {
        if (letter >= widths_of_letters[i].first && letter <= widths_of_letters[i].last) {
            *columns = widths_of_letters[i].columns;
        }
    }
    return n;
}

unsigned text_letters(const char *text)
{
    unsigned total = 0, columns;
    while (*text) {
        text += letter_at(text, &columns);
        total += columns;
    }
    return total;
}

size_t text_bytes(const char *text, unsigned letters)
{
    size_t n = 0;
    unsigned columns;
    while (text[n]) {
        size_t bytes = letter_at(text + n, &columns);
        if (columns > letters) {
            break;
        }
        letters -= columns;
        n += bytes;
    }
    return n;
}

/*  Takes a letter from the widest column that may shrink (`all`: but the first); false: none is left. */
static bool narrow_one(unsigned *widths, const struct column *columns, size_t count, bool all)
{
    size_t widest = count;
    for (size_t i = 0; i < count; i++) {
        bool may = (columns[i].flags & COLUMN_SHRINKS) || (all && i > 0);
        if (may && widths[i] > SHRUNK_MIN && (widest == count || widths[i] > widths[widest])) {
            widest = i;
        }
    }
    if (widest == count) {
        return false;
    }
    widths[widest]--;
    return true;
}

void table_layout(unsigned *widths, const struct column *columns, size_t count, unsigned room)
{
    unsigned total = (unsigned)(GAP * (count - 1));
    for (size_t i = 0; i < count; i++) {
        total += widths[i];
    }
    while (total > room && narrow_one(widths, columns, count, false)) {
        total--;
    }
    while (total > room && narrow_one(widths, columns, count, true)) {
        total--;
    }
}

/*  Letters of a line of stdout; UINT32_MAX: any number. */
static unsigned line_room(void)
{
    const char *columns = getenv("COLUMNS");
    long n = columns ? strtol(columns, NULL, 10) : 0;
    if (n > 0 && n < 10000) {
        return (unsigned)n;
    }
    struct winsize size;
    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    return UINT32_MAX;
}

void cell_text(const struct cli *cli, const json_t *item, const char *key, char out[CELL_BYTES])
{
    (void)cli;
    const json_t *value = json_object_get(item, key);
    out[0] = 0;
    if (json_is_string(value)) {
        text_clean(slice_of(json_string_value(value), json_string_length(value)), out, CELL_BYTES);
    } else if (value && !json_is_null(value)) {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(6));
        text_clean(slice_text(text), out, CELL_BYTES);
        free(text);
    }
}

void cell_id(const struct cli *cli, const json_t *item, const char *key, char out[CELL_BYTES])
{
    cell_text(cli, item, key, out);
    out[text_bytes(out, ID_LETTERS)] = 0;
}

static int64_t milliseconds(const json_t *item, const char *key)
{
    return json_integer_value(json_object_get(item, key));
}

void cell_time(const struct cli *cli, const json_t *item, const char *key, char out[CELL_BYTES])
{
    int64_t ms = milliseconds(item, key);
    time_t seconds = ms / 1000;
    struct tm parts;
    out[0] = 0;
    if (ms > 0 && (cli->options.utc ? gmtime_r(&seconds, &parts) : localtime_r(&seconds, &parts))) {
        strftime(out, CELL_BYTES, cli->options.utc ? "%Y-%m-%d %H:%M:%SZ" : "%Y-%m-%d %H:%M:%S",
                 &parts);
    }
}

void cell_duration(const struct cli *cli, const json_t *item, const char *key, char out[CELL_BYTES])
{
    (void)cli, (void)key;
    int64_t start = milliseconds(item, "start_time_ms");
    int64_t end = milliseconds(item, "end_time_ms");
    out[0] = 0;
    if (start <= 0) {
        return;
    }
    int64_t ms = (end > 0 ? end : (int64_t)clock_wall_ms()) - start;
    ms = ms < 0 ? 0 : ms;
    if (ms < 60000) {
        snprintf(out, CELL_BYTES, "%.*fs", ms < 10000 ? 2 : 1, (double)ms / 1000);
    } else if (ms < 3600000) {
        snprintf(out, CELL_BYTES, "%dm%02ds", (int)(ms / 60000), (int)(ms / 1000 % 60));
    } else {
        snprintf(out, CELL_BYTES, "%lldh%02dm", (long long)(ms / 3600000), (int)(ms / 60000 % 60));
    }
}

static void print_bytes(double value, char *out, size_t capacity)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < COUNT(units)) {
        value /= 1024;
        unit++;
    }
    snprintf(out, capacity, "%.*f%s", unit ? 1 : 0, value, units[unit]);
}

/*  12.5, or 512.0MiB of memory. */
static void print_amount(const char *name, double value, char *out, size_t capacity)
{
    if (strcmp(name, "memory") == 0) {
        print_bytes(value, out, capacity);
    } else {
        snprintf(out, capacity, "%.10g", value);
    }
}

void cell_bytes(const struct cli *cli, const json_t *item, const char *key, char out[CELL_BYTES])
{
    json_t *value = json_object_get(item, key);
    (void)cli;
    out[0] = '\0';
    if (json_is_number(value)) {
        print_bytes(json_number_value(value), out, CELL_BYTES);
    }
}

void cell_amounts(const struct cli *cli, const json_t *item, const char *key, char out[CELL_BYTES])
{
    json_t *amounts = json_object_get(item, key);
    if (!json_is_object(amounts)) {
        cell_text(cli, item, key, out);
        return;
    }
    char text[CELL_BYTES] = "", amount_cell[CELL_BYTES];
    size_t n = 0;
    const char *name;
    json_t *value;
    json_object_foreach(amounts, name, value)
    {
        char amount[256];
        if (json_is_number(value)) {
            print_amount(name, json_number_value(value), amount, sizeof(amount));
        } else {
            cell_text(cli, amounts, name, amount_cell);
            snprintf(amount, sizeof(amount), "%.250s", amount_cell);
        }
        int more = snprintf(text + n, sizeof(text) - n, "%s%s %s", n ? ", " : "", name, amount);
        if (more < 0 || (n += (size_t)more) >= sizeof(text)) {
            break;
        }
    }
    text_clean(slice_text(text), out, CELL_BYTES);
}

/*  "zone=a, disk=ssd"; not those that every node has. */
void cell_labels(const struct cli *cli, const json_t *item, const char *key, char out[CELL_BYTES])
{
    char text[CELL_BYTES] = "", value_cell[CELL_BYTES];
    size_t n = 0;
    const char *name;
    json_t *value;
    json_t *labels = json_object_get(item, key);
    json_object_foreach(labels, name, value)
    {
        if (strcmp(name, "ray.io/node-id") == 0 || strcmp(name, "rayc.io/node-name") == 0) {
            continue;
        }
        cell_text(cli, labels, name, value_cell);
        int more = snprintf(text + n, sizeof(text) - n, "%s%s=%s", n ? ", " : "", name, value_cell);
        if (more < 0 || (n += (size_t)more) >= sizeof(text)) {
            break;
        }
    }
    text_clean(slice_text(text), out, CELL_BYTES);
}

/*  Green what goes well, red what does not, yellow what waits. */
static const char *state_colour(const char *state)
{
    static const struct {
        const char *begins, *colour;
    } colours[] = {
        { "SUCCEEDED", "\033[32m" }, { "FINISHED", "\033[32m" }, { "ALIVE", "\033[32m" },
        { "FAILED", "\033[31m" },    { "DEAD", "\033[31m" },     { "PENDING", "\033[33m" },
        { "SUSPECT", "\033[33m" },
    };
    for (size_t i = 0; i < COUNT(colours); i++) {
        if (strncmp(state, colours[i].begins, strlen(colours[i].begins)) == 0) {
            return colours[i].colour;
        }
    }
    return "";
}

/*  Prints a cell after the blanks that are owed, and owes those up to the next column: so no line ends in blanks. */
static void print_cell(const struct column *column, const char *text, unsigned width, bool colour,
                       unsigned *owed)
{
    bool wide = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    unsigned letters = text_letters(text);
    unsigned pad = letters < width ? width - letters : 0;
    if (letters == 0) {
        *owed += width + GAP;
        return;
    }
    const char *paint = colour && (column->flags & COLUMN_STATE) ? state_colour(text) : "";
    bool right = column->flags & COLUMN_RIGHT;
    printf("%*s%s", (int)(*owed + (right ? pad : 0)), "", paint);
    if (letters > width) {
        printf("%.*s%s", (int)text_bytes(text, width - 1), text, wide ? "\u2026" : "~");
    } else {
        fputs(text, stdout);
    }
    fputs(*paint ? "\033[0m" : "", stdout);
    *owed = GAP + (right ? 0 : pad);
}

/*  The header for item NULL, else the item. */
static void print_row(const struct cli *cli, const struct column *columns, size_t count,
                      const unsigned *widths, const json_t *item)
{
    char cell[CELL_BYTES];
    bool colour = item && cli_colour(cli, stdout);
    unsigned owed = 0;
    for (size_t c = 0; c < count; c++) {
        if (item) {
            columns[c].cell(cli, item, columns[c].key, cell);
        }
        print_cell(&columns[c], item ? cell : columns[c].title, widths[c], colour, &owed);
    }
    putchar('\n');
}

void table_print(const struct cli *cli, const struct column *columns, size_t count,
                 const json_t *items)
{
    ensure(count > 0 && count <= TABLE_COLUMNS_MAX);
    unsigned widths[TABLE_COLUMNS_MAX];
    char cell[CELL_BYTES];
    bool headers = !cli->options.no_headers;
    for (size_t c = 0; c < count; c++) {
        widths[c] = headers ? text_letters(columns[c].title) : 1;
        for (size_t i = 0; i < json_array_size(items); i++) {
            columns[c].cell(cli, json_array_get(items, i), columns[c].key, cell);
            unsigned letters = text_letters(cell);
            widths[c] = letters > widths[c] ? letters : widths[c];
        }
    }
    table_layout(widths, columns, count, line_room());
    if (headers) {
        print_row(cli, columns, count, widths, NULL);
    }
    for (size_t i = 0; i < json_array_size(items); i++) {
        print_row(cli, columns, count, widths, json_array_get(items, i));
    }
}

static bool word_of(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = strstr(words, word); p; p = strstr(p + 1, word)) {
        if ((p == words || p[-1] == ' ') && (p[n] == ' ' || p[n] == 0)) {
            return true;
        }
    }
    return false;
}

void record_print(const struct cli *cli, const json_t *item, const char *hidden)
{
    const char *key;
    json_t *value;
    int width = 0;
    json_object_foreach((json_t *)item, key, value)
    {
        bool shown = !json_is_null(value) && !word_of(hidden, key);
        width = shown && (int)strlen(key) > width ? (int)strlen(key) : width;
    }
    json_object_foreach((json_t *)item, key, value)
    {
        if (json_is_null(value) || word_of(hidden, key)) {
            continue;
        }
        char cell[CELL_BYTES];
        char ms_key[128];
        snprintf(ms_key, sizeof(ms_key), "%s_ms", key);
        if (json_object_get(item, ms_key)) {
            cell_time(cli, item, ms_key, cell);
        } else {
            cell_amounts(cli, item, key, cell);
        }
        printf("%-*s  %s\n", width, key, cell);
    }
}

void json_print(const json_t *object)
{
    json_put(stdout, object, isatty(STDOUT_FILENO) ? 2 : 0);
    putchar('\n');
}

void json_print_one(const char *kind, json_t *item)
{
    json_t *object = json_pack("{s:s, s:s}", "apiVersion", "rayc/v1", "kind", kind);
    json_object_update_missing(object, item);
    json_print(object);
    json_decref(object);
}
