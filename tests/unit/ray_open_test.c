/*  ray_open_test.c - bodies that Ray refuses are refused with its words; what is taken becomes the JOB_OPEN that was
    meant. */
#include "tests/unit/ray_world.h"

static void refuses(const char *body, uint32_t status, const char *text)
{
    struct ray_open open;
    struct ray_refusal no = { 0 };
    assert_int_equal(ray_asked(&open, body, &no), ERR_INVALID);
    ray_open_fini(&open);
    assert_int_equal(no.status, status);
    if (strstr(no.text, text) == NULL) {
        fail_msg("%s: \"%s\" is not in \"%s\"", body, text, no.text);
    }
}

static void rays_refusals_are_ours(void **state)
{
    (void)state;
    json_error_t error;
    json_t *golden = json_load_file(PEER_FILES "/ray_golden.json", 0, &error);
    assert_non_null(golden);
    size_t i;
    json_t *one;
    json_t *refused = json_object_get(golden, "refused");
    assert_true(json_array_size(refused) >= 10);
    json_array_foreach(refused, i, one)
    {
        char *body = json_dumps(json_object_get(one, "body"), 0);
        refuses(body, (uint32_t)json_integer_value(json_object_get(one, "status")),
                json_string_value(json_object_get(one, "text")));
        free(body);
    }
    json_decref(golden);
}

static void what_is_no_object_is_the_servers_trouble(void **state)
{
    (void)state;
    refuses("{bad", 500, "JSONDecodeError");
    refuses("", 500, "JSONDecodeError: '[' or '{' expected near end of file");
    refuses("[1]", 500, "<class 'list'>");
}

/*  Else the stack of the thread that reads it would not hold it. */
static void what_is_nested_too_deep_is_not_read(void **state)
{
    enum { DEPTH = 1500 };
    char body[DEPTH + 100], flat[2 * DEPTH + 200];
    struct ray_open open;
    struct ray_refusal no = { 0 };
    (void)state;
    int n = sprintf(body, "{\"entrypoint\":\"true\",\n\"runtime_env\":{\"config\":");
    memset(body + n, '[', DEPTH);
    body[n + DEPTH] = 0;
    refuses(body, 500, "nested more than 64 deep: line 2 column 87");
    n = sprintf(flat, "{\"entrypoint\":\"true\",\"runtime_env\":{\"config\":[\"\\\"");
    memset(flat + n, '[', DEPTH);
    strcpy(flat + n + DEPTH, "\",[],[]]}}");
    assert_int_equal(ray_asked(&open, flat, &no), OK);
    ray_open_fini(&open);
}

static void what_rayc_does_not_have_is_named(void **state)
{
    (void)state;
#define ENV(text) "{\"entrypoint\":\"true\",\"runtime_env\":{" text "}}"
    refuses(ENV("\"pip\":[\"x\"]"), 400, "runtime_env['pip'] is not supported");
    refuses(ENV("\"working_dir\":\"/tmp\""), 400, "there is no package /tmp of yours");
    refuses(ENV("\"working_dir\":\"s3://a/b.zip\""), 400, "s3://a/b.zip");
    refuses(ENV("\"working_dir\":\"gcs://_ray_pkg_two.zip\""), 400, "gcs://_ray_pkg_two.zip");
    refuses(ENV("\"working_dir\":1"), 400, "must be a URI");
    refuses(ENV("\"py_modules\":\"x\""), 400, "must be a list");
    refuses(ENV("\"py_modules\":[\"gcs://a.whl\"]"), 400, "wheels");
    refuses(ENV("\"env_vars\":{\"A\":1}"), 400, "<class 'int'>");
    refuses(ENV("\"env_vars\":{\"A=B\":\"1\"}"), 400, "no name of a variable");
    refuses(ENV("\"env_vars\":[]"), 400, "Dict[str, str]");
#define WITH(text) "{\"entrypoint\":\"true\"," text "}"
    refuses(WITH("\"entrypoint_num_cpus\":-1"), 400, "from 0 on");
    refuses(WITH("\"entrypoint_num_cpus\":0.00001"), 400, "steps of 0.0001");
    refuses(WITH("\"entrypoint_num_gpus\":1.5"), 400, "must be whole");
    refuses(WITH("\"entrypoint_memory\":-5"), 400, "0 bytes or more");
    refuses(WITH("\"entrypoint_resources\":{\"CPU\":1}"), 400, "a field of its own");
    refuses(WITH("\"entrypoint_resources\":{\"\":1}"), 400, "a name has");
    refuses(WITH("\"entrypoint_label_selector\":{\"a\":\"b c\"}"), 400, "label 'a=b c' must be");
    refuses(WITH("\"entrypoint_label_selector\":{\"a b\":\"c\"}"), 400, "label 'a b=c' must be");
    refuses(WITH("\"submission_id\":\"a/b\""), 400, "'a/b' is not a letter or digit");
}

static void labels_are_rays(void **state)
{
    (void)state;
    struct ray_open open;
    struct ray_refusal no = { 0 };
    int rc = ray_asked(&open,
                       WITH("\"entrypoint_label_selector\":{\"a\":\"b\",\"c\":\"!d\","
                            "\"e\":\"in(f, g)\",\"h\":\"!in(i,j)\"}"),
                       &no);
    assert_int_equal(rc, OK);
    struct list specs = open.job.specs;
    struct rec_spec spec;
    assert_true(next_spec(&specs, &spec));
    assert_true(slice_same(spec.labels, slice_text("a=b\nc!=d\ne in (f|g)\nh not in (i|j)")));
    ray_open_fini(&open);
}

static void a_command_of_its_owners_shell(void **state)
{
    (void)state;
    struct ray_open open;
    struct ray_refusal no = { 0 };
    int rc = ray_asked(&open,
                       "{\"entrypoint\":\"exec /usr/bin/python x.py | cat\","
                       "\"metadata\":{\"job_name\":\"mine\",\"a\":\"b\"},"
                       "\"entrypoint_num_cpus\":0.5,\"entrypoint_memory\":1000,"
                       "\"entrypoint_resources\":{\"tpu\":2},"
                       "\"runtime_env\":{\"env_vars\":{\"B\":\"2\",\"A_TOKEN\":\"hidden\"},"
                       "\"working_dir\":\"gcs://_ray_pkg_one.zip\","
                       "\"py_modules\":[\"gcs://_ray_pkg_one.zip\"],\"excludes\":[\"x\"]}}",
                       &no);
    assert_int_equal(rc, OK);
    assert_memory_equal(open.submission, "raysubmit_", 10);
    assert_int_equal(strlen(open.submission), 26);
    assert_true(slice_same(open.job.name, slice_text("mine")));
    assert_true(slice_same(open.job.metadata, slice_text("{\"a\":\"b\",\"job_name\":\"mine\"}")));
    assert_null(strstr((const char *)open.job.runtime_env.p, "hidden"));
    struct list specs = open.job.specs;
    struct rec_spec spec;
    assert_true(next_spec(&specs, &spec));
    assert_int_equal(spec.kind, SPEC_DRIVER);
    assert_int_equal(spec.max_retries, 0);
    static const char body[] = "\x82\xa4"
                               "argv\x93\xa7/bin/sh\xa2-c\xbf"
                               "exec /usr/bin/python x.py | cat\xa4"
                               "vars\x92\xae"
                               "A_TOKEN=hidden\xa3"
                               "B=2";
    assert_true(slice_same(spec.body, slice_of(body, sizeof(body) - 1)));
    struct rec_amount amount;
    assert_int_equal(spec.demand.count, 3);
    assert_true(next_amount(&spec.demand, &amount) && amount.units == 5000);
    assert_true(next_amount(&spec.demand, &amount) && amount.units == 1000);
    assert_true(next_amount(&spec.demand, &amount) && amount.units == 20000);
    struct rec_package package;
    assert_int_equal(spec.packages.count, 2);
    assert_true(next_package(&spec.packages, &package) && package.kind == PACKAGE_WORKING_DIR);
    assert_true(slice_same(package.hash, slice_text(PACKAGE_HASH)));
    assert_true(next_package(&spec.packages, &package) && package.kind == PACKAGE_PY_MODULE);
    ray_open_fini(&open);
}

static void digest_of(const char *body, char out[HASH_TEXT_BYTES])
{
    struct ray_open open;
    struct ray_refusal no = { 0 };
    assert_int_equal(ray_asked(&open, body, &no), OK);
    assert_true(slice_copy_text(open.job.digest, out, HASH_TEXT_BYTES));
    ray_open_fini(&open);
}

static void one_content_has_one_digest(void **state)
{
    (void)state;
    char a[HASH_TEXT_BYTES], b[HASH_TEXT_BYTES], c[HASH_TEXT_BYTES], d[HASH_TEXT_BYTES];
    digest_of(ENV("\"env_vars\":{\"A\":\"1\",\"X_KEY\":\"2\"}"), a);
    digest_of(
        "{\"submission_id\":\"x\",\"runtime_env\":{\"env_vars\":{\"X_KEY\":\"2\",\"A\":\"1\"}},"
        "\"job_id\":null,\"entrypoint\":\"true\"}",
        b);
    digest_of(ENV("\"env_vars\":{\"A\":\"1\",\"X_KEY\":\"3\"}"),
              c); /* what is masked counts, too */
    digest_of("{\"entrypoint\":\"true\"}", d);
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
    assert_string_not_equal(a, d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rays_refusals_are_ours),
        cmocka_unit_test(what_is_no_object_is_the_servers_trouble),
        cmocka_unit_test(what_is_nested_too_deep_is_not_read),
        cmocka_unit_test(what_rayc_does_not_have_is_named),
        cmocka_unit_test(labels_are_rays),
        cmocka_unit_test(a_command_of_its_owners_shell),
        cmocka_unit_test(one_content_has_one_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
