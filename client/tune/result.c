/*  result.c - the rows of a study, read page by page; and the settings that make its definition whole again. */
#include "client/tune/result.h"

#include <math.h>
#include <stdlib.h>

/*  Pages of the head, each copied: rows borrow from them. */
struct frames {
    struct frames *next;
    uint8_t bytes[];
};

struct loading {
    struct study_rows *rows;
    struct rec_trial *trials;
    struct rec_report *reports;
    uint32_t trial_room, report_room;
    struct frames *frames;
};

/* --- settings ------------------------------------------------------------------------------------------------ */

char *settings_text(const struct spec_source *source, const char *storage)
{
    json_t *flags = json_array(), *command = source->command ? json_array() : json_null();
    for (uint32_t i = 0; i < source->flag_count; i++) {
        json_array_append_new(flags, json_string(source->flags[i]));
    }
    for (char *const *word = source->command; word && *word; word++) {
        json_array_append_new(command, json_string(*word));
    }
    char path[4096];
    if (!source->dir && (!source->path || !realpath(source->path, path))) {
        path[0] = 0;
    }
    char *slash = strrchr(path, '/');
    if (slash) {
        *slash = 0;
    }
    json_t *all = json_pack("{s:s, s:s, s:s, s:o, s:o}", "path", source->path ? source->path : "", "dir",
                            source->dir ? source->dir : path, "storage", storage, "flags", flags,
                            "command", command);
    ensure(all != NULL);
    char *text = json_dumps(all, JSON_COMPACT);
    json_decref(all);
    return text;
}

static const char **texts_of(const json_t *array, struct arena *arena)
{
    size_t n = json_array_size(array);
    const char **texts = arena_take(arena, (n + 1) * sizeof(*texts));
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_array_get(array, i));
        texts[i] = text ? text : "";
    }
    return texts;
}

int settings_read(struct slice text, struct slice definition, struct spec_source *source,
                  const char **storage, json_t **parsed)
{
    json_t *all = json_loadb((const char *)text.p, text.n, 0, NULL);
    *parsed = all;
    if (!json_is_object(all)) {
        return ERR_INVALID;
    }
    struct arena *arena = arena_new(); /* lives as long as the program: a few pointers */
    const json_t *flags = json_object_get(all, "flags"), *command = json_object_get(all, "command");
    *storage = json_string_value(json_object_get(all, "storage"));
    *source = (struct spec_source){ .path = json_string_value(json_object_get(all, "path")),
                                    .dir = json_string_value(json_object_get(all, "dir")),
                                    .text = definition,
                                    .flags = texts_of(flags, arena),
                                    .flag_count = (uint32_t)json_array_size(flags) };
    if (json_is_array(command)) {
        source->command = (char *const *)(uintptr_t)texts_of(command, arena);
    }
    return OK;
}

/* --- rows ---------------------------------------------------------------------------------------------------- */

/*  A list of our own, so that rows can borrow from it after the next page has come. */
static struct list keep(struct loading *self, struct list list)
{
    struct frames *frame = malloc(sizeof(*frame) + list.bytes.n);
    ensure(frame != NULL);
    frame->next = self->frames;
    self->frames = frame;
    memcpy(frame->bytes, list.bytes.p, list.bytes.n);
    list.bytes.p = frame->bytes;
    return list;
}

static void *grown(void *rows, uint32_t *room, uint32_t needed, size_t bytes)
{
    if (needed > *room) {
        *room = needed > 2 * *room ? needed : 2 * *room;
        rows = realloc(rows, *room * bytes);
        ensure(rows != NULL);
    }
    return rows;
}

static uint64_t add_trials(struct loading *self, struct list list)
{
    uint32_t n = self->rows->trial_count;
    self->trials = grown(self->trials, &self->trial_room, n + list.count, sizeof(*self->trials));
    list = keep(self, list);
    while (next_trial(&list, &self->trials[n])) {
        n++;
    }
    self->rows->trial_count = n;
    return n > 0 ? self->trials[n - 1].number + 1ull : 0;
}

static uint64_t add_reports(struct loading *self, struct list list)
{
    uint32_t n = self->rows->report_count;
    self->reports = grown(self->reports, &self->report_room, n + list.count, sizeof(*self->reports));
    list = keep(self, list);
    while (next_report(&list, &self->reports[n])) {
        n++;
    }
    self->rows->report_count = n;
    return n > 0 ? self->reports[n - 1].id : 0;
}

static int load_pages(struct loading *self, uint32_t what, study_ask *ask, void *context)
{
    struct msg_study_rows page = { .more = 1 };
    uint64_t after = 0;
    while (page.more) {
        struct msg_study_read request = { .name = slice_text(self->rows->name), .what = what, .after = after };
        int rc = ask(context, &request, &page);
        if (rc != OK) {
            return rc;
        }
        after = what == 1 ? add_trials(self, page.trials) : add_reports(self, page.reports);
    }
    return OK;
}

static int load_definition(struct loading *self, study_ask *ask, void *context, struct spec_error *error)
{
    struct study_rows *rows = self->rows;
    struct msg_study_read request = { .name = slice_text(rows->name) };
    struct msg_study_rows page = { 0 };
    int rc = ask(context, &request, &page);
    if (rc == OK && page.study == 0) {
        rc = ERR_NOT_FOUND;
    }
    if (rc != OK) {
        return rc;
    }
    rows->id = page.study;
    rows->state = page.state;
    rows->seed = page.seed;
    struct list definition = keep(self, (struct list){ page.definition, 0 });
    struct spec_source source;
    const char *storage;
    json_t *parsed;
    rc = settings_read(page.settings, definition.bytes, &source, &storage, &parsed);
    rc = rc == OK ? spec_read(&rows->spec, &source, error) : rc;
    json_decref(parsed);
    return rc;
}

int study_rows_load(struct study_rows *self, const char *name, bool reports, study_ask *ask, void *context,
                    struct spec_error *error)
{
    *self = (struct study_rows){ .name = strdup(name) };
    *error = (struct spec_error){ 0 };
    struct loading loading = { .rows = self };
    int rc = load_definition(&loading, ask, context, error);
    rc = rc == OK ? load_pages(&loading, 1, ask, context) : rc;
    rc = rc == OK && reports ? load_pages(&loading, 2, ask, context) : rc;
    self->trials = loading.trials;
    self->reports = loading.reports;
    self->frames = loading.frames;
    if (rc != OK) {
        study_rows_free(self);
    }
    return rc;
}

void study_rows_free(struct study_rows *self)
{
    struct frames *frame = self->frames;
    while (frame) {
        struct frames *next = frame->next;
        free(frame);
        frame = next;
    }
    spec_close(&self->spec);
    free((void *)(uintptr_t)self->trials);
    free((void *)(uintptr_t)self->reports);
    free((void *)(uintptr_t)self->name);
    *self = (struct study_rows){ 0 };
}

bool trial_has_value(const struct rec_trial *trial)
{
    return isfinite(trial->value) && (trial->state != TRIAL_PENDING || trial->step > 0);
}

uint32_t rows_best(const struct study_rows *self)
{
    uint32_t best = NONE;
    for (uint32_t i = 0; i < self->trial_count; i++) {
        const struct rec_trial *trial = &self->trials[i];
        if (trial->state != TRIAL_TERMINATED || !trial_has_value(trial)) {
            continue;
        }
        double ahead = best == NONE ? 1 : trial->value - self->trials[best].value;
        if (best == NONE || (self->spec->maximize ? ahead > 0 : ahead < 0)) {
            best = i;
        }
    }
    return best;
}
