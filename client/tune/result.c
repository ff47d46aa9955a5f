/*  result.c - the rows of a study, read page by page; and the settings that make its definition whole again. */
#include "client/tune/result.h"

#include <math.h>
#include <stdlib.h>

#include "common/file.h"

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

static json_t *texts_json(const char *const *texts, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        ensure(json_array_append_new(array, json_string(texts[i])) == 0);
    }
    return array;
}

/*  The folder that relative paths of the definition start in; "": the one of whoever asks. */
static void folder_of(const struct spec_source *source, char folder[PATH_BYTES])
{
    folder[0] = 0;
    if (source->dir || !source->path || !realpath(source->path, folder)) {
        (void)slice_copy_text(slice_text(source->dir ? source->dir : ""), folder, PATH_BYTES);
        return;
    }
    char *slash = strrchr(folder, '/');
    slash[slash == folder] = 0;
}

char *settings_text(const struct spec_source *source, const char *storage)
{
    const char *const *words = (const char *const *)source->command;
    size_t count = 0;
    while (words && words[count]) {
        count++;
    }
    char folder[PATH_BYTES];
    folder_of(source, folder);
    json_t *all = json_pack("{s:s?, s:s?, s:s?, s:o, s:o}", "path", source->path, "dir",
                            folder[0] ? folder : NULL, "storage", storage, "flags",
                            texts_json(source->flags, source->flag_count), "command",
                            words ? texts_json(words, count) : json_null());
    ensure(all != NULL);
    char *text = json_dumps(all, JSON_COMPACT);
    json_decref(all);
    return text;
}

/*  False: it is no array of texts. */
static bool texts_read(const json_t *array, const char **texts)
{
    size_t i;
    json_t *text;
    json_array_foreach(array, i, text)
    {
        texts[i] = json_string_value(text);
        if (!texts[i]) {
            return false;
        }
    }
    return json_is_array(array);
}

int settings_read(struct settings *self, struct slice text, struct slice definition)
{
    *self = (struct settings){ .json = json_loadb((const char *)text.p, text.n, 0, NULL) };
    const json_t *flags = json_object_get(self->json, "flags");
    const json_t *command = json_object_get(self->json, "command");
    size_t flag_count = json_array_size(flags);
    self->texts = calloc(flag_count + json_array_size(command) + 1, sizeof(*self->texts));
    ensure(self->texts != NULL);
    const char **words = self->texts + flag_count; /* up to NULL */
    if (!texts_read(flags, self->texts) ||
        (!json_is_null(command) && !texts_read(command, words))) {
        return ERR_INVALID;
    }
    self->storage = json_string_value(json_object_get(self->json, "storage"));
    self->source = (struct spec_source){
        .path = json_string_value(json_object_get(self->json, "path")),
        .text = definition,
        .dir = json_string_value(json_object_get(self->json, "dir")),
        .flags = self->texts,
        .flag_count = (uint32_t)flag_count,
        .command = json_is_null(command) ? NULL : (char *const *)(uintptr_t)words,
    };
    return OK;
}

void settings_free(struct settings *self)
{
    json_decref(self->json);
    free(self->texts);
    *self = (struct settings){ 0 };
}

/* --- rows ---------------------------------------------------------------------------------------------------- */

/*  A list of our own, so that rows can borrow from it after the next page has come. */
static struct slice keep(struct loading *self, struct slice bytes)
{
    struct frames *frame = malloc(sizeof(*frame) + bytes.n);
    ensure(frame != NULL);
    frame->next = self->frames;
    self->frames = frame;
    if (bytes.n > 0) {
        memcpy(frame->bytes, bytes.p, bytes.n);
    }
    return slice_of(frame->bytes, bytes.n);
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

/*  After which row the next page begins; 0: these rows do not follow those that are there. */
static uint64_t add_trials(struct loading *self, struct list list)
{
    uint32_t n = self->rows->trial_count;
    self->trials = grown(self->trials, &self->trial_room, n + list.count, sizeof(*self->trials));
    list.bytes = keep(self, list.bytes);
    struct rec_trial row;
    while (next_trial(&list, &row)) {
        if (row.number != n) {
            return 0;
        }
        self->trials[n++] = row;
    }
    self->rows->trial_count = n;
    return n;
}

static uint64_t add_reports(struct loading *self, struct list list)
{
    uint32_t n = self->rows->report_count;
    uint64_t last = n > 0 ? self->reports[n - 1].id : 0;
    self->reports =
        grown(self->reports, &self->report_room, n + list.count, sizeof(*self->reports));
    list.bytes = keep(self, list.bytes);
    struct rec_report row;
    while (next_report(&list, &row)) {
        if (row.id <= last) {
            return 0;
        }
        last = row.id;
        self->reports[n++] = row;
    }
    self->rows->report_count = n;
    return last;
}

static int refuse(struct spec_error *error, const char *text)
{
    (void)slice_copy_text(slice_text(text), error->text, sizeof(error->text));
    return ERR_INVALID;
}

static int load_pages(struct loading *self, uint32_t what, study_ask *ask, void *context,
                      struct spec_error *error)
{
    struct msg_study_rows page = { .more = 1 };
    uint64_t after = 0;
    while (page.more) {
        struct msg_study_read request = { .name = slice_text(self->rows->name),
                                          .what = what,
                                          .after = after };
        int rc = ask(context, &request, &page);
        if (rc != OK || page.study == 0) {
            return rc != OK ? rc : ERR_NOT_FOUND;
        }
        struct list list = what == 1 ? page.trials : page.reports;
        uint64_t end = what == 1 ? add_trials(self, list) : add_reports(self, list);
        if (end <= after && (list.count > 0 || page.more)) {
            return refuse(error, "its rows do not follow each other: the head has lost some");
        }
        after = end;
    }
    return OK;
}

static int load_definition(struct loading *self, study_ask *ask, void *context,
                           struct spec_error *error)
{
    struct study_rows *rows = self->rows;
    struct msg_study_read request = { .name = slice_text(rows->name) };
    struct msg_study_rows page = { 0 };
    int rc = ask(context, &request, &page);
    if (rc != OK || page.study == 0) {
        return rc != OK ? rc : ERR_NOT_FOUND;
    }
    rows->id = page.study;
    rows->state = page.state;
    rows->seed = page.seed;
    struct settings settings;
    rc = settings_read(&settings, page.settings, keep(self, page.definition));
    rc = rc == OK ? spec_read(&rows->spec, &settings.source, error)
                  : refuse(error, "the stored settings of the study cannot be read");
    settings_free(&settings);
    return rc;
}

int study_rows_load(struct study_rows *self, const char *name, bool reports, study_ask *ask,
                    void *context, struct spec_error *error)
{
    *self = (struct study_rows){ .name = strdup(name) };
    *error = (struct spec_error){ 0 };
    struct loading loading = { .rows = self };
    int rc = load_definition(&loading, ask, context, error);
    rc = rc == OK ? load_pages(&loading, 1, ask, context, error) : rc;
    rc = rc == OK && reports ? load_pages(&loading, 2, ask, context, error) : rc;
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
    return isfinite(trial->value);
}

uint32_t rows_best(const struct study_rows *self)
{
    uint32_t best = NONE;
    double sign = self->spec->maximize ? -1 : 1;
    for (uint32_t i = 0; i < self->trial_count; i++) {
        const struct rec_trial *trial = &self->trials[i];
        bool counts = trial->state == TRIAL_TERMINATED && trial_has_value(trial);
        if (counts && (best == NONE || sign * trial->value < sign * self->trials[best].value)) {
            best = i;
        }
    }
    return best;
}
