/*  trial_text.c - one JSON object, put together from what is JSON already: made for each trial of a study. */
#include "client/tune/trial_text.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static void put_string(FILE *to, const char *text)
{
    json_t *string = json_string(text ? text : "");
    ensure(string != NULL); /* what comes from files was checked to be UTF-8 */
    ensure(json_dumpf(string, to, JSON_ENCODE_ANY) == 0);
    json_decref(string);
}

static void put_member(FILE *to, const char *name, const char *text)
{
    fprintf(to, "\"%s\":", name);
    if (text) {
        put_string(to, text);
    } else {
        fputs("null", to);
    }
    fputc(',', to);
}

/*  `more`: another list follows in the same array. */
static bool put_strings(FILE *to, const char *const *texts, bool first)
{
    for (; texts && *texts; texts++) {
        if (!first) {
            fputc(',', to);
        }
        put_string(to, *texts);
        first = false;
    }
    return first;
}

static void put_command(FILE *to, const struct study_spec *spec, const struct trial_common *common)
{
    put_member(to, "cwd", spec->dir);
    fputs("\"env\":[", to);
    put_strings(to, spec->env, put_strings(to, common->env, true));
    fputs("],\"stdout\":", to);
    if (spec->stdout_regex) {
        fputs("{\"regex\":", to);
        put_string(to, spec->stdout_regex);
        fputs("},", to);
    } else {
        fputs(spec->stdout_lines ? "true," : "null,", to);
    }
}

char *trial_text_common(const struct study_spec *spec, const struct trial_common *common)
{
    char *text = NULL, number[32];
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    ensure(to != NULL);
    fputc('{', to);
    put_member(to, "study", common->name);
    put_member(to, "metric", spec->metric);
    put_member(to, "resource", spec->scheduler.resource);
    number_print(spec->scheduler.max, number, sizeof(number));
    fprintf(to, "\"seed\":%llu,\"resource_max\":%s,\"checkpoint_every\":%u,\"keep\":%u,",
            (unsigned long long)common->seed, number, spec->checkpoint_every,
            spec->checkpoint_keep);
    if (spec->command_count > 0) {
        put_command(to, spec, common);
    }
    fclose(to);
    return text;
}

char *trial_dir(const struct trial_common *common, uint32_t number)
{
    char *dir = NULL;
    ensure(asprintf(&dir, "%s/%s/trial_%05u", common->storage, common->name, number) > 0);
    return dir;
}

char *trial_text(const struct study_spec *spec, const char *common, const char *dir,
                 const struct study_trial *trial, const struct study_trial *from)
{
    char *text = NULL, step[32];
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    ensure(to != NULL);
    number_print(from->checkpoint ? from->checkpoint_step : 0, step, sizeof(step));
    fprintf(to, "%s\"trial\":%u,\"run\":%u,\"step\":%s,", common, trial->base.number, trial->run,
            step);
    put_member(to, "dir", dir);
    put_member(to, "checkpoint", from->checkpoint ? from->checkpoint : "");
    if (spec->command_count > 0) {
        char params_file[4096];
        snprintf(params_file, sizeof(params_file), "%s/params.json", dir);
        struct arena *arena = arena_new();
        fputs("\"argv\":[", to);
        put_strings(to, spec_argv(spec, trial->base.x, params_file, arena), true);
        fputs("],", to);
        arena_destroy(&arena);
    }
    fprintf(to, "\"params\":%s}", trial->params);
    fclose(to);
    return text;
}
