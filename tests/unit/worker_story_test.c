/*  worker_story_test.c - one long random story of the worker's core: what the head and the executors do is drawn, the
    invariants are checked after each step, and in the end nothing may be lost, reported twice, or still held. */
#include "tests/unit/worker_world.h"
#include "common/prng.h"

enum { STEPS = 100000, TOKENS = 1 << 20, SPECS = 6 };

struct story {
    struct world *world;
    struct prng prng;
    bool joined;
    uint32_t oldest; /* of dones: all before are acknowledged */
    uint64_t epoch, node, token, task;
    uint8_t *expected; /* by token: 1: it was taken and must be reported */
    uint64_t *newest;  /* by task: token of its newest attempt that was taken */
    struct spec_told specs[SPECS];
};

static uint64_t draw(struct story *story, uint64_t bound)
{
    return prng_below(&story->prng, bound);
}

static void story_start(struct story *story)
{
    struct world *world = story->world;
    uint64_t seq = ++world->start_seq;
    uint32_t count = 1 + (uint32_t)draw(story, 12);
    uint64_t first = draw(story, 4) == 0 && story->task > 20 ? 1 + draw(story, story->task - 15)
                                                             : story->task + 1;
    uint64_t offset = story->token + 1 - first;
    if (draw(story, 30) == 0) {
        return; /* lost */
    }
    for (uint32_t i = 0; i < count; i++) {
        uint64_t task = first + i;
        story->task = task > story->task ? task : story->task;
        assert_true(++story->token < TOKENS);
        if (story->joined) {
            story->expected[story->newest[task]] = 0;
            story->newest[task] = story->token;
            story->expected[story->token] = 1;
        }
    }
    const struct spec_told *spec = &story->specs[draw(story, SPECS)];
    for (uint64_t again = draw(story, 20) == 0 ? 2 : 1; again > 0; again--) {
        start_at(world, seq, spec, spec->id, first, count, offset);
    }
}

static void story_connection(struct story *story)
{
    struct world *world = story->world;
    uint64_t what = draw(story, 20);
    if (!story->joined) {
        if (draw(story, 4) == 0) {
            story->epoch++;
            world->start_seq = 0;
        }
        connect_to(world, story->epoch, story->node);
        story->joined = true;
    } else if (what < 3) {
        memset(story->expected, 0, TOKENS);
        world_say(world, MSG_NODE_STOP, &(struct msg_node_stop){ .why = 2 });
        world->start_seq = 0;
        world_say(world, MSG_NODE_JOINED, &(struct msg_node_joined){ .node = ++story->node });
    } else if (what < 8) {
        world_tell(world, (struct worker_event){ .kind = WEV_DISCONNECTED });
        story->joined = false;
    } else if (what < 10) {
        world_say(world, MSG_WHO, &(struct msg_who){ .epoch = story->epoch });
        story->joined = false;
    } else {
        world_say(world, MSG_NODE_BEAT_ACK,
                  &(struct msg_node_beat_ack){ .node = story->node,
                                               .sent_ms = world->now,
                                               .start_sent = world->start_seq,
                                               .doubt = what == 10 });
    }
}

static void story_executor(struct story *story)
{
    struct world *world = story->world;
    uint32_t index = (uint32_t)draw(story, 8);
    struct executor_sim *executor = &world->executors[index];
    if (!executor->live) {
        return;
    }
    if (!executor->up) {
        bool fails = draw(story, 10) == 0;
        executor->up = !fails;
        executor->live = !fails;
        world_tell(world, (struct worker_event){ .kind = fails ? WEV_SPAWN_FAILED : WEV_SPAWNED,
                                                 .executor = index });
        return;
    }
    uint64_t what = draw(story, 100);
    if (what < 3 || (!executor->resident && what < 30)) {
        exited(world, index, (int32_t)draw(story, 3) - 1, "died");
    } else if (what < 50) {
        begin(world, index);
    } else if (what < 52) {
        struct rec_ran wrong = { .number = (uint32_t)draw(story, 300) + executor->begun };
        executor->reported +=
            wrong.number == executor->reported && executor->reported < executor->begun;
        if (wrong.number >= executor->given) {
            world_tell(world,
                       (struct worker_event){ .kind = WEV_RAN, .executor = index, .ran = &wrong });
        }
    } else {
        begin(world, index);
        ran(world, index, (uint32_t)draw(story, OUTCOMES),
            draw(story, 3) ? draw(story, 100) : 20000);
    }
}

static void story_step(struct story *story)
{
    struct world *world = story->world;
    uint64_t what = draw(story, 100);
    world->no_spawn = draw(story, 3) > 0;
    world->no_die = false;
    if (what < 10) {
        story_start(story);
    } else if (what < 14 && story->token > 0) {
        uint64_t task = 1 + draw(story, story->task);
        uint64_t token = draw(story, 4) ? story->newest[task] : 1 + draw(story, story->token);
        recall(world, task, token, (uint32_t)draw(story, 3));
    } else if (what < 20 && world->done_count > 0) {
        while (story->oldest < world->done_count - 1 && world->dones[story->oldest].acknowledged) {
            story->oldest++;
        }
        uint32_t newest = world->done_count - 1;
        uint32_t index = draw(story, 3)
                             ? story->oldest
                             : newest - (uint32_t)draw(story, newest < 50 ? newest + 1 : 50);
        world_ack(world, world->dones[index].report);
    } else if (what < 22) {
        story_connection(story);
    } else if (what < 30) {
        world->now += draw(story, 100);
        world_tell(world, (struct worker_event){ .kind = WEV_TICK });
    } else {
        story_executor(story);
    }
}

/*  All that hinders ends: then all that was taken must be reported. */
static void story_heal(struct story *story)
{
    struct world *world = story->world;
    world->no_spawn = false;
    if (!story->joined) {
        connect_to(world, ++story->epoch, story->node);
    }
    struct worker_stats stats = worker_stats(world->worker);
    for (int round = 0; round < 2000 && stats.waiting + stats.running + stats.unreported > 0;
         round++) {
        for (uint32_t i = 0; i < EXECUTORS; i++) {
            if (world->executors[i].live && !world->executors[i].up) {
                world->executors[i].up = true;
                world_tell(world, (struct worker_event){ .kind = WEV_SPAWNED, .executor = i });
            } else if (world->executors[i].live && !world->executors[i].resident) {
                exited(world, i, 0, "");
            }
        }
        finish_all(world, 10);
        acknowledge_all(world);
        world_wait(world, 20);
        stats = worker_stats(world->worker);
    }
    assert_int_equal(stats.waiting + stats.running + stats.unreported, 0);
}

static void story_init(struct story *story, uint64_t seed, uint32_t reports)
{
    struct worker_limits limits = {
        .attempts = 100, .executors = 6, .specs = SPECS, .reports = reports
    };
    *story = (struct story){
        .world = world_new(40000, 20000, limits), .prng = { seed }, .epoch = EPOCH, .node = NODE
    };
    for (uint32_t i = 0; i < SPECS; i++) {
        story->specs[i] = (struct spec_told){ .id = i + 1,
                                              .kind = i % 3 == 2 ? SPEC_COMMAND : SPEC_FUNCTION,
                                              .cpus = 5000 * (i % 5),
                                              .gpus = i == 1   ? 10000
                                                      : i == 4 ? 3000
                                                               : 0,
                                              .program = i == 3 ? "beef" : "",
                                              .run_ms_max = i == 0 ? 300 : 0 };
    }
    story->expected = calloc(TOKENS, 1);
    story->newest = calloc(TOKENS, sizeof(*story->newest));
    story->world->orphan_ms = 1000000000;
}

/*  `all`: nothing may have been refused without a word, which is allowed when too many reports are under way. */
static void story_judge(const struct story *story, bool all)
{
    uint8_t *seen = calloc(TOKENS, 1);
    for (uint32_t i = 0; i < story->world->done_count; i++) {
        const struct done_seen *done = &story->world->dones[i];
        assert_true(done->token < TOKENS);
        if (done->outcome != OUTCOME_RETURNED) { /* which may be said again, of what is not here */
            assert_false(seen[done->token] & 2);
            seen[done->token] |= 2;
        }
        seen[done->token] |= 1;
    }
    for (uint64_t token = 1; all && token <= story->token; token++) {
        assert_true(!story->expected[token] || seen[token]);
    }
    assert_in_range(story->world->frame_next - story->world->frames_freed, 1, SPECS);
    assert_true(story->world->done_count > 3000);
    free(seen);
}

static void story_run(uint64_t seed, uint32_t reports, bool all)
{
    struct story story;
    story_init(&story, seed, reports);
    for (uint32_t i = 0; i < STEPS; i++) {
        story_step(&story);
    }
    story_heal(&story);
    story_judge(&story, all);
    free(story.expected);
    free(story.newest);
    world_free(story.world);
}

static void test_random(void **state)
{
    (void)state;
    story_run(11, 100000, true);
}

static void test_random_with_few_reports(void **state)
{
    (void)state;
    story_run(12, 20, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_random_with_few_reports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
