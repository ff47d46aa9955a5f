/*  tune_cli_test.c - what `rayc tune` makes of its options: over the file, under those of a resume; and its lines. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#undef fail /* of cmocka: cli.h has one, too */
#include "client/cli/cli.h"
#include "client/cli/parse.h"
#include "client/cli/tune_open.h"
#include "client/cli/tune_view.h"

/*  The commands themselves are not in this program. */
#define COMMAND(noun, verb, function, flags, operands, help, examples)                             \
    int cmd_##function(struct cli *cli)                                                            \
    {                                                                                              \
        (void)cli;                                                                                 \
        return CMD_##function;                                                                     \
    }
#define ALIAS(noun, verb, function)
#include "client/cli/commands.def"
#undef COMMAND
#undef ALIAS

static const char file[] = "name: kept\nmetric: loss\nmode: min\ncommand: of the file\ntrials: 9\n"
                           "concurrency: 3\nsearch: {algo: random, startup: 5}\n"
                           "resources: {cpu: 2}\nspace: {x: {uniform: [0, 1]}}\n";

/*  `text`: words with blanks between them, as after "rayc tune". */
static struct cli *cli_of(char *text)
{
    struct cli *cli = calloc(1, sizeof(*cli));
    char **argv = calloc(64, sizeof(*argv));
    int argc = 0, first = 0;
    char why[OPTION_WHY_BYTES];
    argv[argc++] = text; /* the program */
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    options_init(&cli->options);
    cli->command = command_at(CMD_tune);
    assert_int_equal(
        options_parse(&cli->options, cli->command, argc, argv, &first, &cli->dashes, why), OK);
    cli->operands = argv + first;
    cli->count = argc - first;
    cli->ask = (struct ask *)argv;
    return cli;
}

static void cli_free(struct cli **cli)
{
    free((*cli)->ask);
    free(*cli);
    *cli = NULL;
}

/*  What a new study with these options keeps, and the study of it; NULL: the options are refused with 2. */
static char *start(const char *options, struct study_spec **spec)
{
    char *words = strdup(options);
    struct cli *cli = cli_of(words);
    struct tune_source *source = calloc(1, sizeof(*source));
    int exit_code = tune_source_read(source, cli);
    source->source.text = slice_text(file);
    source->source.dir = "/tmp";
    exit_code = exit_code ? exit_code : tune_spec_read(source, cli, spec);
    assert_true(exit_code == 0 || exit_code == EXIT_USAGE);
    char *settings = exit_code ? NULL : settings_text(&source->source, "/kept");
    tune_source_free(source);
    free(source);
    cli_free(&cli);
    free(words);
    return settings;
}

/*  Resumes what was kept; what it keeps then. */
static char *resume(const char *settings, const char *options, struct study_spec **spec)
{
    char *words = strdup(options);
    struct cli *cli = cli_of(words);
    struct tune_source *source = calloc(1, sizeof(*source));
    assert_int_equal(tune_source_read(source, cli), 0);
    assert_int_equal(tune_source_resume(source, cli, slice_text(file), slice_text(settings)), 0);
    assert_string_equal(source->storage, cli->options.storage ? cli->options.storage : "/kept");
    assert_int_equal(tune_spec_read(source, cli, spec), 0);
    char *kept = settings_text(&source->source, source->storage);
    tune_source_free(source);
    free(source);
    cli_free(&cli);
    free(words);
    return kept;
}

static void options_go_before_the_file(void **state)
{
    (void)state;
    struct study_spec *spec;
    char *kept = start("", &spec);
    assert_int_equal(spec->trials_max, 9);
    assert_true(spec->cpus == 2);
    assert_int_equal(spec->command_count, 3);
    assert_string_equal(spec->dir, "/tmp");
    spec_close(&spec);
    free(kept);
    kept = start("--trials 5 --search tpe --cpus 4 --env B={} --set search.candidates=7 "
                 "--set trials=6 -- my own",
                 &spec);
    assert_int_equal(spec->trials_max, 6); /* the last word is that of --set */
    assert_int_equal(spec->concurrency, 3);
    assert_string_equal(spec->search.algo, "tpe");
    assert_int_equal(spec->search.startup, 5);
    assert_int_equal(spec->search.candidates, 7);
    assert_true(spec->cpus == 4);
    assert_string_equal(spec->env[0], "B={}");
    assert_int_equal(spec->command_count, 2);
    spec_close(&spec);
    free(kept);
    kept = start("--cpus 5 --resources moon=1", &spec);
    assert_non_null(kept);
    assert_true(spec->cpus == 5);
    assert_string_equal(spec->resources, "moon=1");
    spec_close(&spec);
    free(kept);
}

static void what_cannot_be_kept_is_refused(void **state)
{
    (void)state;
    struct study_spec *spec;
    unsetenv("TUNE_TEST_UNSET");
    assert_null(start("--env =v", &spec));
    assert_null(start("--env TUNE_TEST_UNSET", &spec));
    assert_null(start("--set nothing", &spec));
    assert_null(start("--env A=\xff", &spec));
    assert_null(start("--storage /\xff", &spec));
    assert_null(start("-- train \xc3", &spec));
    setenv("TUNE_TEST_SET", "here", 1);
    char *kept = start("--env TUNE_TEST_SET", &spec);
    assert_string_equal(spec->env[0], "TUNE_TEST_SET=here");
    spec_close(&spec);
    free(kept);
}

static void a_resume_goes_before_what_was_kept(void **state)
{
    (void)state;
    struct study_spec *spec;
    char *kept = start("--trials 5 --concurrency 2 -- my own words here", &spec);
    spec_close(&spec);
    char *again = resume(kept, "--resume", &spec);
    assert_string_equal(again, kept); /* nothing is added */
    assert_int_equal(spec->trials_max, 5);
    assert_int_equal(spec->concurrency, 2);
    assert_int_equal(spec->command_count, 4);
    spec_close(&spec);
    free(kept);
    for (int i = 0; i < 400; i++) { /* more often than there is room for options */
        kept = again;
        again = resume(kept, "--resume --trials 20 --storage /other", &spec);
        assert_int_equal(spec->trials_max, 20);
        assert_int_equal(spec->concurrency, 2);
        spec_close(&spec);
        free(kept);
        kept = again;
        again = resume(kept, "--resume --storage /kept -- other words", &spec);
        assert_int_equal(spec->trials_max, 20);
        assert_int_equal(spec->command_count, 2);
        spec_close(&spec);
        free(kept);
    }
    free(again);
    struct tune_source *source = calloc(1, sizeof(*source));
    struct cli cli = { .command = command_at(CMD_tune) };
    options_init(&cli.options);
    assert_int_not_equal(tune_source_resume(source, &cli, slice_text(file), slice_text("{")), 0);
    tune_source_free(source);
    free(source);
}

static void lines_of_trials(void **state)
{
    (void)state;
    struct study_spec spec = { .metric = "loss" };
    char params[2000], line[VIEW_LINE_BYTES];
    strcpy(params, "{\"x\": 0.1}");
    struct study_trial trial = { .base = { .number = 7, .state = TRIAL_RUNNING },
                                 .value = NAN,
                                 .params = params };
    view_trial_line(&spec, &trial, false, line);
    assert_string_equal(line, "trial 7     RUNNING    loss=-  x=0.1");
    trial.base.state = TRIAL_TERMINATED;
    trial.base.step = 3;
    trial.value = 0.25;
    view_trial_line(&spec, &trial, true, line);
    assert_string_equal(line, "trial 7     TERMINATED loss=0.25 step=3 (best)  x=0.1");
    trial.base.pruned = true;
    view_trial_line(&spec, &trial, false, line);
    assert_non_null(strstr(line, "STOPPED"));
    trial.base.state = TRIAL_ERROR;
    trial.text = params + 1000;
    strcpy(trial.text, "trial 7: exited\nwith \x1b[31m3");
    size_t n =
        (size_t)sprintf(params, "{\"n\": 0.123456789, \"on\": true, \"x\": \"\u65e5\", \"y\": \"");
    for (int i = 0; i < 100; i++) {
        n += (size_t)sprintf(params + n, "\xc3\xa9");
    }
    strcpy(params + n, "\"}");
    view_trial_line(&spec, &trial, false, line);
    assert_non_null(strstr(line, "ERROR"));
    assert_non_null(strstr(line, "exited\\nwith \\x1b[31m3"));
    assert_null(strstr(line, "trial 7:"));
    assert_non_null(strstr(line, "  n=0.1235 on=true x=\u65e5 y=\xc3\xa9"));
    assert_non_null(strstr(line, "\xc3\xa9  exited"));
    json_t *whole = json_string(line); /* no letter is cut in two */
    assert_non_null(whole);
    json_decref(whole);
}

static void the_line_of_a_study(void **state)
{
    (void)state;
    struct study_spec *spec;
    struct spec_error error;
    struct spec_source source = { .text = slice_text(file), .dir = "/tmp" };
    assert_int_equal(spec_read(&spec, &source, &error), OK);
    struct study *study;
    struct diag why;
    assert_int_equal(study_new(&study, spec, 1, &why), OK);
    struct tune_view view = { .spec = spec, .name = "s", .began_ms = 1000 };
    char line[VIEW_LINE_BYTES];
    view_head_line(&view, study, 1000, line);
    assert_string_equal(line, "study s: 0/9 ended, 0 running, 00:00:00");
    view_best_line(&view, study, line);
    assert_string_equal(line, "best: none yet");
    for (uint32_t i = 0, trial; i < 2; i++) {
        assert_int_equal(study_next(study, &trial, 5), STUDY_START);
        study_started(study, trial, i + 1);
    }
    struct rec_report report = { .id = 1,
                                 .task = 1,
                                 .attempt = 1,
                                 .number = 1,
                                 .step = 1,
                                 .value = 0.5,
                                 .metrics = slice_text("{\"loss\": 0.5}") };
    const char *text;
    assert_int_equal(study_report(study, &report, 6, &text), DECISION_GO_ON);
    study_ended(study, 0, 0, NULL, 7);
    study_ended(study, 1, FAILURE_EXIT, "exit 1", 8);
    view_head_line(&view, study, 1000 + 3661 * 1000, line);
    assert_string_equal(line, "study s: 2/9 ended, 0 running, 1 failed, 01:01:01");
    view_best_line(&view, study, line);
    assert_non_null(strstr(line, "best: trial 0, loss=0.5  x=0."));
    study_destroy(&study);
    spec_close(&spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_go_before_the_file),
        cmocka_unit_test(what_cannot_be_kept_is_refused),
        cmocka_unit_test(a_resume_goes_before_what_was_kept),
        cmocka_unit_test(lines_of_trials),
        cmocka_unit_test(the_line_of_a_study),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
