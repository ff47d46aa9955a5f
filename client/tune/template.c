/*  template.c - the command of a trial: words with {name} in them.  No shell: a value never leaves its word. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>

#include "client/tune/spec_inside.h"

enum { COMMAND_WORDS_MAX = 4096, WORD_PIECES_MAX = 256 };

struct making {
    struct reader *reader;
    const struct yaml_node *node; /* for errors; NULL: of the command line */
    const char *field;
    struct word *words;
    uint32_t count;
};

/* --- words ------------------------------------------------------------------------------------ */

static int refuse_name(struct making *self, struct slice name)
{
    struct reader *reader = self->reader;
    const struct space *space = &reader->spec->space;
    static const char *const all[] = { "params", "params_kv", "params_json", "params_file" };
    const char *typed = arena_text(reader->arena, name);
    bool word = isalpha((unsigned char)*typed) || *typed == '_';
    for (const char *at = typed; *at && word; at++) {
        word = isalnum((unsigned char)*at) || strchr("_-.", *at);
    }
    if (!word) {
        return spec_refuse(
            reader, self->node, self->field,
            "{%.40s} is no parameter; braces that are meant as such are doubled: {{ }}", typed);
    }
    struct near near;
    near_begin(&near, typed);
    for (uint32_t i = 0; i < space->count; i++) {
        near_offer(&near, space->params[i].name);
    }
    for (size_t i = 0; i < COUNT(all); i++) {
        near_offer(&near, all[i]);
    }
    return spec_unknown(reader, self->node, self->field, "parameter", &near);
}

static bool piece_of(struct making *self, struct slice name, struct piece *out)
{
    static const struct {
        const char *name;
        enum template_kind kind;
    } all[] = { { "params", TEMPLATE_ALL },
                { "params_kv", TEMPLATE_KV },
                { "params_json", TEMPLATE_JSON },
                { "params_file", TEMPLATE_FILE } };
    for (size_t i = 0; i < COUNT(all); i++) {
        if (slice_same(slice_text(all[i].name), name)) {
            *out = (struct piece){ .kind = all[i].kind };
            return true;
        }
    }
    uint32_t param = space_find(&self->reader->spec->space, name);
    *out = (struct piece){ .kind = TEMPLATE_PARAM, .param = param };
    return param != NONE;
}

/*  Adds one word; `text` is without its quotes, but with its braces. */
static int word_add(struct making *self, const char *text)
{
    struct arena *arena = self->reader->arena;
    struct piece pieces[WORD_PIECES_MAX];
    uint32_t count = 0;
    char *plain = arena_take(arena, strlen(text) + 1);
    size_t n = 0;
    const char *at = text;
    if (self->count == COMMAND_WORDS_MAX) {
        return spec_refuse(self->reader, self->node, self->field, "too many words");
    }
    while (*at) {
        bool brace = *at == '{' || *at == '}';
        if (!brace || at[1] == *at) {
            plain[n++] = *at;
            at += brace ? 2 : 1;
            continue;
        }
        const char *end = *at == '{' ? strpbrk(at + 1, "{}") : NULL;
        if (!end || *end == '{') {
            return spec_refuse(
                self->reader, self->node, self->field,
                "a brace without its other one in \"%.60s\": a brace that is meant as such "
                "is doubled, {{ or }}",
                text);
        }
        if (count + 3 > WORD_PIECES_MAX) {
            return spec_refuse(self->reader, self->node, self->field, "too many {...} in one word");
        }
        if (n > 0) {
            pieces[count++] = (struct piece){ .text = arena_text(arena, slice_of(plain, n)) };
        }
        n = 0;
        struct slice name = slice_of(at + 1, (size_t)(end - at) - 1);
        if (!piece_of(self, name, &pieces[count++])) {
            return refuse_name(self, name);
        }
        at = end + 1;
    }
    if (n > 0 || count == 0) {
        pieces[count++] = (struct piece){ .text = arena_text(arena, slice_of(plain, n)) };
    }
    struct piece *kept = arena_take(arena, count * sizeof(*kept));
    memcpy(kept, pieces, count * sizeof(*kept));
    self->words[self->count++] = (struct word){ kept, count };
    return OK;
}

/* --- one text, split as a shell would --------------------------------------------------------- */

static bool is_operator(const char *word)
{
    static const char *const operators[] = {
        "|", "||", "&", "&&", ";", ">", ">>", "<", "2>", "2>&1"
    };
    for (size_t i = 0; i < COUNT(operators); i++) {
        if (strcmp(operators[i], word) == 0) {
            return true;
        }
    }
    return false;
}

/*  Copies the word at `*at` without its quotes; NULL: a quote is not closed. */
static const char *word_take(const char **at, char *out, bool *quoted)
{
    char open = 0;
    size_t n = 0;
    *quoted = false;
    const char *p = *at;
    for (; *p && (open || !isspace((unsigned char)*p)); p++) {
        if (*p == '\\' && open != '\'' && p[1]) {
            bool kept = open == '"' && !strchr("\"\\$`", p[1]);
            if (kept) {
                out[n++] = '\\';
            }
            out[n++] = *++p;
            *quoted = true;
        } else if (open ? *p == open : *p == '\'' || *p == '"') {
            open = open ? 0 : *p;
            *quoted = true;
        } else {
            out[n++] = *p;
        }
    }
    out[n] = 0;
    *at = p;
    return open ? NULL : out;
}

static int split(struct making *self, const char *text)
{
    char *word = arena_take(self->reader->arena, strlen(text) + 1);
    int code = OK;
    for (const char *at = text; code == OK;) {
        while (isspace((unsigned char)*at)) {
            at++;
        }
        if (*at == 0) {
            break;
        }
        bool quoted = false;
        if (!word_take(&at, word, &quoted)) {
            return spec_refuse(self->reader, self->node, self->field, "a quote is not closed");
        }
        if (!quoted && is_operator(word)) {
            return spec_refuse(
                self->reader, self->node, self->field,
                "there is no shell that would understand %s: write [sh, -c, \"...\"]", word);
        }
        code = word_add(self, word);
    }
    return code;
}

int command_read(struct reader *self, const struct yaml_node *node, char *const *argv)
{
    struct study_spec *spec = self->spec;
    struct making making = { self, node, "command", NULL, 0 };
    int code = OK;
    if (!node && !argv) {
        return OK;
    }
    making.words = arena_take(self->arena, COMMAND_WORDS_MAX * sizeof(struct word));
    if (argv) {
        making.node = NULL;
        spec->program = spec->task = NULL; /* the command line says what to run */
        for (; *argv && code == OK; argv++) {
            code = word_add(&making, *argv);
        }
    } else if (node->kind == NODE_LIST) {
        for (uint32_t i = 0; i < node->count && code == OK; i++) {
            const struct yaml_node *item = node->items[i];
            making.node = item;
            making.field = field_item(self, "command", i);
            code = item->kind == NODE_SCALAR
                       ? word_add(&making, item->text)
                       : spec_refuse(self, item, making.field, "must be a text, not %s",
                                     yaml_what(item));
        }
    } else if (node->kind == NODE_SCALAR) {
        code = split(&making, node->text);
    } else {
        code = spec_refuse(self, node, "command", "must be a text or a list of words, not a map");
    }
    if (code == OK && making.count == 0) {
        code = spec_refuse(self, node, "command", "is empty");
    }
    spec->command = making.words;
    spec->command_count = making.count;
    return code;
}

/* --- argv ------------------------------------------------------------------------------------- */

/*  Text that grows in an arena. */
struct growing {
    struct arena *arena;
    char *p;
    size_t n, capacity;
};

static void grow(struct growing *self, const char *text)
{
    size_t more = strlen(text);
    if (self->n + more + 1 > self->capacity) {
        size_t capacity = 2 * (self->n + more + 1);
        char *p = arena_take(self->arena, capacity);
        if (self->n > 0) {
            memcpy(p, self->p, self->n);
        }
        self->p = p;
        self->capacity = capacity;
    }
    memcpy(self->p + self->n, text, more + 1);
    self->n += more;
}

static const char *value_text(const struct param *param, double value, struct arena *arena)
{
    size_t n = param_print(param, value, NULL, 0);
    char *text = arena_take(arena, n + 1);
    (void)param_print(param, value, text, n + 1);
    return text;
}

/*  --name value, or name=value, of all active parameters; `between` them. */
static void grow_all(struct growing *self, const struct space *space, const double *x,
                     enum template_kind kind)
{
    bool first = true;
    for (uint32_t i = 0; i < space->count; i++) {
        if (!isnan(x[i])) {
            bool pairs = kind == TEMPLATE_KV;
            grow(self, first ? "" : " ");
            grow(self, pairs ? "" : "--");
            grow(self, space->params[i].name);
            grow(self, pairs ? "=" : " ");
            grow(self, value_text(&space->params[i], x[i], self->arena));
            first = false;
        }
    }
}

static void grow_piece(struct growing *self, const struct space *space, const double *x,
                       const struct piece *piece, const char *params_file)
{
    switch (piece->kind) {
    case TEMPLATE_TEXT:
        grow(self, piece->text);
        break;
    case TEMPLATE_PARAM:
        grow(self, value_text(&space->params[piece->param], x[piece->param], self->arena));
        break;
    case TEMPLATE_ALL:
    case TEMPLATE_KV:
        grow_all(self, space, x, piece->kind);
        break;
    case TEMPLATE_JSON: {
        size_t n = space_print_json(space, x, NULL, 0);
        char *text = arena_take(self->arena, n + 1);
        (void)space_print_json(space, x, text, n + 1);
        grow(self, text);
        break;
    }
    case TEMPLATE_FILE:
        grow(self, params_file ? params_file : "");
        break;
    }
}

static bool is_whole(const struct word *word, enum template_kind kind)
{
    return word->count == 1 && word->pieces[0].kind == kind;
}

/*  {params} or {params_kv} that is a word of its own: words of each active parameter.  Returns how many. */
static uint32_t spread(const struct space *space, const double *x, enum template_kind kind,
                       const char **to, struct arena *arena)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < space->count; i++) {
        if (isnan(x[i])) {
            continue;
        }
        struct growing word = { .arena = arena };
        grow(&word, kind == TEMPLATE_KV ? "" : "--");
        grow(&word, space->params[i].name);
        const char *value = value_text(&space->params[i], x[i], arena);
        if (kind == TEMPLATE_KV) {
            grow(&word, "=");
            grow(&word, value);
        }
        to[n++] = word.p;
        if (kind == TEMPLATE_ALL) {
            to[n++] = value;
        }
    }
    return n;
}

const char *const *spec_argv(const struct study_spec *self, const double *x,
                             const char *params_file, struct arena *arena)
{
    const struct space *space = &self->space;
    size_t most = 1;
    for (uint32_t i = 0; i < self->command_count; i++) {
        bool all = is_whole(&self->command[i], TEMPLATE_ALL);
        bool pairs = is_whole(&self->command[i], TEMPLATE_KV);
        most += all || pairs ? 2 * (size_t)space->count : 1;
    }
    const char **argv = arena_take(arena, most * sizeof(*argv));
    uint32_t n = 0;
    for (uint32_t i = 0; i < self->command_count; i++) {
        const struct word *word = &self->command[i];
        if (is_whole(word, TEMPLATE_ALL) || is_whole(word, TEMPLATE_KV)) {
            n += spread(space, x, word->pieces[0].kind, &argv[n], arena);
            continue;
        }
        struct growing text = { .arena = arena };
        grow(&text, "");
        for (uint32_t j = 0; j < word->count; j++) {
            grow_piece(&text, space, x, &word->pieces[j], params_file);
        }
        argv[n++] = text.p;
    }
    return argv;
}
