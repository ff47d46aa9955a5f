/*  programs_test.c - a program has its name only when it is whole; nothing leads out of its
    folder. */
#include "head/programs.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>
#include "common/hash.h"
#include "head/package_file.h"
#include "tests/unit/rows_put.h"

enum { PROGRAM_BYTES = 3 * MIB + 5 };

struct fixture {
    char dir[64];
    struct programs *programs;
    uint8_t *bytes;
    char hash[HASH_TEXT_BYTES];
};

static int setup(void **state)
{
    struct fixture *self = calloc(1, sizeof(*self));
    folder_new(self->dir);
    assert_int_equal(programs_open(&self->programs, self->dir), OK);
    self->bytes = malloc(PROGRAM_BYTES);
    for (size_t i = 0; i < PROGRAM_BYTES; i++) {
        self->bytes[i] = (uint8_t)(i * 7 + i / 1000);
    }
    struct hash hash;
    hash_begin(&hash);
    hash_add(&hash, self->bytes, PROGRAM_BYTES);
    hash_end(&hash, self->hash);
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *self = *state;
    programs_close(&self->programs);
    folder_remove(self->dir);
    free(self->bytes);
    free(self);
    return 0;
}

static int put(struct fixture *self, uint64_t offset, size_t n, struct msg_program_has *has)
{
    struct msg_program_put piece = { .hash = slice_text(self->hash),
                                     .offset = offset,
                                     .total = PROGRAM_BYTES,
                                     .data = slice_of(self->bytes + offset, n) };
    return programs_put(self->programs, &piece, has);
}

/*  Sends from `from` on, piece by piece, until the head has all. */
static void put_rest(struct fixture *self, uint64_t from)
{
    struct msg_program_has has = { .offset = from };
    while (!has.complete) {
        size_t left = PROGRAM_BYTES - (size_t)has.offset;
        assert_int_equal(put(self, has.offset, left < CHUNK_MAX ? left : CHUNK_MAX, &has), OK);
    }
    assert_int_equal(has.offset, PROGRAM_BYTES);
}

static int files_in(const char *dir)
{
    int count = 0;
    DIR *names = opendir(dir);
    for (struct dirent *file = readdir(names); file != NULL; file = readdir(names)) {
        count += file->d_name[0] != '.';
    }
    closedir(names);
    return count;
}

static void pieces_become_a_program(void **state)
{
    struct fixture *self = *state;
    struct msg_program_has has;
    uint64_t bytes;
    assert_int_equal(put(self, 0, 0, &has), OK);
    assert_true(has.offset == 0 && !has.complete);
    assert_int_equal(put(self, 0, MIB, &has), OK);
    assert_true(has.offset == MIB && !has.complete);
    assert_int_equal(programs_size(self->programs, slice_text(self->hash), &bytes), ERR_NOT_FOUND);
    put_rest(self, MIB);
    assert_int_equal(programs_size(self->programs, slice_text(self->hash), &bytes), OK);
    assert_int_equal(bytes, PROGRAM_BYTES);
    char path[160];
    struct stat file;
    snprintf(path, sizeof(path), "%s/%s", self->dir, self->hash);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0700);
    assert_int_equal(files_in(self->dir), 1);
    assert_int_equal(put(self, 0, MIB, &has), OK); /* once more changes nothing */
    assert_true(has.complete && has.offset == PROGRAM_BYTES);
}

static void pieces_out_of_place_change_nothing(void **state)
{
    struct fixture *self = *state;
    struct msg_program_has has;
    assert_int_equal(put(self, MIB, MIB, &has), OK);
    assert_int_equal(has.offset, 0);
    assert_int_equal(put(self, 0, 1000, &has), OK);
    assert_int_equal(put(self, 500, 1000, &has), OK);
    assert_int_equal(has.offset, 1000);
    assert_int_equal(put(self, 0, 1000, &has), OK);
    assert_int_equal(has.offset, 1000);
    put_rest(self, 1000);
}

static void program_is_read_in_pieces(void **state)
{
    struct fixture *self = *state;
    put_rest(self, 0);
    uint8_t *copy = malloc(PROGRAM_BYTES);
    struct wire to = { copy, 0, 0, false };
    uint64_t total = 0;
    while (to.n < PROGRAM_BYTES) {
        to.capacity = to.n + 700000 < PROGRAM_BYTES ? to.n + 700000 : PROGRAM_BYTES;
        assert_int_equal(programs_read(self->programs, slice_text(self->hash), to.n, &to, &total),
                         OK);
        assert_int_equal(total, PROGRAM_BYTES);
    }
    assert_memory_equal(copy, self->bytes, PROGRAM_BYTES);
    to.n = 0;
    assert_int_equal(
        programs_read(self->programs, slice_text(self->hash), PROGRAM_BYTES, &to, &total), OK);
    assert_int_equal(to.n, 0);
    free(copy);
}

static void wrong_bytes_are_dropped(void **state)
{
    struct fixture *self = *state;
    struct msg_program_has has = { 0 };
    self->bytes[5] ^= 1;
    int rc = OK;
    while (rc == OK && !has.complete) {
        size_t left = PROGRAM_BYTES - (size_t)has.offset;
        rc = put(self, has.offset, left < CHUNK_MAX ? left : CHUNK_MAX, &has);
    }
    assert_int_equal(rc, ERR_CONFLICT);
    assert_int_equal(files_in(self->dir), 0);
    self->bytes[5] ^= 1;
    put_rest(self, 0);
}

static void names_are_hashes(void **state)
{
    struct fixture *self = *state;
    static const char *const names[] = {
        "", "../../etc/passwd", "..", "ABCDEF",
        "../../../../../../../../../../../../../../../../../../../../etc/"
    };
    for (size_t i = 0; i < COUNT(names); i++) {
        struct msg_program_put piece = { .hash = slice_text(names[i]),
                                         .total = 5,
                                         .data = slice_text("bytes") };
        struct msg_program_has has;
        uint64_t bytes;
        struct wire none = { 0 };
        assert_int_equal(programs_put(self->programs, &piece, &has), ERR_INVALID);
        assert_int_equal(programs_size(self->programs, slice_text(names[i]), &bytes),
                         ERR_NOT_FOUND);
        assert_int_equal(programs_read(self->programs, slice_text(names[i]), 0, &none, &bytes),
                         ERR_NOT_FOUND);
    }
    struct msg_program_put large = { .hash = slice_text(self->hash),
                                     .total = PROGRAM_BYTES_MAX + 1 };
    struct msg_program_has has;
    assert_int_equal(programs_put(self->programs, &large, &has), ERR_INVALID);
    assert_int_equal(files_in(self->dir), 0);
}

/*  A head that was killed leaves its part behind; the next one begins anew. */
static void parts_do_not_survive(void **state)
{
    struct fixture *self = *state;
    char part[160];
    snprintf(part, sizeof(part), "%s/%s.part", self->dir, self->hash);
    FILE *file = fopen(part, "w");
    fputs("half of it", file);
    fclose(file);
    programs_close(&self->programs);
    assert_int_equal(programs_open(&self->programs, self->dir), OK);
    assert_int_equal(files_in(self->dir), 0);
    put_rest(self, 0);
}

static void many_uploads_make_room(void **state)
{
    struct fixture *self = *state;
    struct msg_program_has has;
    assert_int_equal(put(self, 0, 1000, &has), OK);
    for (int i = 0; i < UPLOADS_MAX; i++) {
        char hash[HASH_TEXT_BYTES];
        snprintf(hash, sizeof(hash), "%064x", i);
        struct msg_program_put piece = { .hash = slice_text(hash),
                                         .total = 100,
                                         .data = slice_text("bytes") };
        assert_int_equal(programs_put(self->programs, &piece, &has), OK);
    }
    assert_int_equal(files_in(self->dir), UPLOADS_MAX);
    assert_int_equal(put(self, 1000, 1000, &has), OK);
    assert_int_equal(has.offset, 0);
    put_rest(self, 0);
}

/*  Makes the file as old as one of 1970. */
static void age(const struct fixture *self)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", self->dir, self->hash);
    const struct timespec then[2] = { { 1, 0 }, { 1, 0 } };
    assert_int_equal(utimensat(AT_FDCWD, path, then, 0), 0);
}

struct naming {
    struct fixture *fixture;
    bool named, puts_again; /* as a thread of HTTP's does, just now */
    uint32_t asked;
};

static int named(void *context, const char *hash, bool *out)
{
    struct naming *self = context;
    assert_string_equal(hash, self->fixture->hash);
    self->asked++;
    if (self->puts_again) {
        struct package_file *file;
        char again[HASH_TEXT_BYTES];
        uint64_t bytes;
        assert_int_equal(package_file_open(&file, self->fixture->dir), OK);
        assert_int_equal(package_file_add(file, slice_of(self->fixture->bytes, PROGRAM_BYTES)), OK);
        assert_int_equal(package_file_keep(file, again, &bytes), OK);
        package_file_close(&file);
    }
    *out = self->named;
    return OK;
}

static bool is_here(struct fixture *self)
{
    uint64_t bytes;
    int rc = programs_size(self->programs, slice_text(self->hash), &bytes);
    assert_true(rc == OK ? bytes == PROGRAM_BYTES : rc == ERR_NOT_FOUND);
    return rc == OK;
}

static void sweep(struct naming *self)
{
    while (programs_sweep(self->fixture->programs, 5000, named, self)) {}
}

/*  Only what is old and has no name goes; a question whether it is there makes it young. */
static void old_files_without_a_name_are_swept(void **state)
{
    struct fixture *self = *state;
    struct naming naming = { .fixture = self };
    struct msg_program_has has;
    put_rest(self, 0);
    sweep(&naming);
    assert_true(is_here(self) && naming.asked == 0);
    age(self);
    naming.named = true;
    sweep(&naming);
    assert_true(is_here(self) && naming.asked == 1);
    naming.named = false;
    assert_int_equal(put(self, 0, 0, &has), OK);
    assert_true(has.complete);
    sweep(&naming);
    assert_true(is_here(self) && naming.asked == 1);
    age(self);
    sweep(&naming);
    assert_false(is_here(self));
    assert_int_equal(files_in(self->dir), 0);
    put_rest(self, 0);
    assert_true(is_here(self));
}

static void an_upload_during_a_sweep_stays(void **state)
{
    struct fixture *self = *state;
    struct naming naming = { .fixture = self, .puts_again = true };
    put_rest(self, 0);
    age(self);
    sweep(&naming);
    assert_true(is_here(self) && naming.asked == 1);
    assert_int_equal(files_in(self->dir), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pieces_become_a_program),
        TEST(pieces_out_of_place_change_nothing),
        TEST(program_is_read_in_pieces),
        TEST(wrong_bytes_are_dropped),
        TEST(names_are_hashes),
        TEST(parts_do_not_survive),
        TEST(many_uploads_make_room),
        TEST(old_files_without_a_name_are_swept),
        TEST(an_upload_during_a_sweep_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
