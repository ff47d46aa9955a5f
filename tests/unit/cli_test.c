/*  cli_test.c - the parts of the command line that need no cluster, and ask.c against a head that is made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#undef fail /* of cmocka: cli.h has one, too */
#include "client/cli/cli.h"

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

#include "client/cli/probe.c"
#include "client/cli/ask.c"
#include "client/cli/cli.c"
#include "client/cli/command.c"
#include "client/cli/elf.c"
#include "client/cli/options.c"
#include "client/cli/parse.c"
#include "client/cli/progress.c"
#include "client/cli/table.c"
#include "common/near.h"
#include "head/net.h"

static void near_misses(void **state)
{
    (void)state;
    assert_int_equal(near_distance("submit", "submit"), 0);
    assert_int_equal(near_distance("submti", "submit"), 1); /* swapped */
    assert_int_equal(near_distance("", "abc"), 3);
    assert_int_equal(near_distance("kitten", "sitting"), 3);
    char *submit[] = { "sbumit" };
    char *logs[] = { "job", "lgos" };
    char *nothing[] = { "xyzzy", "frob" };
    assert_string_equal(command_near(1, submit), "submit");
    assert_string_equal(command_near(2, logs), "job logs");
    assert_null(command_near(2, nothing));
    struct near near;
    char text[NEAR_LETTERS_MAX + 20];
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = 0;
    near_begin(&near, text);
    near_offer(&near, "limit");
    assert_null(near_found(&near));
}

static void commands_are_found(void **state)
{
    (void)state;
    char *one[] = { "submit", "x" }, *two[] = { "job", "logs", "-f" },
         *other[] = { "job", "submit" };
    int words = 0;
    assert_int_equal(command_find(2, one, &words)->id, CMD_submit);
    assert_int_equal(words, 1);
    assert_int_equal(command_find(3, two, &words)->id, CMD_job_logs);
    assert_int_equal(words, 2);
    assert_int_equal(command_find(2, other, &words)->id, CMD_submit);
    assert_null(command_find(1, two, &words));
    for (int i = 0; i < COMMANDS; i++) {
        assert_non_null(strstr(command_at((enum command_id)i)->examples, "rayc "));
    }
}

/*  Parses words for a command; the text of what is wrong, or NULL. */
static const char *parse(struct options *options, enum command_id id, char **argv, int *first,
                         bool *dashes)
{
    static char why[OPTION_WHY_BYTES];
    int argc = 0;
    while (argv[argc]) {
        argc++;
    }
    options_init(options);
    return options_parse(options, command_at(id), argc, argv, first, dashes, why) == OK ? NULL
                                                                                        : why;
}

static void options_are_parsed(void **state)
{
    (void)state;
    struct options options;
    int first;
    bool dashes;
    char *list[] = { "list", "what",         "--limit",  "7",    "-o",
                     "json", "--filter=a=b", "--filter", "c!=d", NULL };
    assert_null(parse(&options, CMD_job_list, list, &first, &dashes));
    assert_int_equal(options.limit, 7);
    assert_string_equal(options.output, "json");
    assert_int_equal(options.filter.count, 2);
    assert_string_equal(list[first], "what"); /* operands go last */
    assert_false(dashes);

    char *program[] = { "submit", "--cpus", "2", "prog", "--cpus", "3", "--", "x", NULL };
    assert_null(parse(&options, CMD_submit, program, &first, &dashes));
    assert_string_equal(options.cpus, "2");
    assert_string_equal(program[first], "prog"); /* what follows is the program's */
    assert_false(dashes);

    char *command[] = { "submit", "--name", "--", "--", "cmd", "-q", NULL };
    assert_null(parse(&options, CMD_submit, command, &first, &dashes));
    assert_string_equal(options.name, "--");
    assert_true(dashes);
    assert_string_equal(command[first], "cmd");
    assert_false(options.quiet);
    assert_int_equal(options.timeout, OPTION_UNSET);
}

static void wrong_options_are_told(void **state)
{
    (void)state;
    static const struct {
        enum command_id id;
        char *word, *value;
        const char *text;
    } cases[] = {
        { CMD_job_list, "--limti", NULL, "did you mean '--limit'?" },
        { CMD_job_list, "--array", "1-2", "belongs to 'submit'" },
        { CMD_job_get, "--filter", "status=FAILED", "belongs to 'status'" },
        { CMD_job_list, "--version", NULL, "belongs to 'rayc itself'" },
        { CMD_job_list, "-Z", NULL, "unknown option '-Z'" },
        { CMD_job_list, "--limit", NULL, "needs an argument: N" },
        { CMD_job_list, "-o", NULL, "needs an argument" },
        { CMD_job_list, "--limit", "-3", "0 or more" },
        { CMD_job_list, "--limit", "3x", "0 or more" },
        { CMD_job_list, "--limit", "99999999999999999999", "0 or more" },
        { CMD_job_list, "--output", "jsn", "did you mean 'json'?" },
        { CMD_job_list, "--quiet=yes", NULL, "takes no argument" },
        { CMD_job_wait, "--timeout", "1y", "is not a time" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct options options;
        int first;
        bool dashes;
        char *argv[] = { "x", cases[i].word, cases[i].value, NULL };
        const char *why = parse(&options, cases[i].id, argv, &first, &dashes);
        assert_non_null(why);
        print_message("%s\n", why);
        assert_non_null(strstr(why, cases[i].text));
    }
}

static void texts_are_parsed(void **state)
{
    (void)state;
    int64_t ms;
    assert_int_equal(time_parse("90", &ms), OK);
    assert_int_equal(ms, 90000);
    assert_int_equal(time_parse("1.5m", &ms), OK);
    assert_int_equal(ms, 90000);
    assert_int_equal(time_parse("250ms", &ms), OK);
    assert_int_equal(ms, 250);
    const char *const times[] = { "", "x", "-1", "nan", "inf", "1e300", "1 s", "60d" };
    for (size_t i = 0; i < COUNT(times); i++) {
        assert_int_equal(time_parse(times[i], &ms), ERR_INVALID);
    }
    uint64_t first, last;
    assert_int_equal(array_parse("0-18446744073709551615", &first, &last), OK);
    assert_int_equal(last, UINT64_MAX);
    const char *const arrays[] = {
        "", "1", "1-", "-1", "1-2-3", "2-1", "1-99999999999999999999", "1--2", " 1-2", "a-b"
    };
    for (size_t i = 0; i < COUNT(arrays); i++) {
        assert_int_equal(array_parse(arrays[i], &first, &last), ERR_INVALID);
    }
    int codes[4];
    size_t count;
    bool any;
    assert_int_equal(codes_parse("any", codes, 4, &count, &any), OK);
    assert_true(any);
    assert_int_equal(codes_parse("1,75", codes, 4, &count, &any), OK);
    assert_true(count == 2 && codes[1] == 75 && !any);
    const char *const lists[] = { "", "0", "256", "1,", ",1", "1;2", "1,2,3,4,5", "-1" };
    for (size_t i = 0; i < COUNT(lists); i++) {
        assert_int_equal(codes_parse(lists[i], codes, 4, &count, &any), ERR_INVALID);
    }
    uint64_t bytes;
    assert_int_equal(bytes_parse("1.5G", &bytes), OK);
    assert_int_equal(bytes, 3ull << 29);
    assert_int_equal(bytes_parse("2MiB", &bytes), OK);
    assert_int_equal(bytes, 2 << 20);
    const char *const sizes[] = { "", "G", "-1", "1X", "1GG", "inf", "1e30" };
    for (size_t i = 0; i < COUNT(sizes); i++) {
        assert_int_equal(bytes_parse(sizes[i], &bytes), ERR_INVALID);
    }
}

static void tables_fit(void **state)
{
    (void)state;
    static const struct column columns[] = { { .flags = 0 },
                                             { .flags = COLUMN_SHRINKS },
                                             { .flags = COLUMN_SHRINKS } };
    unsigned widths[] = { 12, 40, 20 };
    table_layout(widths, columns, 3, 100);
    assert_int_equal(widths[1], 40);
    table_layout(widths, columns, 3, 46);
    assert_int_equal(widths[0] + widths[1] + widths[2] + 4, 46);
    assert_int_equal(widths[0], 12);
    table_layout(widths, columns, 3, 1); /* impossible: as narrow as it gets */
    assert_true(widths[0] == 12 && widths[1] == 8 && widths[2] == 8);
    assert_int_equal(text_letters("a\u2026b"), 3);
    assert_int_equal(text_bytes("a\u2026b", 2), 4);
    assert_int_equal(text_letters("\u65e5\u672c"), 4);  /* a wide letter takes two columns, */
    assert_int_equal(text_bytes("\u65e5\u672c", 3), 3); /* and no half of one is shown */
    assert_int_equal(text_letters("e\u0301"), 1);
}

static void text_is_cleaned(void **state)
{
    (void)state;
    char out[64];
    assert_string_equal(text_clean(slice_text("a\033[31m\n\tb\x7f"), out, sizeof(out)),
                        "a\\x1b[31m\\n\\tb\\x7f");
    assert_string_equal(text_clean(slice_text("\u00e4 \xc2\x85"), out, sizeof(out)),
                        "\u00e4 \\x85");
    assert_string_equal(text_clean(slice_text("a\u202egnp\u2066\u200f\u2026"), out, sizeof(out)),
                        "a\\u202egnp\\u2066\\u200f\u2026"); /* what would turn it round is shown */
    assert_string_equal(text_clean(slice_text("\033\033"), out, 6),
                        "\\x1b"); /* an escape is whole, or not there */
}

static void progress_is_drawn(void **state)
{
    (void)state;
    char out[128];
    struct msg_job_state job = {
        .state = JOB_RUNNING, .total = 1000, .finished = 510, .failed = 2, .running = 8
    };
    assert_string_equal(progress_line(&job, out, sizeof(out)),
                        "[##########..........] 512/1000 running 8 failed 2");
    job = (struct msg_job_state){ .state = JOB_PENDING,
                                  .message = slice_text("waiting: no worker"),
                                  .total = 5 };
    assert_string_equal(progress_line(&job, out, sizeof(out)), "waiting: no worker");
    job = (struct msg_job_state){ .state = JOB_RUNNING };
    assert_string_equal(progress_line(&job, out, sizeof(out)), "");
}

/* --- programs -------------------------------------------------------------------------------------- */

static const int marker __attribute__((section("rayc_tasks"), used)) =
    1; /* as RAYC_TASK() leaves it */

static void write_file(const char *path, const void *p, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, p, n), n);
    close(fd);
}

static void programs_are_told_apart(void **state)
{
    (void)state;
    (void)marker;
    char path[] = "/tmp/rayc-elf-XXXXXX";
    close(mkstemp(path));
    assert_int_equal(elf_kind("/proc/self/exe"), ELF_WITH_TASKS);
    assert_int_equal(elf_kind("/bin/true"), ELF_WITHOUT_TASKS);
    assert_int_equal(elf_kind("/nonexistent"), ERR_SYSTEM);
    assert_int_equal(elf_kind(path), ELF_NO_PROGRAM); /* empty */
    write_file(path, "#!/bin/sh\n", 10);
    assert_int_equal(elf_kind(path), ELF_SCRIPT);
    write_file(path, "text", 4);
    assert_int_equal(elf_kind(path), ELF_NO_PROGRAM);

    Elf64_Ehdr head;
    int fd = open("/proc/self/exe", O_RDONLY);
    assert_int_equal(read(fd, &head, sizeof(head)), sizeof(head));
    close(fd);
    write_file(path, &head, sizeof(head)); /* its section headers are not there */
    assert_int_equal(elf_kind(path), ELF_DAMAGED);
    write_file(path, &head, 30);
    assert_int_equal(elf_kind(path), ELF_DAMAGED);
    head.e_shoff = UINT64_MAX - 8;
    write_file(path, &head, sizeof(head));
    assert_int_equal(elf_kind(path), ELF_DAMAGED);
    head.e_ident[EI_CLASS] = ELFCLASS32;
    write_file(path, &head, sizeof(head));
    assert_int_equal(elf_kind(path), ELF_FOREIGN);
    unlink(path);
}

/* --- a made-up head -------------------------------------------------------------------------------- */

/*  What it does with one connection: says WELCOME, and answers QUERYs. */
struct act {
    uint32_t major;
    uint64_t epoch;
    int queries; /* ends when it has got so many, without answering the last; 0: when the other side goes */
};

static char address[64];

static void reply(struct net *net, uint32_t peer, enum msg_kind kind, const void *value)
{
    uint8_t bytes[512];
    struct wire wire = { bytes, 0, sizeof(bytes), false };
    proto_put(&wire, kind, value);
    assert_false(wire.full);
    net_send(net, peer, slice_of(wire.p, wire.n));
}

/*  True: this act is over. */
static bool play_frame(struct net *net, const struct act *act, const struct net_event *event,
                       int *queries)
{
    struct msg msg;
    if (proto_decode(event->bytes, &msg, NULL) != OK) {
        return true;
    }
    if (msg.kind == MSG_HELLO) {
        struct msg_welcome welcome = { .seq = msg.as.seq,
                                       .major = act->major,
                                       .epoch = act->epoch,
                                       .beat_ms = 50,
                                       .version = slice_text("9.9.9") };
        reply(net, event->peer, MSG_WELCOME, &welcome);
        return false;
    }
    if (msg.kind == MSG_QUERY) {
        bool last = ++*queries == act->queries;
        if (!last) {
            struct msg_answer answer = { .seq = msg.as.seq, .json = slice_text("{}") };
            reply(net, event->peer, MSG_ANSWER, &answer);
        }
        return last;
    }
    return false;
}

static void play_act(const struct act *act)
{
    struct net *net = NULL;
    int queries = 0, fds[2];
    bool over = false;
    while (net_open(&net, address, NULL) != OK) { /* the one before closes in another thread */
        poll(NULL, 0, 1);
    }
    net_fds(net, fds);
    while (!over) {
        struct net_event event;
        struct pollfd wait[] = { { fds[0], POLLIN, 0 }, { fds[1], POLLIN, 0 } };
        enum net_news news = net_next(net, &event);
        if (news == NET_NOTHING) {
            poll(wait, 2, 10000);
        } else if (news == NET_FRAME) {
            over = play_frame(net, act, &event, &queries);
        } else {
            over = true;
        }
        net_release(net);
    }
    net_close(&net);
}

static void *play(void *acts)
{
    for (const struct act *act = acts; act->major; act++) {
        play_act(act);
    }
    return NULL;
}

static char told[1024];      /* ask_text() at the end */
static uint32_t generations; /* and ask_generation() */

/*  Asks the made-up head `count` times; what came of the last. */
static int ask_acts(struct act *acts, int count)
{
    snprintf(address, sizeof(address), "ipc:///tmp/rayc-ask-%d", (int)getpid());
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, play, acts), 0);
    struct ask *link = NULL;
    struct ask_to to = { .address = address, .first_ms = 20000, .again_ms = 20000 };
    int rc = ask_open(&link, &to);
    for (int i = 0; rc == OK && i < count; i++) {
        struct msg_query query = { .view = slice_text("jobs") };
        struct msg msg;
        rc = ask(link, MSG_QUERY, &query, MSG_ANSWER, &msg);
    }
    slice_copy_text(slice_text(ask_text(link)), told, sizeof(told));
    generations = ask_generation(link);
    ask_close(&link);
    assert_null(link);
    pthread_join(thread, NULL);
    unlink(address + 6);
    return rc;
}

static void another_version_is_refused(void **state)
{
    (void)state;
    struct act acts[] = { { .major = PROTO_MAJOR + 1, .epoch = 1 }, { .major = 0 } };
    assert_int_equal(ask_acts(acts, 0), ERR_VERSION);
    assert_non_null(strstr(told, "9.9.9"));
    assert_non_null(strstr(told, RAYC_VERSION));
    assert_int_equal(err_exit(ERR_VERSION), 8);
}

static void a_request_survives_the_head(void **state)
{
    (void)state;
    struct act acts[] = { { PROTO_MAJOR, 1, 2 }, { PROTO_MAJOR, 2, 0 }, { .major = 0 } };
    assert_int_equal(ask_acts(acts, 2), OK);
    assert_int_equal(generations, 2);
}

static void an_old_head_is_refused(void **state)
{
    (void)state;
    struct act acts[] = { { PROTO_MAJOR, 5, 1 }, { PROTO_MAJOR, 4, 0 }, { .major = 0 } };
    assert_int_equal(ask_acts(acts, 1), ERR_STALE);
    assert_non_null(strstr(told, "epoch 4"));
}

static void nobody_is_unreachable(void **state)
{
    (void)state;
    struct ask *ask = NULL;
    struct ask_to to = { .address = "ipc:///tmp/rayc-nobody-is-here", .first_ms = 50 };
    assert_int_equal(ask_open(&ask, &to), ERR_UNREACHABLE);
    ask_close(&ask);
    to.address = "not an address";
    assert_int_equal(ask_open(&ask, &to), ERR_INVALID);
    ask_close(&ask);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(near_misses),
        cmocka_unit_test(commands_are_found),
        cmocka_unit_test(options_are_parsed),
        cmocka_unit_test(wrong_options_are_told),
        cmocka_unit_test(texts_are_parsed),
        cmocka_unit_test(tables_fit),
        cmocka_unit_test(text_is_cleaned),
        cmocka_unit_test(progress_is_drawn),
        cmocka_unit_test(programs_are_told_apart),
        cmocka_unit_test(another_version_is_refused),
        cmocka_unit_test(a_request_survives_the_head),
        cmocka_unit_test(an_old_head_is_refused),
        cmocka_unit_test(nobody_is_unreachable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
