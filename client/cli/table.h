/*  table.h - rows of a view for people: columns that shrink to the terminal, one item per line; or one item as
    name and value, line by line. */
#ifndef RAYC_CLI_TABLE_H
#define RAYC_CLI_TABLE_H
#include <jansson.h>
#include "client/cli/cli.h"

enum { TABLE_COLUMNS_MAX = 12, CELL_BYTES = 512, ID_LETTERS = 12 };

/*  Writes the cell of `item` for a column, as one clean line. */
typedef void table_cell(const struct cli *cli, const json_t *item, const char *key,
                        char out[CELL_BYTES]);

table_cell cell_text;     /* any value; null: empty */
table_cell cell_id;       /* its first ID_LETTERS letters */
table_cell cell_time;     /* key names milliseconds since 1970 */
table_cell cell_duration; /* from start_time_ms to end_time_ms, or to now */
table_cell cell_amounts;  /* an object of numbers: "CPU 4, GPU 1" */
table_cell cell_bytes;    /* 12.5MiB */
table_cell cell_labels;   /* an object of texts: "zone=a", without those that every node has */

enum { COLUMN_RIGHT = 1, COLUMN_SHRINKS = 2, COLUMN_STATE = 4 }; /* STATE: may be coloured */

struct column {
    const char *title;
    const char *key;
    table_cell *cell;
    unsigned flags;
};

void table_print(const struct cli *cli, const struct column *columns, size_t count,
                 const json_t *items);
/*  All fields that are not null, one per line; those of `hidden` (space-separated) are left out. */
void record_print(const struct cli *cli, const json_t *item, const char *hidden);
void json_print(const json_t *object);
void json_print_one(const char *kind,
                    json_t *item); /* with apiVersion and kind before its fields */

/*  Pure: narrows columns, the widest first, down to 8 letters, until all with two spaces between fit `room`: first
    those that shrink, then all but the first. */
void table_layout(unsigned *widths, const struct column *columns, size_t count, unsigned room);
/*  Pure: how many letters wide a UTF-8 text is on a terminal (a Chinese one counts as two), and its bytes up to a
    number of letters. */
unsigned text_letters(const char *text);
size_t text_bytes(const char *text, unsigned letters);
#endif
