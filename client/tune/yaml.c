/*  yaml.c - libyaml's events to a tree, with limits: a search.yaml may come from anybody. */
#include "client/tune/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

#include "common/err.h"

struct anchor {
    const char *name;
    struct yaml_node *node;
    bool open; /* its node is not complete yet */
};

struct loader {
    struct arena *arena;
    struct slice text;
    yaml_parser_t parser;
    struct anchor anchors[YAML_ANCHORS_MAX];
    uint32_t anchor_count;
    struct spec_error *error;
};

/*  A list that grows. */
struct nodes {
    struct yaml_node **p;
    uint32_t count, capacity;
};

__attribute__((format(printf, 4, 5))) static int refuse(struct loader *self, uint32_t line,
                                                        uint32_t column, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(self->error->text, sizeof(self->error->text), format, args);
    va_end(args);
    self->error->line = line;
    self->error->column = column;
    self->error->field[0] = 0;
    return ERR_INVALID;
}

static int refuse_at(struct loader *self, const yaml_event_t *event, const char *text)
{
    return refuse(self, (uint32_t)event->start_mark.line + 1,
                  (uint32_t)event->start_mark.column + 1, "%s", text);
}

/* --- what libyaml refuses --------------------------------------------------------------------- */

/*  Is there a tab among the spaces that line `line` (from 0) begins with? */
static bool tab_indents(struct slice text, size_t line)
{
    size_t i = 0;
    for (; line > 0 && i < text.n; i++) {
        line -= text.p[i] == '\n';
    }
    while (i < text.n && text.p[i] == ' ') {
        i++;
    }
    return line == 0 && i < text.n && text.p[i] == '\t';
}

static int refuse_malformed(struct loader *self)
{
    const yaml_parser_t *parser = &self->parser;
    yaml_mark_t mark = parser->problem_mark;
    ensure(parser->error != YAML_MEMORY_ERROR);
    if (parser->error == YAML_READER_ERROR) {
        uint32_t line = 1;
        for (size_t i = 0; i < parser->problem_offset && i < self->text.n; i++) {
            line += self->text.p[i] == '\n';
        }
        return refuse(self, line, 0, "not UTF-8 text: %s", parser->problem);
    }
    uint32_t line = (uint32_t)mark.line + 1;
    uint32_t column = (uint32_t)mark.column + 1;
    if (tab_indents(self->text, mark.line)) {
        return refuse(self, line, column, "a tab: YAML is indented with spaces");
    }
    bool context = parser->context && parser->context_mark.line != mark.line;
    char since[32] = "";
    if (context) {
        (void)snprintf(since, sizeof(since), " in line %u",
                       (uint32_t)parser->context_mark.line + 1);
    }
    return refuse(self, line, column, "not valid YAML: %s%s%s%s",
                  parser->problem ? parser->problem : "malformed", parser->context ? ", " : "",
                  parser->context ? parser->context : "", since);
}

static int next(struct loader *self, yaml_event_t *event)
{
    return yaml_parser_parse(&self->parser, event) ? OK : refuse_malformed(self);
}

/* --- nodes ------------------------------------------------------------------------------------ */

static void nodes_add(struct loader *self, struct nodes *to, struct yaml_node *node)
{
    if (to->count == to->capacity) {
        uint32_t capacity = to->capacity == 0 ? 8 : 2 * to->capacity;
        struct yaml_node **grown = arena_take(self->arena, capacity * sizeof(struct yaml_node *));
        if (to->count > 0) {
            memcpy(grown, to->p, to->count * sizeof(struct yaml_node *));
        }
        to->p = grown;
        to->capacity = capacity;
    }
    to->p[to->count++] = node;
}

static int take_alias(struct loader *self, const yaml_event_t *event, struct yaml_node **out)
{
    const char *name = (const char *)event->data.alias.anchor;
    for (uint32_t i = self->anchor_count; i-- > 0;) {
        const struct anchor *anchor = &self->anchors[i];
        if (strcmp(anchor->name, name) == 0) {
            *out = anchor->node;
            return anchor->open ? refuse_at(self, event, "the anchor contains itself") : OK;
        }
    }
    return refuse_at(self, event, "an alias to an anchor that is not defined above it");
}

/*  Makes the node that an event begins, and remembers its anchor. */
static int begin_node(struct loader *self, const yaml_event_t *event, enum node_kind kind,
                      const yaml_char_t *anchor, struct yaml_node **out)
{
    struct yaml_node *node = arena_take(self->arena, sizeof(*node));
    node->kind = kind;
    node->line = (uint32_t)event->start_mark.line + 1;
    node->column = (uint32_t)event->start_mark.column + 1;
    node->weight = 1;
    *out = node;
    if (!anchor) {
        return OK;
    }
    if (self->anchor_count == YAML_ANCHORS_MAX) {
        return refuse_at(self, event, "too many anchors");
    }
    const char *name = arena_text(self->arena, slice_text((const char *)anchor));
    self->anchors[self->anchor_count++] = (struct anchor){ name, node, kind != NODE_SCALAR };
    return OK;
}

static void end_node(struct loader *self, const struct yaml_node *node)
{
    for (uint32_t i = 0; i < self->anchor_count; i++) {
        if (self->anchors[i].node == node) {
            self->anchors[i].open = false;
        }
    }
}

static int make_scalar(struct loader *self, const yaml_event_t *event, struct yaml_node **out)
{
    const char *value = (const char *)event->data.scalar.value;
    size_t n = event->data.scalar.length;
    const char *tag = (const char *)event->data.scalar.tag;
    if (memchr(value, 0, n)) {
        return refuse_at(self, event, "a text with a NUL in it");
    }
    bool text = tag && (strcmp(tag, "!") == 0 || strcmp(tag, YAML_STR_TAG) == 0);
    if (tag && !text) {
        return refuse_at(self, event, "a tag: rayc knows !!str only; leave it out");
    }
    int code = begin_node(self, event, NODE_SCALAR, event->data.scalar.anchor, out);
    if (code == OK) {
        (*out)->text = arena_text(self->arena, slice_of(value, n));
        (*out)->plain = !text && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    }
    return code;
}

static int load(struct loader *self, const yaml_event_t *event, uint32_t depth,
                struct yaml_node **out);

static int add_weight(struct loader *self, const yaml_event_t *event, struct yaml_node *to,
                      const struct yaml_node *child)
{
    to->weight += child->weight;
    return to->weight > YAML_NODES_MAX ? refuse_at(self, event, "too large with its aliases") : OK;
}

static int check_key(struct loader *self, const yaml_event_t *event, const struct nodes *keys,
                     const struct yaml_node *key)
{
    if (key->kind != NODE_SCALAR) {
        return refuse_at(self, event,
                         "a key must be a word (a text that begins with { or [ needs quotes)");
    }
    if (keys->count == YAML_KEYS_MAX) {
        return refuse_at(self, event, "too many keys in one map");
    }
    if (key->plain && strcmp(key->text, "<<") == 0) {
        return refuse_at(self, event,
                         "merge keys (<<) are not part of YAML 1.2: write the keys out");
    }
    for (uint32_t i = 0; i < keys->count; i++) {
        if (strcmp(keys->p[i]->text, key->text) == 0) {
            return refuse(self, key->line, key->column,
                          "the key \"%.80s\" is there already, in line %u", key->text,
                          keys->p[i]->line);
        }
    }
    return OK;
}

/*  Children of `parent` up to the event that ends it. */
static int load_children(struct loader *self, struct yaml_node *parent, uint32_t depth)
{
    struct nodes keys = { 0 };
    struct nodes items = { 0 };
    bool map = parent->kind == NODE_MAP;
    for (;;) {
        yaml_event_t event;
        int code = next(self, &event);
        if (code != OK) {
            return code;
        }
        if (event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            break;
        }
        struct yaml_node *child = NULL;
        bool is_key = map && keys.count == items.count;
        code = load(self, &event, depth, &child);
        if (code == OK) {
            code = add_weight(self, &event, parent, child);
        }
        if (code == OK && is_key) {
            code = check_key(self, &event, &keys, child);
        }
        yaml_event_delete(&event);
        if (code != OK) {
            return code;
        }
        nodes_add(self, is_key ? &keys : &items, child);
    }
    parent->keys = keys.p;
    parent->items = items.p;
    parent->count = items.count;
    end_node(self, parent);
    return OK;
}

static int load(struct loader *self, const yaml_event_t *event, uint32_t depth,
                struct yaml_node **out)
{
    if (depth > YAML_DEPTH_MAX) {
        return refuse_at(self, event, "nested too deeply");
    }
    if (event->type == YAML_ALIAS_EVENT) {
        return take_alias(self, event, out);
    }
    if (event->type == YAML_SCALAR_EVENT) {
        return make_scalar(self, event, out);
    }
    bool map = event->type == YAML_MAPPING_START_EVENT;
    const yaml_char_t *tag = map ? event->data.mapping_start.tag : event->data.sequence_start.tag;
    if (tag) {
        return refuse_at(self, event, "a tag: rayc knows !!str only; leave it out");
    }
    const yaml_char_t *anchor =
        map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
    int code = begin_node(self, event, map ? NODE_MAP : NODE_LIST, anchor, out);
    return code == OK ? load_children(self, *out, depth + 1) : code;
}

/* --- the document ----------------------------------------------------------------------------- */

static int load_document(struct loader *self, struct yaml_node **out)
{
    for (;;) {
        yaml_event_t event;
        int code = next(self, &event);
        if (code != OK) {
            return code;
        }
        yaml_event_type_t type = event.type;
        bool content = type == YAML_SCALAR_EVENT || type == YAML_SEQUENCE_START_EVENT ||
                       type == YAML_MAPPING_START_EVENT || type == YAML_ALIAS_EVENT;
        if (type == YAML_DOCUMENT_START_EVENT && *out) {
            code = refuse_at(self, &event, "a second document (---): a file holds one study");
        } else if (content) {
            code = load(self, &event, 0, out);
        }
        yaml_event_delete(&event);
        if (code != OK || type == YAML_STREAM_END_EVENT) {
            return code;
        }
    }
}

int yaml_parse(struct arena *arena, struct slice text, struct yaml_node **out,
               struct spec_error *error)
{
    struct loader *self = arena_take(arena, sizeof(*self));
    self->arena = arena;
    self->text = text;
    self->error = error;
    if (text.n > YAML_BYTES_MAX) {
        return refuse(self, 0, 0, "larger than 1 MiB");
    }
    ensure(yaml_parser_initialize(&self->parser));
    yaml_parser_set_encoding(&self->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&self->parser, text.p ? text.p : (const uint8_t *)"", text.n);
    *out = NULL;
    int code = load_document(self, out);
    yaml_parser_delete(&self->parser);
    if (code == OK && !*out) {
        return refuse(self, 0, 0, "the file is empty");
    }
    return code;
}
