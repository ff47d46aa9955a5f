/*  object_quota.c - bytes of each user's objects in stores: every value once, however many copies it has, from when it is
    sealed until nothing holds it or it is lost.  One that is made again stays counted meanwhile. */
#include "head/core/object_inside.h"

#include "common/bug.h"
#include "common/text.h"

static bool is_counted(const struct object *object)
{
    return object->state == DIRECTORY_STORED || object->state == DIRECTORY_REBUILDING;
}

void object_becomes(struct core *core, struct object *object, enum directory_state state,
                    uint64_t size)
{
    struct user *user = object->user != NONE ? user_at(core, object->user) : NULL;
    if (user != NULL && is_counted(object) &&
        !(RAYC_BUG(QUOTA_LEAKS) && state == DIRECTORY_FREED)) {
        user->object_bytes -= object->size;
    }
    object->state = (uint8_t)state;
    object->size = size;
    if (user != NULL && is_counted(object)) {
        user->object_bytes += size;
    }
}

static uint64_t bytes_of(struct list sealed)
{
    uint64_t bytes = 0;
    struct rec_sealed it;
    while (next_sealed(&sealed, &it)) {
        bytes = it.size < UINT64_MAX - bytes ? bytes + it.size : UINT64_MAX;
    }
    return bytes;
}

static struct slice fault_text(struct core *core, const struct user *user, uint64_t more)
{
    char buffer[512];
    struct text text = text_in(buffer, sizeof(buffer));
    text_add(&text, user->name);
    text_add(&text, " has ");
    text_u64(&text, user->object_bytes);
    text_add(&text, " of ");
    text_u64(&text, user->object_bytes_max);
    text_add(&text, " bytes, and this needs ");
    text_u64(&text, more);
    text_add(&text, ": drop references that nobody needs any more (rayc memory lists them), or ask "
                    "an administrator for more (rayc user set --max-object-bytes)");
    return scratch_put(core, buffer, text.n);
}

static bool fits(const struct user *user, uint64_t more)
{
    uint64_t used = user->object_bytes, most = user->object_bytes_max;
    return more == 0 || most == UINT64_MAX || (more <= most && used <= most - more) ||
           RAYC_BUG(NO_QUOTA);
}

void quota_judge(struct core *core, uint32_t user_index, struct ending *how)
{
    const struct user *user = user_at(core, user_index);
    uint64_t more = bytes_of(how->sealed);
    if (!fits(user, more)) {
        objects_release(core);
    }
    if (!fits(user, more)) {
        how->failure = FAILURE_QUOTA;
        how->value = (struct slice){ 0 };
        how->text = fault_text(core, user, more);
    }
}

void quota_judge_result(struct core *core, const struct task *task, struct ending *how)
{
    if (!(task->flags & TASK_REBUILD)) { /* what is made again is counted already */
        quota_judge(core, task_job(core, task)->user, how);
    }
}

void objects_refused(struct core *core, uint64_t task, struct list sealed, uint64_t node)
{
    uint32_t at = node_find(core, node);
    struct rec_sealed it;
    while (at != NONE && node_at(core, at)->state != NODE_DEAD && next_sealed(&sealed, &it)) {
        uint32_t index = it.size > 0 && object_any(core, task, it.index) == NONE
                             ? object_new(core, task, it.index, DIRECTORY_FREED)
                             : NONE;
        if (index != NONE && copy_add(core, index, at, COPY_PRIMARY) != NONE) {
            copies_drop(core, index);
        } else if (index != NONE) {
            object_forget(core, index);
        }
    }
}

static uint64_t counted_of(const struct core *core, uint32_t user)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < core->objects.all.fresh; i++) {
        const struct object *object = object_at(core, i);
        bool its = object->user != NONE && (user == NONE || object->user == user);
        bytes += its && is_counted(object) ? object->size : 0;
    }
    return bytes;
}

bool quota_check(const struct core *core)
{
    uint64_t all = 0;
    bool ok = true;
    for (uint32_t u = 0; u < core->users.fresh; u++) {
        uint64_t bytes = user_at(core, u)->object_bytes;
        all += bytes;
        ok = ok && (bytes == 0 || bytes == counted_of(core, u));
    }
    return ok && all == counted_of(core, NONE);
}
