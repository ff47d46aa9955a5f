/*  files_test.c - the state folder, atomic files, locks, hashes, keys and log lines, in a folder of
    its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/access.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/hash.h"
#include "common/key.h"
#include "common/log.h"

static char folder[] = "/tmp/rayc-files-XXXXXX";
static char text[PATH_BYTES];

static const char *in_folder(const char *name)
{
    static char path[PATH_BYTES];
    assert_int_equal(file_path(path, sizeof(path), folder, name), OK);
    return path;
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void the_state_folder_is_found(void **state)
{
    (void)state;
    char here[PATH_BYTES], expected[PATH_BYTES + 16];
    setenv("HOME", "/home/ada", 1);
    setenv("XDG_STATE_HOME", "/xdg", 1);
    setenv("RAYC_STATE_DIR", "/env", 1);
    assert_int_equal(state_dir("/given", text, sizeof(text)), OK);
    assert_string_equal(text, "/given");
    assert_int_equal(state_dir(NULL, text, sizeof(text)), OK);
    assert_string_equal(text, "/env");
    setenv("RAYC_STATE_DIR", "", 1);
    assert_int_equal(state_dir("", text, sizeof(text)), OK);
    assert_string_equal(text, "/xdg/rayc");
    setenv("XDG_STATE_HOME", "relative", 1);
    assert_int_equal(state_dir(NULL, text, sizeof(text)), OK);
    assert_string_equal(text, "/home/ada/.local/state/rayc");
    assert_int_equal(state_dir(NULL, text, 10), ERR_TOO_LARGE);
    assert_int_equal(state_dir("given", text, sizeof(text)), OK);
    assert_non_null(getcwd(here, sizeof(here)));
    snprintf(expected, sizeof(expected), "%s/given", here);
    assert_string_equal(text, expected);
}

static void folders_are_made_with_parents(void **state)
{
    (void)state;
    struct stat info;
    assert_int_equal(file_make_dir(in_folder("a/b/c"), 0700), OK);
    assert_int_equal(file_make_dir(in_folder("a/b/c"), 0700), OK);
    assert_int_equal(file_make_dir(in_folder("a/b/c/"), 0700), OK);
    assert_int_equal(stat(in_folder("a/b/c"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    assert_int_equal(file_write(in_folder("plain"), "", 0, 0600), OK);
    assert_int_equal(file_make_dir(in_folder("plain"), 0700), ERR_SYSTEM);
    assert_int_equal(file_make_dir(in_folder("plain/below"), 0700), ERR_SYSTEM);
    char path[8];
    assert_int_equal(file_path(path, sizeof(path), "123", "456"), OK);
    assert_int_equal(file_path(path, sizeof(path), "123", "4567"), ERR_TOO_LARGE);
}

static unsigned count_files(void)
{
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    unsigned count = 0;
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

static void files_are_replaced_whole(void **state)
{
    (void)state;
    struct stat info;
    const char *path = in_folder("note");
    assert_int_equal(file_read(path, text, sizeof(text)), ERR_NOT_FOUND);
    assert_int_equal(file_write(path, "one\n", 4, 0600), OK);
    unsigned files = count_files();
    int old = open(path, O_RDONLY);
    assert_int_equal(file_write(path, "number two\n\n", 12, 0644), OK);
    assert_int_equal(count_files(), files); /* no temporary file stays */
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0644);
    assert_int_equal(file_read(path, text, sizeof(text)), OK);
    assert_string_equal(text, "number two\n"); /* one newline at the end is not text */
    assert_int_equal(file_read(path, text, 12), ERR_TOO_LARGE);
    assert_int_equal(file_read(path, text, 13), OK);
    assert_int_equal(read(old, text, sizeof(text)),
                     4); /* whoever had it open still reads the old one */
    close(old);
    assert_int_equal(file_write(in_folder("no/such/folder"), "x", 1, 0600), ERR_SYSTEM);
}

/*  A child that takes the lock, says how that went, and holds it until its input ends. */
static pid_t start_locker(const char *path, int *to_child, int *from_child)
{
    int in[2], out[2];
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(in[1]);
        int fd = file_lock(path);
        char said = fd >= 0 ? 'y' : fd == ERR_LOCKED ? 'n' : '?';
        ssize_t n = write(out[1], &said, 1);
        n += read(in[0], &said, 1);
        _exit(n >= 0 ? 0 : 1);
    }
    close(in[0]);
    close(out[1]);
    *to_child = in[1];
    *from_child = out[0];
    return child;
}

static char hear(int fd)
{
    char said = 0;
    assert_int_equal(read(fd, &said, 1), 1);
    return said;
}

static void one_process_has_the_lock(void **state)
{
    (void)state;
    int to[2], from[2];
    char path[PATH_BYTES];
    slice_copy_text(slice_text(in_folder("head.lock")), path, sizeof(path));
    assert_false(file_locked(path));
    pid_t first = start_locker(path, &to[0], &from[0]);
    assert_int_equal(hear(from[0]), 'y');
    assert_true(file_locked(path));
    assert_int_equal(file_lock(path), ERR_LOCKED);
    pid_t second = start_locker(path, &to[1], &from[1]);
    assert_int_equal(hear(from[1]), 'n');
    assert_int_equal(kill(first, SIGKILL), 0);
    assert_int_equal(waitpid(first, NULL, 0), first);
    assert_false(file_locked(path));
    int fd = file_lock(path);
    assert_true(fd >= 0);
    close(open(path, O_RDONLY)); /* would drop a lock of the old kind */
    assert_true(file_locked(path));
    close(fd);
    assert_false(file_locked(path));
    close(to[1]);
    assert_int_equal(waitpid(second, NULL, 0), second);
    close(to[0]);
    close(from[0]);
    close(from[1]);
}

static void hashes_are_blake2b(void **state)
{
    (void)state;
    static const char abc[] = "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319";
    char got[HASH_TEXT_BYTES];
    uint64_t bytes = 0;
    struct hash hash;
    hash_begin(&hash);
    hash_add(&hash, "a", 1);
    hash_add(&hash, "bc", 2);
    hash_end(&hash, got);
    assert_string_equal(got, abc);
    assert_int_equal(file_write(in_folder("abc"), "abc", 3, 0600), OK);
    assert_int_equal(file_hash(in_folder("abc"), got, &bytes), OK);
    assert_string_equal(got, abc);
    assert_int_equal(bytes, 3);
    assert_int_equal(file_hash(in_folder("missing"), got, &bytes), ERR_NOT_FOUND);
    assert_true(hash_is_text(slice_text(abc)));
    assert_false(hash_is_text(slice_of(abc, 63)));
    got[5] = 'A';
    assert_false(hash_is_text(slice_text(got)));
}

static void random_text_is_letters_and_digits(void **state)
{
    (void)state;
    char a[101], b[101];
    random_text(a, 100);
    random_text(b, 100);
    assert_int_equal(strspn(a, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"),
                     100);
    assert_int_equal(strlen(b), 100);
    assert_string_not_equal(a, b);
    random_text(a, 0);
    assert_string_equal(a, "");
}

static void expect_key(const char *path, int rc, const char *says)
{
    struct cluster_key key;
    struct diag why = { 0 };
    assert_int_equal(key_load(path, &key, &why), rc);
    if (strstr(why.text, says) == NULL) {
        fail_msg("%s", why.text);
    }
}

static void keys_are_for_their_owner_only(void **state)
{
    (void)state;
    struct cluster_key made, other, loaded;
    struct diag why;
    struct stat info;
    char path[PATH_BYTES];
    slice_copy_text(slice_text(in_folder("cluster.key")), path, sizeof(path));
    assert_int_equal(key_load(path, &loaded, &why), ERR_NOT_FOUND);
    unsigned files = count_files();
    assert_int_equal(key_make(path, &made), OK);
    assert_int_equal(strlen(made.public_text), 40);
    assert_int_equal(strlen(made.secret_text), 40);
    assert_int_equal(key_make(path, &other), ERR_CONFLICT);
    assert_int_equal(count_files(), files + 1);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(key_load(path, &loaded, &why), OK);
    assert_memory_equal(&loaded, &made, sizeof(made));
    static const mode_t bad[] = { 0640, 0604, 0620, 0602, 0644, 0666 };
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(chmod(path, bad[i]), 0);
        expect_key(path, ERR_KEY, "by others");
    }
    assert_int_equal(chmod(path, 0600), 0);

    assert_int_equal(symlink("cluster.key", in_folder("within")), 0);
    assert_int_equal(key_load(in_folder("within"), &loaded, &why), OK);
    assert_int_equal(file_make_dir(in_folder("sub"), 0700), OK);
    assert_int_equal(symlink("../cluster.key", in_folder("sub/link")), 0);
    expect_key(in_folder("sub/link"), ERR_KEY, "leaves its folder");
    expect_key(folder, ERR_KEY, "not a regular file");
}

static void a_damaged_key_is_refused(void **state)
{
    (void)state;
    static const char *const damaged[] = {
        "", "no key\n", "curve\n    public-key = \"short\"\n",
        "curve\n    public-key = "
        "\"wH.<P.bi@VADlZb8$5#?lqfoyvL+1WV+#FVC+/WK\"\n", /* no secret part */
        "curve\n    secret-key = "
        "\"wH.<P.bi@VADlZb8$5#?lqfoyvL+1WV+#FVC+/WK\"\n"
    };
    for (size_t i = 0; i < COUNT(damaged); i++) {
        assert_int_equal(file_write(in_folder("damaged"), damaged[i], strlen(damaged[i]), 0600),
                         OK);
        expect_key(in_folder("damaged"), ERR_KEY, "not a key");
    }
    static char large[100000];
    memset(large, '#', sizeof(large));
    assert_int_equal(file_write(in_folder("damaged"), large, sizeof(large), 0600), OK);
    expect_key(in_folder("damaged"), ERR_KEY, "too large");
}

static void an_access_file_has_the_keys_of_members(void **state)
{
    (void)state;
    struct cluster_key head, member, loaded;
    struct access made = { .token = "rayc_secret", .has_key = true }, read;
    struct diag why = { 0 };
    assert_int_equal(key_make(in_folder("head.key"), &head), OK);
    assert_int_equal(access_load(in_folder("head.key"), &read, &why), ERR_KEY);
    assert_non_null(strstr(why.text, "is the key of a head"));
    assert_int_equal(key_make(in_folder("member.key"), &member), OK);
    made.key.own = member;
    memcpy(made.key.server_text, head.public_text, sizeof(made.key.server_text));
    assert_int_equal(access_save(in_folder("access.key"), &made), OK);
    assert_int_equal(access_load(in_folder("access.key"), &read, &why), OK);
    assert_memory_equal(&read, &made, sizeof(made));
    assert_int_equal(key_load(in_folder("access.key"), &loaded, &why), ERR_KEY);
    assert_non_null(strstr(why.text, "is an access file"));
}

/*  Runs with stderr in a file, and reads what was said. */
static void log_into(const char *path, const char *value)
{
    int saved = dup(STDERR_FILENO);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    log_info("test.event", "value=%s", value);
    log_debug("test.hidden", "value=%s", value);
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    close(fd);
    close(saved);
    assert_int_equal(file_read(path, text, sizeof(text)), OK);
}

static void one_event_is_one_line(void **state)
{
    (void)state;
    unsetenv("RAYC_LOG");
    log_level_set(LOG_LEVEL_INFO);
    log_into(in_folder("log"), "a\nb\x1b[0m\x7f");
    assert_int_equal(strlen(text),
                     strlen("2026-11-21T01:02:03.456Z info test.event value=a\\x0ab\\x1b[0m\\x7f"));
    assert_int_equal(text[10], 'T');
    assert_int_equal(text[23], 'Z');
    assert_string_equal(text + 24, " info test.event value=a\\x0ab\\x1b[0m\\x7f");
    static char large[10000];
    memset(large, 'x', sizeof(large) - 1);
    static char path[PATH_BYTES];
    slice_copy_text(slice_text(in_folder("log")), path, sizeof(path));
    static char line[2 * PATH_BYTES];
    int saved = dup(STDERR_FILENO);
    int fd = open(path, O_RDWR | O_TRUNC | O_CLOEXEC);
    assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    log_warn("test.large", "value=%s", large);
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    close(saved);
    ssize_t n = pread(fd, line, sizeof(line), 0);
    close(fd);
    assert_true(n > 4000 && n < (ssize_t)sizeof(line));
    assert_memory_equal(line + n - 4, "...\n", 4);
}

static void clocks_go_forward(void **state)
{
    (void)state;
    uint64_t ms = clock_ms(), us = clock_us();
    assert_true(clock_ms() >= ms);
    assert_true(clock_us() >= us);
    assert_true(clock_wall_ms() > 1700000000000u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_state_folder_is_found),
        cmocka_unit_test(folders_are_made_with_parents),
        cmocka_unit_test(files_are_replaced_whole),
        cmocka_unit_test(one_process_has_the_lock),
        cmocka_unit_test(hashes_are_blake2b),
        cmocka_unit_test(random_text_is_letters_and_digits),
        cmocka_unit_test(keys_are_for_their_owner_only),
        cmocka_unit_test(a_damaged_key_is_refused),
        cmocka_unit_test(an_access_file_has_the_keys_of_members),
        cmocka_unit_test(one_event_is_one_line),
        cmocka_unit_test(clocks_go_forward),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
