/*  samples_test.c - what is folded stays: without its process, and in the next worker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "common/file.h"
#include "proto/sample.h"
#include "worker/samples.h"

static char dir[] = "/tmp/rayc-samples-XXXXXX";
static struct samples *samples;
static char key[SAMPLES_KEY_BYTES];
static uint32_t source;
static struct exposition page;

static int setup(void **state)
{
    (void)state;
    if (samples_open(&samples, dir) != OK) {
        return -1;
    }
    source = samples_begin(samples, "job-1", key);
    return 0;
}

static int teardown(void **state)
{
    char path[PATH_BYTES];
    (void)state;
    samples_close(&samples);
    return file_path(path, sizeof(path), dir, "metrics") == OK ? unlink(path) : -1;
}

static uint64_t now_ms = 1000;

static void say(const char *with, uint32_t kind, const char *name, const char *labels, double value)
{
    uint8_t bytes[2][4096];
    struct wire list = { bytes[0], 0, sizeof(bytes[0]), false };
    struct wire frame = { bytes[1], 0, sizeof(bytes[1]), false };
    struct rec_sample sample = { .kind = kind,
                                 .name = slice_text(name),
                                 .labels = slice_text(labels),
                                 .help = slice_text("Help."),
                                 .bounds = slice_text(kind == METRIC_HISTOGRAM ? "0.5,1" : ""),
                                 .value = value };
    proto_put_record(&list, REC_SAMPLE, &sample);
    proto_put(&frame, MSG_SAMPLES,
              &(struct msg_samples){ .key = slice_text(with), .samples = wire_list(&list, 1) });
    samples_fold(samples, slice_of(frame.p, frame.n), now_ms);
}

static bool shows(const char *line)
{
    exposition_fini(&page);
    exposition_init(&page, NULL);
    samples_expose(samples, &page);
    assert_true(exposition_end(&page));
    page.p = realloc(page.p, page.n + 1);
    assert_non_null(page.p);
    page.p[page.n] = 0;
    return strstr(page.p, line) != NULL;
}

static void what_is_said_is_folded(void **state)
{
    (void)state;
    say(key, METRIC_COUNTER, "images", "a=1\nb=x y", 2);
    say(key, METRIC_COUNTER, "images_total", "a=1\nb=x y", 3);
    say(key, METRIC_HISTOGRAM, "step_seconds", "", 0.7);
    assert_true(shows("rayc_images_total{JobId=\"job-1\",a=\"1\",b=\"x y\"} 5\n"));
    assert_true(shows("rayc_step_seconds_bucket{JobId=\"job-1\",le=\"0.5\"} 0\n"));
    assert_true(shows("rayc_step_seconds_bucket{JobId=\"job-1\",le=\"1.0\"} 1\n"));
}

static void what_is_wrong_is_counted(void **state)
{
    (void)state;
    say("1-guessed", METRIC_COUNTER, "images", "", 1);
    say(key, METRIC_COUNTER, "images", "", -1);
    say(key, METRIC_COUNTER, "pending_tasks", "", 1);
    say(key, METRIC_GAUGE, "score", "JobId=mine", 1);
    say(key, METRIC_GAUGE, "score", "b=1\na=1", 1);
    say(key, METRIC_GAUGE, "score", "", 1);
    say(key, METRIC_COUNTER, "score", "", 1);
    assert_true(shows("dropped_total{Reason=\"KEY\"} 1\n"));
    assert_true(shows("dropped_total{Reason=\"INVALID\"} 4\n"));
    assert_true(shows("dropped_total{Reason=\"CONFLICT\"} 1\n"));
}

/*  A histogram x is shown as x_bucket, x_count and x_sum: nothing else may have such a name. */
static void parts_of_a_histogram_are_no_names(void **state)
{
    (void)state;
    say(key, METRIC_HISTOGRAM, "step", "", 0.7);
    say(key, METRIC_GAUGE, "step_count", "", 7);
    say(key, METRIC_GAUGE, "step_sum", "", 7);
    say(key, METRIC_GAUGE, "step_sums", "", 7);
    say(key, METRIC_GAUGE, "lap_bucket", "", 7);
    say(key, METRIC_HISTOGRAM, "lap", "", 0.7);
    assert_true(shows("dropped_total{Reason=\"CONFLICT\"} 3\n"));
    assert_true(shows("rayc_step_count{JobId=\"job-1\"} 1\n"));
    assert_false(shows("rayc_step_sum{JobId=\"job-1\"} 7\n"));
    assert_true(shows("rayc_step_sums{JobId=\"job-1\"} 7\n"));
    assert_false(shows("rayc_lap_count"));
    say(key, METRIC_GAUGE, "task_duration_seconds_count", "", 7); /* of rayc's own */
    assert_true(shows("dropped_total{Reason=\"INVALID\"} 1\n"));
}

static void what_nobody_says_any_more_makes_room(void **state)
{
    (void)state;
    char labels[16];
    for (int i = 0; i <= SAMPLES_SERIES_MAX; i++) {
        snprintf(labels, sizeof(labels), "i=%d", i);
        say(key, METRIC_COUNTER, "images", labels, 1);
    }
    assert_true(shows("dropped_total{Reason=\"LIMIT\"} 1\n"));
    now_ms += SAMPLES_KEPT_MS - 1;
    say(key, METRIC_COUNTER, "images", "i=7", 1);
    say(key, METRIC_COUNTER, "laps", "", 1);
    assert_true(shows("dropped_total{Reason=\"LIMIT\"} 2\n"));
    now_ms += SAMPLES_SAVE_MS;
    say(key, METRIC_COUNTER, "laps", "", 1);
    assert_true(shows("dropped_total{Reason=\"LIMIT\"} 2\n"));
    assert_true(shows("rayc_laps_total{JobId=\"job-1\"} 1\n"));
    assert_true(shows("rayc_images_total{JobId=\"job-1\",i=\"7\"} 2\n"));
    assert_false(shows("i=\"8\""));
    now_ms = 1000;
}

static void counters_outlive_who_said_them(void **state)
{
    (void)state;
    say(key, METRIC_COUNTER, "images", "", 2);
    say(key, METRIC_HISTOGRAM, "step_seconds", "", 0.7);
    say(key, METRIC_GAUGE, "score", "", 0.5);
    samples_end(samples, source, 2000);
    say(key, METRIC_COUNTER, "images", "", 1); /* was under way */
    samples_on_time(samples, 2000 + SAMPLES_GAUGE_MS - 1);
    assert_true(shows("rayc_score{JobId=\"job-1\"} 0.5\n"));
    samples_on_time(samples, 2000 + SAMPLES_GAUGE_MS);
    assert_false(shows("score"));
    say(key, METRIC_COUNTER, "images", "", 1); /* nobody's any more */
    samples_close(&samples);
    assert_int_equal(samples_open(&samples, dir), OK);
    assert_true(shows("# HELP rayc_images_total Help.\n"));
    assert_true(shows("rayc_images_total{JobId=\"job-1\"} 3\n"));
    assert_true(shows("rayc_step_seconds_bucket{JobId=\"job-1\",le=\"1.0\"} 1\n"));
    assert_true(shows("rayc_step_seconds_sum{JobId=\"job-1\"} 0.7\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_said_is_folded, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_of_a_histogram_are_no_names, setup, teardown),
        cmocka_unit_test_setup_teardown(what_nobody_says_any_more_makes_room, setup, teardown),
        cmocka_unit_test_setup_teardown(counters_outlive_who_said_them, setup, teardown),
    };
    if (!mkdtemp(dir)) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    exposition_fini(&page);
    return failed + rmdir(dir);
}
