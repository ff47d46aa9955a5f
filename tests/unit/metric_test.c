/*  metric_test.c - metrics of the user's own, from rayc.h to the worker's page. */
#include <setjmp.h>
#include <stdarg.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "client/rayc.h"
#include "common/file.h"
#include "worker/samples.h"

#define COUNTED(labels, value) "rayc_images_total{JobId=\"job-1\"" labels "} " value "\n"
#define BUCKET(bound, value)                                                                       \
    "rayc_step_seconds_bucket{JobId=\"job-1\",le=\"" bound "\"} " value "\n"

enum { BOUNDS_MAX = 64, LABELS_MAX = 16 };

static char dir[] = "/tmp/rayc-metric-XXXXXX";
static struct samples *samples;
static uint32_t source;
static struct exposition page;

/*  This process is from now on one that a worker has started. */
static void become_attempt(void)
{
    char key[SAMPLES_KEY_BYTES];
    source = samples_begin(samples, "job-1", key);
    assert_int_equal(setenv("RAYC_METRICS", samples_address(samples), 1), 0);
    assert_int_equal(setenv("RAYC_METRICS_KEY", key, 1), 0);
}

static int setup(void **state)
{
    (void)state;
    if (samples_open(&samples, dir) != OK) {
        return -1;
    }
    become_attempt();
    return 0;
}

static int teardown(void **state)
{
    char path[PATH_BYTES];
    (void)state;
    samples_close(&samples);
    return file_path(path, sizeof(path), dir, "metrics") == OK ? unlink(path) : -1;
}

static bool shows(const char *line)
{
    samples_take(samples, 1000);
    exposition_fini(&page);
    exposition_init(&page, NULL);
    samples_expose(samples, &page);
    assert_true(exposition_end(&page));
    page.p = realloc(page.p, page.n + 1);
    assert_non_null(page.p);
    page.p[page.n] = 0;
    return strstr(page.p, line) != NULL;
}

static void assert_refused(const rayc_meter *meter, const char *text)
{
    assert_null(meter);
    assert_int_equal(rayc_error()->code, RAYC_EINVALID);
    if (!strstr(rayc_error()->text, text)) {
        fail_msg("'%s' does not say: %s", rayc_error()->text, text);
    }
}

static void assert_fails(int rc, int code, const char *text)
{
    assert_int_equal(rc, code);
    assert_int_equal(rayc_error()->code, code);
    if (!strstr(rayc_error()->text, text)) {
        fail_msg("'%s' does not say: %s", rayc_error()->text, text);
    }
}

/* --- what is recorded is shown ---------------------------------------------------------------- */

static void labels_are_in_the_order_of_the_metric(void **state)
{
    (void)state;
    rayc_meter *images =
        rayc_counter_new("images", "Images read.", (const char *[]){ "split", "model", NULL });
    assert_non_null(images);
    assert_int_equal(rayc_counter_inc(images, 2, (const char *[]){ "train", "a\"b" }), 0);
    assert_int_equal(rayc_counter_inc(images, 0.5, (const char *[]){ "train", "a\"b" }), 0);
    assert_int_equal(rayc_counter_inc(images, 7, (const char *[]){ "test", "x=y" }), 0);
    assert_true(shows(COUNTED(",model=\"a\\\"b\",split=\"train\"", "2.5")));
    assert_true(shows(COUNTED(",model=\"x=y\",split=\"test\"", "7")));
    assert_true(shows("# HELP rayc_images_total Images read.\n# TYPE rayc_images_total counter\n"));
    rayc_meter_free(images);
}

static void a_gauge_has_its_last_value(void **state)
{
    (void)state;
    rayc_meter *score = rayc_gauge_new("score", NULL, NULL);
    assert_non_null(score);
    assert_int_equal(rayc_gauge_set(score, 0.25, NULL), 0);
    assert_int_equal(rayc_gauge_set(score, -3, NULL), 0);
    assert_true(shows("rayc_score{JobId=\"job-1\"} -3\n"));
    rayc_meter_free(score);
}

static void a_value_counts_in_the_first_bucket_that_holds_it(void **state)
{
    (void)state;
    rayc_meter *step =
        rayc_histogram_new("step_seconds", "", NULL, (const double[]){ 0.1, 1, 10 }, 3);
    assert_non_null(step);
    static const double seen[] = { 0.1, 0.25, 1, 10.5 };
    for (size_t i = 0; i < COUNT(seen); i++) {
        assert_int_equal(rayc_histogram_observe(step, seen[i], NULL), 0);
    }
    assert_true(
        shows(BUCKET("0.1", "1") BUCKET("1.0", "3") BUCKET("10.0", "3") BUCKET("+Inf", "4")));
    assert_true(shows("rayc_step_seconds_sum{JobId=\"job-1\"} 11.85\n"));
    assert_true(shows("rayc_step_seconds_count{JobId=\"job-1\"} 4\n"));
    rayc_meter_free(step);
}

static void the_most_bounds_in_the_most_digits_arrive(void **state)
{
    double bounds[BOUNDS_MAX];
    (void)state;
    for (int i = 0; i < BOUNDS_MAX; i++) {
        bounds[i] = -1e-300 / 3 + (i - 32) * 1e300 / 7;
    }
    rayc_meter *step = rayc_histogram_new("step_seconds", "", NULL, bounds, BOUNDS_MAX);
    assert_non_null(step);
    assert_int_equal(rayc_histogram_observe(step, bounds[BOUNDS_MAX - 1], NULL), 0);
    assert_true(shows(BUCKET("+Inf", "1")));
    assert_true(shows("Reason=\"INVALID\"} 0\n"));
    rayc_meter_free(step);
}

/*  A retry is another process with another key; what the first one counted is not lost with it. */
static void a_retry_goes_on_counting(void **state)
{
    (void)state;
    rayc_meter *images = rayc_counter_new("images", "", NULL);
    rayc_meter *step = rayc_histogram_new("step_seconds", "", NULL, (const double[]){ 1 }, 1);
    assert_non_null(images);
    assert_non_null(step);
    for (int attempt = 1; attempt <= 2; attempt++) {
        assert_int_equal(rayc_counter_inc(images, 3, NULL), 0);
        assert_int_equal(rayc_histogram_observe(step, 0.5, NULL), 0);
        samples_end(samples, source, 2000); /* before what it said has been read */
        assert_true(shows(attempt == 1 ? COUNTED("", "3") : COUNTED("", "6")));
        assert_true(shows(attempt == 1 ? BUCKET("1.0", "1") : BUCKET("1.0", "2")));
        samples_on_time(samples, 2000 + 2 * SAMPLES_GAUGE_MS);
        become_attempt();
    }
    assert_true(shows(COUNTED("", "6")));
    rayc_meter_free(step);
    rayc_meter_free(images);
}

/* --- what is wrong is refused, where it is said ------------------------------------------------ */

static void bad_names_are_refused(void **state)
{
    char name[300] = "";
    (void)state;
    memset(name, 'n', sizeof(name) - 1);
    assert_refused(rayc_counter_new(NULL, "", NULL), "'': write [a-zA-Z_:]");
    assert_refused(rayc_counter_new("9lives", "", NULL), "'9lives': write [a-zA-Z_:]");
    assert_refused(rayc_gauge_new("a-b", "", NULL), "'a-b': write");
    assert_refused(rayc_gauge_new("pending_tasks", "", NULL), "'pending_tasks': this metric is of");
    assert_refused(rayc_counter_new("samples_dropped_total", "", NULL), "this metric is of");
    assert_refused(rayc_gauge_new("images_total", "", NULL), "only a counter's name");
    assert_refused(rayc_gauge_new("bad\xff", "", NULL), "write [a-zA-Z_:]");
    assert_refused(rayc_gauge_new("score", "\xff", NULL), "UTF-8");
    assert_refused(rayc_counter_new(name, "", NULL), "at most 256 bytes");
}

static void bad_labels_are_refused(void **state)
{
    char long_label[300] = "";
    const char *many[LABELS_MAX + 2] = { NULL };
    (void)state;
    memset(long_label, 'n', sizeof(long_label) - 1);
    for (int i = 0; i <= LABELS_MAX; i++) {
        many[i] = "label";
    }
    assert_refused(rayc_counter_new("images", "", (const char *[]){ "JobId", NULL }), "'JobId'");
    assert_refused(rayc_counter_new("images", "", (const char *[]){ "a", "a", NULL }), "'a'");
    assert_refused(rayc_counter_new("images", "", (const char *[]){ "__a", NULL }), "'__a'");
    assert_refused(rayc_counter_new("images", "", (const char *[]){ "", NULL }), "write [a-zA-Z_]");
    assert_refused(rayc_counter_new("images", "", (const char *[]){ long_label, NULL }),
                   "too long");
    assert_refused(rayc_counter_new("images", "", many), "more than 16 labels");
}

static void bad_bounds_are_refused(void **state)
{
    double many[BOUNDS_MAX + 1];
    (void)state;
    for (int i = 0; i <= BOUNDS_MAX; i++) {
        many[i] = i;
    }
    assert_refused(rayc_histogram_new("step", "", NULL, NULL, 0), "1 to 64 bounds");
    assert_refused(rayc_histogram_new("step", "", NULL, many, BOUNDS_MAX + 1), "1 to 64 bounds");
    assert_refused(rayc_histogram_new("step", "", NULL, (double[]){ 1, 1 }, 2), "bound 2");
    assert_refused(rayc_histogram_new("step", "", NULL, (double[]){ 1, NAN }, 2), "bound 2");
}

static void bad_values_are_refused(void **state)
{
    (void)state;
    rayc_meter *images = rayc_counter_new("images", "", (const char *[]){ "split", NULL });
    assert_non_null(images);
    const char *train[] = { "train" }, *none[] = { NULL }, *two_lines[] = { "a\nb=c" };
    assert_fails(rayc_counter_inc(images, 0, train), RAYC_EINVALID, "more than 0");
    assert_fails(rayc_counter_inc(images, -1, train), RAYC_EINVALID, "more than 0");
    assert_fails(rayc_counter_inc(images, INFINITY, train), RAYC_EINVALID, "finite");
    assert_fails(rayc_counter_inc(images, 1, NULL), RAYC_EINVALID, "label 'split' has no value");
    assert_fails(rayc_counter_inc(images, 1, none), RAYC_EINVALID, "label 'split' has no value");
    assert_fails(rayc_counter_inc(images, 1, two_lines), RAYC_EINVALID, "one line");
    assert_fails(rayc_gauge_set(images, 1, train), RAYC_EINVALID, "images is no gauge");
    assert_fails(rayc_histogram_observe(NULL, 1, NULL), RAYC_EINVALID, "NULL is no histogram");
    char *long_value = malloc(SAMPLES_KEY_BYTES * 2048);
    assert_non_null(long_value);
    memset(long_value, 'v', SAMPLES_KEY_BYTES * 2048);
    long_value[SAMPLES_KEY_BYTES * 2048 - 1] = 0;
    assert_fails(rayc_counter_inc(images, 1, (const char *[]){ long_value }), RAYC_ETOOLARGE,
                 "too long");
    free(long_value);
    rayc_meter_free(images);
    rayc_meter_free(NULL);
    assert_false(shows("images"));
}

static void without_a_worker_it_says_so(void **state)
{
    (void)state;
    rayc_meter *score = rayc_gauge_new("score", "", NULL);
    assert_non_null(score);
    assert_int_equal(setenv("RAYC_METRICS", "@rayc-nobody", 1), 0);
    assert_fails(rayc_gauge_set(score, 1, NULL), RAYC_ESYSTEM, "does not take metrics");
    assert_int_equal(unsetenv("RAYC_METRICS"), 0);
    assert_fails(rayc_gauge_set(score, 1, NULL), RAYC_ENOTFOUND, "not started by a rayc worker");
    rayc_meter_free(score);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(labels_are_in_the_order_of_the_metric, setup, teardown),
        cmocka_unit_test_setup_teardown(a_gauge_has_its_last_value, setup, teardown),
        cmocka_unit_test_setup_teardown(a_value_counts_in_the_first_bucket_that_holds_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_most_bounds_in_the_most_digits_arrive, setup, teardown),
        cmocka_unit_test_setup_teardown(a_retry_goes_on_counting, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_names_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_labels_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_bounds_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_values_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_worker_it_says_so, setup, teardown),
    };
    if (!mkdtemp(dir)) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    exposition_fini(&page);
    return failed + rmdir(dir);
}
