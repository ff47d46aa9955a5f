/*  credentials_test.c - what `rayc login` saves, and which token goes to whom, in a folder of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/credentials.h"
#include "common/file.h"

static char folder[] = "/tmp/rayc-credentials-XXXXXX";
static char state[PATH_BYTES], config[PATH_BYTES], path[PATH_BYTES];
static struct access found;
static struct diag why;

static int remove_one(const char *name, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(name);
}

static int setup(void **unused)
{
    (void)unused;
    memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
    if (mkdtemp(folder) == NULL || file_path(state, sizeof(state), folder, "state") != OK ||
        file_path(config, sizeof(config), folder, "config") != OK ||
        file_make_dir(state, 0700) != OK) {
        return -1;
    }
    setenv("RAYC_STATE_DIR", state, 1);
    setenv("XDG_CONFIG_HOME", config, 1);
    unsetenv("RAYC_TOKEN");
    unsetenv("RAYC_TOKEN_FILE");
    unsetenv("RAYC_KEY_FILE");
    return credentials_path(path, sizeof(path));
}

static int teardown(void **unused)
{
    (void)unused;
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void save(const char *address, const char *token)
{
    struct access access = { 0 };
    assert_true(slice_copy_text(slice_text(token), access.token, sizeof(access.token)));
    assert_int_equal(credentials_put(address, &access, &why), OK);
}

static void expect(const char *address, const char *token)
{
    assert_int_equal(credentials_find(address, &found, &why), OK);
    assert_string_equal(found.token, token);
    assert_false(found.has_key);
}

static void what_is_saved_is_found_by_its_address(void **unused)
{
    (void)unused;
    assert_int_equal(credentials_find("http://a:1", &found, &why), ERR_NOT_FOUND);
    save("http://a:1", "rayc_a");
    save("b:2", "rayc_b");
    save("http://a:1/", "rayc_new");
    expect("http://a:1", "rayc_new");
    expect("tcp://b:2", "rayc_b");
    assert_int_equal(credentials_find("http://b:2", &found, &why), ERR_NOT_FOUND);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    char dir[PATH_BYTES];
    assert_int_equal(config_dir(dir, sizeof(dir)), OK);
    assert_int_equal(stat(dir, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
}

static void keys_are_saved_too(void **unused)
{
    (void)unused;
    char file[PATH_BYTES];
    struct cluster_key head;
    struct access made = { .token = "rayc_secret", .has_key = true };
    assert_int_equal(file_path(file, sizeof(file), folder, "head.key"), OK);
    assert_int_equal(key_make(file, &head), OK);
    made.key.own = head;
    memcpy(made.key.server_text, head.public_text, sizeof(made.key.server_text));
    assert_int_equal(credentials_put("tcp://b:2", &made, &why), OK);
    save("http://a:1", "rayc_a");
    assert_int_equal(credentials_find("b:2", &found, &why), OK);
    assert_memory_equal(&found, &made, sizeof(made));
    expect("http://a:1", "rayc_a");
}

static void what_is_dropped_is_gone(void **unused)
{
    (void)unused;
    uint32_t dropped;
    save("http://a:1", "rayc_a");
    save("http://b:1", "rayc_b");
    save("http://c:1", "rayc_c");
    assert_int_equal(credentials_drop("http://d:1", &dropped, &why), OK);
    assert_int_equal(dropped, 0);
    assert_int_equal(credentials_drop("http://a:1", &dropped, &why), OK);
    assert_int_equal(dropped, 1);
    assert_int_equal(credentials_find("http://a:1", &found, &why), ERR_NOT_FOUND);
    expect("http://b:1", "rayc_b");
    expect("http://c:1", "rayc_c");
    assert_int_equal(credentials_drop(NULL, &dropped, &why), OK);
    assert_int_equal(dropped, 2);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(credentials_drop(NULL, &dropped, &why), OK);
    assert_int_equal(dropped, 0);
}

static void a_file_that_others_can_read_is_refused(void **unused)
{
    (void)unused;
    struct access other = { .token = "rayc_b" };
    uint32_t dropped;
    save("http://a:1", "rayc_a");
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(credentials_find("http://a:1", &found, &why), ERR_KEY);
    assert_non_null(strstr(why.text, "chmod 600"));
    assert_int_equal(credentials_put("http://a:1", &other, &why), ERR_KEY);
    assert_int_equal(credentials_drop("http://a:1", &dropped, &why), ERR_KEY);
    assert_int_equal(chmod(path, 0600), 0);
    expect("http://a:1", "rayc_a");
}

static void a_damaged_file_is_refused(void **unused)
{
    (void)unused;
    static const char *const texts[] = {
        "cluster\n    address = \"http://a:1\"\n",
        "cluster\n    token = \"rayc_a\"\ncluster\n    curve\n        server-key = \"x\"\n",
    };
    save("http://a:1", "rayc_a");
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_int_equal(file_write(path, texts[i], strlen(texts[i]), 0600), OK);
        assert_int_equal(credentials_find("http://a:1", &found, &why), ERR_KEY);
        assert_non_null(strstr(why.text, "is damaged"));
        assert_string_equal(found.token, "");
    }
}

static void two_do_not_change_it_at_a_time(void **unused)
{
    (void)unused;
    struct access other = { .token = "rayc_b" };
    char lock[PATH_BYTES];
    save("http://a:1", "rayc_a");
    snprintf(lock, sizeof(lock), "%.*s.lock", PATH_BYTES - 8, path);
    int fd = file_lock(lock);
    assert_true(fd >= 0);
    assert_int_equal(credentials_put("http://a:1", &other, &why), ERR_LOCKED);
    expect("http://a:1", "rayc_a");
    close(fd);
    save("http://a:1", "rayc_b");
}

static void there_is_an_end_to_clusters(void **unused)
{
    (void)unused;
    struct access access = { 0 };
    char address[64];
    memset(access.token, 'x', ACCESS_TOKEN_MAX);
    for (int i = 0; i < CREDENTIALS_MAX; i++) {
        snprintf(address, sizeof(address), "http://a:%d", i + 1);
        assert_int_equal(credentials_put(address, &access, &why), OK);
    }
    assert_int_equal(credentials_put("http://b:1", &access, &why), ERR_TOO_LARGE);
    assert_non_null(strstr(why.text, "rayc logout"));
    assert_int_equal(credentials_find("http://a:50", &found, &why), OK);
    assert_int_equal(strlen(found.token), ACCESS_TOKEN_MAX);
}

static void write_state(const char *name, const char *text)
{
    char file[PATH_BYTES];
    assert_int_equal(file_path(file, sizeof(file), state, name), OK);
    assert_int_equal(file_write(file, text, strlen(text), 0600), OK);
}

static void drop_state(const char *name)
{
    char file[PATH_BYTES];
    assert_int_equal(file_path(file, sizeof(file), state, name), OK);
    assert_int_equal(unlink(file), 0);
}

static void expect_token(const char *address, const char *wanted)
{
    char token[ACCESS_TOKEN_MAX + 1];
    token_find("admin.key", address, token);
    assert_string_equal(token, wanted);
}

static void a_token_goes_to_its_cluster_only(void **unused)
{
    (void)unused;
    char socket[PATH_BYTES];
    write_state("admin.key", "token = \"rayc_own\"\n");
    write_state("head.address", "tcp://10.0.0.5:6399\n");
    write_state("head.http", "http://127.0.0.1:8265\n");
    save("http://127.0.0.1:8265", "rayc_old"); /* of a head that was forwarded there before */
    snprintf(socket, sizeof(socket), "ipc://%.*s/head.sock", PATH_BYTES - 32, state);
    save("http://localhost:9000", "rayc_forwarded");
    save("http://far:8265", "rayc_far");
    expect_token(NULL, "rayc_own");
    expect_token(socket, "rayc_own");
    expect_token("ipc:///x/head.sock", "");
    expect_token("10.0.0.5:6399", "rayc_own");
    expect_token("http://127.0.0.1:8265", "rayc_own");
    expect_token("http://localhost:8265/", "rayc_own");
    expect_token("http://127.0.0.2:8265", ""); /* where others may listen */
    expect_token("http://[::1]:8265", "");
    expect_token("127.0.0.1:8265", "");
    expect_token("127.0.0.1:6399", "");
    expect_token("http://localhost:9000", "rayc_forwarded");
    expect_token("http://localhost:9001", "");
    expect_token("[::1]:9001", "");
    expect_token("http://far:8265", "rayc_far");
    expect_token("http://127.evil.test:8265", "");
    expect_token("http://farther:8265", "");
    setenv("RAYC_TOKEN", "rayc_said", 1);
    expect_token("http://far:8265", "rayc_said");
    expect_token(NULL, "rayc_said");
}

static void a_head_on_all_interfaces_is_here_too(void **unused)
{
    (void)unused;
    write_state("admin.key", "token = \"rayc_own\"\n");
    write_state("head.address", "tcp://0.0.0.0:6399\n");
    expect_token("0.0.0.0:6399", "rayc_own");
    expect_token("127.0.0.1:6399", "rayc_own");
    expect_token("localhost:6399", "rayc_own");
    expect_token("localhost:6398", "");
    expect_token("http://localhost:6399", "");
    expect_token("10.0.0.5:6399", "");
}

static void a_token_stays_while_its_head_is_away(void **unused)
{
    (void)unused;
    char token[ACCESS_TOKEN_MAX + 1] = "";
    write_state("admin.key", "token = \"rayc_own\"\n");
    assert_false(token_renew("admin.key", "127.0.0.1:6399", token));
    assert_string_equal(token, "");
    write_state("head.address", "tcp://127.0.0.1:6399\n");
    assert_true(token_renew("admin.key", "127.0.0.1:6399", token));
    assert_string_equal(token, "rayc_own");
    drop_state("head.address");
    assert_false(token_renew("admin.key", "127.0.0.1:6399", token));
    assert_string_equal(token, "rayc_own");
    write_state("head.address", "tcp://127.0.0.1:6399\n");
    write_state("admin.key", "token = \"rayc_new\"\n");
    assert_true(token_renew("admin.key", "127.0.0.1:6399", token));
    assert_string_equal(token, "rayc_new");
}

static void expect_file(const char *name, int wanted, const char *said)
{
    char file[PATH_BYTES];
    struct diag why;
    assert_int_equal(file_path(file, sizeof(file), state, name), OK);
    setenv("RAYC_TOKEN_FILE", file, 1);
    assert_int_equal(token_file_check(&why), wanted);
    assert_non_null(strstr(why.text, said));
}

static void a_token_file_that_gives_none_is_told(void **unused)
{
    (void)unused;
    char file[PATH_BYTES];
    struct diag why;
    assert_int_equal(token_file_check(&why), OK);
    write_state("good", "rayc_good\n");
    write_state("empty", "\n");
    write_state("open", "rayc_open\n");
    assert_int_equal(file_path(file, sizeof(file), state, "open"), OK);
    assert_int_equal(chmod(file, 0644), 0);
    expect_file("good", OK, "");
    expect_file("none", ERR_KEY, "none: ");
    expect_file("empty", ERR_KEY, "empty");
    expect_file("open", ERR_KEY, "can be read or written by others");
    setenv("RAYC_TOKEN", "rayc_said", 1);
    expect_file("none", OK, "");
}

static void expect_text(const char *text, const char *wanted)
{
    char token[ACCESS_TOKEN_MAX + 1];
    assert_int_equal(token_from_text(text, token), wanted[0] != 0);
    assert_string_equal(token, wanted);
}

static void a_token_is_one_word(void **unused)
{
    (void)unused;
    char longest[ACCESS_TOKEN_MAX + 2] = "";
    memset(longest, 'x', ACCESS_TOKEN_MAX);
    expect_text("rayc_a", "rayc_a");
    expect_text(" rayc_a\r\n\n", "rayc_a");
    expect_text("", "");
    expect_text(" \n", "");
    expect_text("rayc_a rayc_b", "");
    expect_text("rayc_\"a", "");
    expect_text("rayc_\x1b[1m", "");
    expect_text("rayc_\xc3\xa4", "");
    expect_text(longest, longest);
    longest[ACCESS_TOKEN_MAX] = 'x';
    expect_text(longest, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_saved_is_found_by_its_address),
        TEST(keys_are_saved_too),
        TEST(what_is_dropped_is_gone),
        TEST(a_file_that_others_can_read_is_refused),
        TEST(a_damaged_file_is_refused),
        TEST(two_do_not_change_it_at_a_time),
        TEST(there_is_an_end_to_clusters),
        TEST(a_token_goes_to_its_cluster_only),
        TEST(a_head_on_all_interfaces_is_here_too),
        TEST(a_token_stays_while_its_head_is_away),
        TEST(a_token_file_that_gives_none_is_told),
        TEST(a_token_is_one_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
