/*  spec_keys.c - maps of a search.yaml by the table of keys: what is unknown, given twice, of a wrong kind. */
#include <stdio.h>

#include "client/tune/spec_options.h"

enum key_kind { KIND_VALUE, KIND_OWN, KIND_LATER, KIND_SAME, KIND_NOT_DUE, KIND_SHORT };
enum value_type {
    TYPE_TEXT,
    TYPE_COUNT,
    TYPE_SIGNED,
    TYPE_NUMBER,
    TYPE_BOOL,
    TYPE_DURATION,
    TYPE_DURATION32,
    TYPE_BYTES
};

struct key {
    enum section section;
    const char *name;
    enum key_kind kind;
    enum value_type type; /* of a VALUE, and where it goes */
    size_t offset;
    double least, most;
    int (*read)(struct reader *self, const struct yaml_node *node,
                const char *field); /* of an OWN */
    const char *ours;               /* of SAME; of SHORT in `of` */
    enum section of;
};

#define MEMBER(member) offsetof(struct study_spec, member)
static const struct key keys[] = {
#define KEY(section, key, type, member, least, most)                                                 \
    {                                                                                                \
        SECTION_##section, #key, KIND_VALUE, TYPE_##type, MEMBER(member), least, most, NULL, NULL, 0 \
    },
#define OWN(section, key, function)                                                                \
    { SECTION_##section, #key, KIND_OWN, 0, 0, 0, 0, function, NULL, 0 },
#define LATER(section, key)      { SECTION_##section, #key, KIND_LATER, 0, 0, 0, 0, NULL, NULL, 0 },
#define SAME(section, key, ours) { SECTION_##section, #key, KIND_SAME, 0, 0, 0, 0, NULL, #ours, 0 },
#define NOT_DUE(section, key)    { SECTION_##section, #key, KIND_NOT_DUE, 0, 0, 0, 0, NULL, NULL, 0 },
#define SHORT(key, section, of)                                                                    \
    { SECTION_top, #key, KIND_SHORT, 0, 0, 0, 0, NULL, #of, SECTION_##section },
#include "client/tune/spec_keys.def"
};

static const char *const section_names[] = {
    [SECTION_top] = "",
    [SECTION_search] = "search",
    [SECTION_scheduler] = "scheduler",
    [SECTION_resources] = "resources",
    [SECTION_retry] = "retry",
    [SECTION_checkpoint] = "checkpoint",
    [SECTION_stop] = "stop",
    [SECTION_stop_study] = "stop.study",
};

const char *spec_key(uint32_t i)
{
    for (size_t k = 0; k < COUNT(keys); k++) {
        bool ours = keys[k].kind != KIND_SAME && keys[k].kind != KIND_NOT_DUE;
        if (keys[k].section == SECTION_top && ours && i-- == 0) {
            return keys[k].name;
        }
    }
    return NULL;
}

bool spec_key_row(uint32_t i, struct spec_key_row *out)
{
    static const char *const types[] = {
        [TYPE_TEXT] = "a text",           [TYPE_COUNT] = "a whole number",
        [TYPE_SIGNED] = "a whole number", [TYPE_NUMBER] = "a number",
        [TYPE_BOOL] = "true or false",    [TYPE_DURATION] = "a time",
        [TYPE_DURATION32] = "a time",     [TYPE_BYTES] = "bytes",
    };
    if (i >= COUNT(keys)) {
        return false;
    }
    const struct key *key = &keys[i];
    bool ranges = key->type == TYPE_COUNT || key->type == TYPE_SIGNED || key->type == TYPE_NUMBER;
    enum section of = key->kind == KIND_SHORT ? key->of : key->section;
    *out = (struct spec_key_row){ .section = section_names[key->section],
                                  .name = key->name,
                                  .type = key->kind == KIND_VALUE ? types[key->type] : NULL,
                                  .ranges = key->kind == KIND_VALUE && ranges,
                                  .same_section = section_names[of],
                                  .least = key->least,
                                  .most = key->most,
                                  .same_as = key->ours,
                                  .refused = key->kind == KIND_NOT_DUE };
    return true;
}

/*  By its name, or another name of it. */
static const struct key *key_find(enum section section, const char *name)
{
    for (size_t i = 0; i < COUNT(keys); i++) {
        const struct key *key = &keys[i];
        if (key->section == section && strcmp(key->name, name) == 0) {
            return key->kind == KIND_SAME ? key_find(section, key->ours) : key;
        }
    }
    return NULL;
}

/* --- reading ---------------------------------------------------------------------------------- */

static int unsigned_read(struct reader *self, const struct key *key, const struct yaml_node *node,
                         const char *field, void *to)
{
    double number = 0;
    uint64_t wide = 0;
    int code = OK;
    if (key->type == TYPE_COUNT) {
        code = read_integer(self, node, field, key->least, key->most, &number);
        *(uint32_t *)to = code == OK ? (uint32_t)number : 0;
        return code;
    }
    if (key->type == TYPE_BYTES) {
        return read_bytes(self, node, field, to);
    }
    code = read_duration(self, node, field, &wide);
    if (code == OK && (double)wide < key->least) {
        return spec_refuse(self, node, field, "must be above 0");
    }
    if (key->type == TYPE_DURATION) {
        *(uint64_t *)to = wide;
    } else if (code == OK && wide > UINT32_MAX) {
        return spec_refuse(self, node, field, "must be below 49 days");
    } else {
        *(uint32_t *)to = (uint32_t)wide;
    }
    return code;
}

static int value_into_spec(struct reader *self, const struct key *key, const struct yaml_node *node,
                           const char *field)
{
    void *to = (uint8_t *)self->spec + key->offset;
    double number = 0;
    int code = OK;
    switch (key->type) {
    case TYPE_TEXT:
        return read_text(self, node, field, to);
    case TYPE_BOOL:
        return read_bool(self, node, field, to);
    case TYPE_NUMBER:
        return read_number(self, node, field, key->least, key->most, to);
    case TYPE_SIGNED:
        code = read_integer(self, node, field, key->least, key->most, &number);
        *(int32_t *)to = code == OK ? (int32_t)number : 0;
        return code;
    case TYPE_COUNT:
    case TYPE_BYTES:
    case TYPE_DURATION:
    case TYPE_DURATION32:
        return unsigned_read(self, key, node, field, to);
    }
    return code;
}

static int refuse_key(struct reader *self, enum section section, const struct yaml_node *key,
                      const struct yaml_node *item, const char *parent)
{
    struct near near;
    near_begin(&near, key->text);
    for (size_t i = 0; i < COUNT(keys); i++) {
        if (keys[i].section == section) {
            near_offer(&near, keys[i].name);
        }
    }
    if (section == SECTION_resources && (!near_found(&near) || near.distance > 1)) {
        return resource_other_read(self, key, item, field_join(self, parent, key->text));
    }
    /* "--trails: unknown key": of a flag the whole path */
    return spec_unknown(self, key, key->line == 0 ? field_join(self, parent, key->text) : parent,
                        "key", &near);
}

int read_section(struct reader *self, enum section section, const struct yaml_node *map,
                 const char *field)
{
    const struct yaml_node *given[COUNT(keys)] = { NULL };
    if (map->kind != NODE_MAP) {
        return spec_refuse(self, map, field, "must be a map of keys, not %s", yaml_what(map));
    }
    int code = OK;
    for (uint32_t i = 0; i < map->count && code == OK; i++) {
        const struct key *key = key_find(section, map->keys[i]->text);
        if (!key) {
            code = refuse_key(self, section, map->keys[i], map->items[i], field);
            continue;
        }
        const char *place = field_join(self, field, map->keys[i]->text);
        const struct yaml_node **before = &given[key - keys];
        if (*before) {
            code = spec_refuse(self, map->keys[i], place,
                               "is the same as %s in line %u: give one of them", (*before)->text,
                               (*before)->line);
        } else if (key->kind == KIND_NOT_DUE) {
            code = spec_refuse(self, map->keys[i], place, "is not due yet: leave it out");
        } else if (key->kind == KIND_OWN) {
            code = key->read(self, map->items[i], place);
        } else if (key->kind == KIND_VALUE) {
            code = value_into_spec(self, key, map->items[i], place);
        }
        *before = map->keys[i];
    }
    return code;
}

const struct yaml_node *spec_node(const struct reader *self, const char *name)
{
    const struct key *wanted = key_find(SECTION_top, name);
    for (uint32_t i = 0; i < self->root->count; i++) {
        if (key_find(SECTION_top, self->root->keys[i]->text) == wanted) {
            return self->root->items[i];
        }
    }
    return NULL;
}

/* --- flags ------------------------------------------------------------------------------------ */

static uint32_t index_of(const struct yaml_node *map, enum section section, const char *name)
{
    const struct key *wanted = key_find(section, name);
    for (uint32_t i = 0; i < map->count; i++) {
        const char *other = map->keys[i]->text;
        if (strcmp(other, name) == 0 || (wanted && key_find(section, other) == wanted)) {
            return i;
        }
    }
    return NONE;
}

static struct yaml_node *scalar_new(struct reader *self, const char *text)
{
    struct yaml_node *made = arena_take(self->arena, sizeof(*made));
    *made = (struct yaml_node){ .kind = NODE_SCALAR, .text = text, .plain = true, .weight = 1 };
    return made;
}

/*  A copy of `map` (NULL: an empty one) with one key set. */
static struct yaml_node *map_with(struct reader *self, const struct yaml_node *map,
                                  enum section section, struct yaml_node *key,
                                  struct yaml_node *item)
{
    struct yaml_node *made = arena_take(self->arena, sizeof(*made));
    *made = map ? *map : (struct yaml_node){ .kind = NODE_MAP, .weight = 1 };
    made->keys = arena_take(self->arena, (made->count + 1) * sizeof(struct yaml_node *));
    made->items = arena_take(self->arena, (made->count + 1) * sizeof(struct yaml_node *));
    for (uint32_t i = 0; i < made->count; i++) {
        made->keys[i] = map->keys[i];
        made->items[i] = map->items[i];
    }
    uint32_t at = index_of(made, section, key->text);
    at = at == NONE ? made->count++ : at;
    made->keys[at] = key;
    made->items[at] = item;
    return made;
}

static enum section section_of(const char *name)
{
    for (size_t i = 1; i < COUNT(section_names); i++) {
        if (strcmp(section_names[i], name) == 0) {
            return (enum section)i;
        }
    }
    return SECTION_top;
}

/*  What a scalar stands for where a map may be: `search: tpe` is {algo: tpe}. */
static const char *main_key(const char *name)
{
    return strcmp(name, "search") == 0 ? "algo" : strcmp(name, "scheduler") == 0 ? "type" : NULL;
}

/*  Sets "a.b.c" in a map to `item`; returns the map's new version. */
static struct yaml_node *set_path(struct reader *self, const struct yaml_node *map,
                                  enum section section, const char *path, struct yaml_node *item)
{
    size_t n = strcspn(path, ".");
    const char *name = arena_text(self->arena, slice_of(path, n));
    const struct key *key = section == SECTION_top ? key_find(SECTION_top, name) : NULL;
    const char *ours = key ? key->name : name;
    uint32_t at = map ? index_of(map, section, name) : NONE;
    const struct yaml_node *old = at == NONE ? NULL : map->items[at];
    const char *main = section == SECTION_top ? main_key(ours) : NULL;
    enum section inner = section_of(ours);
    if (path[n] == '.') {
        if (old && old->kind != NODE_MAP) {
            old = main ? map_with(self, NULL, inner, scalar_new(self, main), map->items[at]) : NULL;
        }
        item = set_path(self, old, inner, path + n + 1, item);
    } else if (main && old && old->kind == NODE_MAP && item->kind == NODE_SCALAR) {
        item = map_with(self, old, inner, scalar_new(self, main), item);
    }
    return map_with(self, map, section, scalar_new(self, name), item);
}

/*  `cpus: 2` of the file to its place. */
static int move_short(struct reader *self, struct yaml_node *root)
{
    for (uint32_t i = 0; i < root->count;) {
        const struct yaml_node *name = root->keys[i];
        struct yaml_node *item = root->items[i];
        const struct key *key = key_find(SECTION_top, name->text);
        if (!key || key->kind != KIND_SHORT) {
            i++;
            continue;
        }
        const char *section = section_names[key->of];
        const struct yaml_node *inner = yaml_find(root, section);
        if (inner && index_of(inner, key->of, key->ours) != NONE) {
            return spec_refuse(self, name, name->text, "is %s.%s, too: give one of them", section,
                               key->ours);
        }
        root->count--;
        for (uint32_t j = i; j < root->count; j++) {
            root->keys[j] = root->keys[j + 1];
            root->items[j] = root->items[j + 1];
        }
        char path[64];
        (void)snprintf(path, sizeof(path), "%s.%s", section, key->ours);
        *root = *set_path(self, root, SECTION_top, path, item);
    }
    return OK;
}

/*  What is wrong with it is not told as a place of the file. */
static void forget_places(struct yaml_node *node)
{
    node->line = node->column = 0;
    for (uint32_t i = 0; i < node->count; i++) {
        if (node->kind == NODE_MAP) {
            forget_places(node->keys[i]);
        }
        forget_places(node->items[i]);
    }
}

static int flag_set(struct reader *self, struct yaml_node *root, const char *flag)
{
    const char *equals = strchr(flag, '=');
    if (!equals || equals == flag) {
        return spec_refuse(self, NULL, "", "\"%.80s\" must be KEY=VALUE", flag);
    }
    const char *path = arena_text(self->arena, slice_of(flag, (size_t)(equals - flag)));
    const char *value = arena_text(self->arena, slice_text(equals + 1));
    struct yaml_node *item = scalar_new(self, value);
    bool text = strncmp(path, "env.", 4) == 0; /* `--env X={}` */
    if (!text && (*value == '[' || *value == '{')) {
        int code = yaml_parse(self->arena, slice_text(value), &item, self->error);
        if (code != OK) {
            (void)snprintf(self->error->field, sizeof(self->error->field), "--%s", path);
            self->error->line = self->error->column = 0; /* of the flag's own text */
            return code;
        }
        forget_places(item);
    }
    const struct key *key = key_find(SECTION_top, path);
    if (key && key->kind == KIND_SHORT) {
        path = field_join(self, section_names[key->of], key->ours);
    }
    *root = *set_path(self, root, SECTION_top, path, item);
    return OK;
}

int spec_overrule(struct reader *self, struct yaml_node *root, const struct spec_source *source)
{
    int code = move_short(self, root);
    for (uint32_t i = 0; i < source->flag_count && code == OK; i++) {
        code = flag_set(self, root, source->flags[i]);
    }
    return code;
}
