/*  store_restore.c - the rows that the core needs after a start, read in the order of struct
    restored. */
#include "head/store_inside.h"

#include "common/ids.h"

struct restoring {
    struct store *store;
    void (*each)(void *context, const struct restored *row);
    void *context;
};

typedef void restore_row(sqlite3_stmt *from, struct restored *to);

static void fill_epoch(sqlite3_stmt *from, struct restored *to)
{
    to->epoch = column_u64(from, 0);
    to->node_last = column_u64(from, 1);
    to->report_last = column_u64(from, 2);
    to->job_last = column_u64(from, 3);
    to->session_last = column_u64(from, 4);
}

static void fill_user(sqlite3_stmt *from, struct restored *to)
{
    to->user = (struct row_user_put){ .id = column_u64(from, 0),
                                      .name = column_slice(from, 1),
                                      .role = column_u32(from, 2),
                                      .disabled = column_u32(from, 3),
                                      .jobs_max = column_u64(from, 4),
                                      .tasks_max = column_u64(from, 5),
                                      .created_ms = column_u64(from, 6),
                                      .object_bytes_max = column_u64(from, 7) };
}

static void fill_token(sqlite3_stmt *from, struct restored *to)
{
    to->token.row = (struct row_token_new){ .id = column_u64(from, 0),
                                            .user = column_u64(from, 1),
                                            .role = column_u32(from, 2),
                                            .hash = column_slice(from, 3),
                                            .expires_ms = column_u64(from, 4) };
    to->token.revoked = column_u64(from, 5) != 0;
}

static void fill_job(sqlite3_stmt *from, struct restored *to)
{
    to->job.id = column_u64(from, 0);
    to->job.submission = column_slice(from, 1);
    to->job.digest = column_slice(from, 2);
    to->job.entrypoint = column_slice(from, 3);
    to->job.message = column_slice(from, 4);
    to->job.kind = column_u32(from, 5);
    to->job.durability = column_u32(from, 6);
    to->job.detached = column_u32(from, 7);
    to->job.state = column_u32(from, 8);
    to->job.stopping = column_u32(from, 9);
    to->job.array_first = column_u64(from, 10);
    to->job.array_last = column_u64(from, 11);
    to->job.created_ms = column_u64(from, 12);
    to->job.started_ms = column_u64(from, 13);
    to->job.ended_ms = column_u64(from, 14);
    to->job.total = column_u64(from, 15);
    to->job.finished = column_u64(from, 16);
    to->job.failed = column_u64(from, 17);
    to->job.exit_code = sqlite3_column_int(from, 18);
    to->job.owner = column_u64(from, 19);
    to->job.error = column_u32(from, 20);
    to->job.waits = column_slice(from, 21);
}

static void fill_session(sqlite3_stmt *from, struct restored *to)
{
    to->session.id = column_u64(from, 0);
    to->session.job = column_u64(from, 1);
    to->session.low = column_u64(from, 2);
    to->session.closed = column_u32(from, 3);
    to->session.last = column_u64(from, 4) & TASK_COUNTER_MAX;
    to->session.high = column_u64(from, 5);
    to->session.nested = column_u32(from, 6);
    to->session.refs = column_u64(from, 7);
    to->session.root = column_u64(from, 8);
}

static void fill_spec(sqlite3_stmt *from, struct restored *to)
{
    to->spec.id = column_u64(from, 0);
    to->spec.session = column_u64(from, 1);
    to->spec.idx = column_u32(from, 2);
    to->spec.record = column_slice(from, 3);
}

static void fill_node(sqlite3_stmt *from, struct restored *to)
{
    to->node.id = column_u64(from, 0);
    to->node.key = column_slice(from, 1);
    to->node.name = column_slice(from, 2);
    to->node.capacity = column_slice(from, 3);
    to->node.dead = column_u32(from, 4);
    to->node.draining = column_u32(from, 5);
    to->node.drain_ms = column_u64(from, 6);
    to->node.drain_until_ms = column_u64(from, 7);
    to->node.labels = column_slice(from, 8);
}

static void fill_task(sqlite3_stmt *from, struct restored *to)
{
    to->task.id = column_u64(from, 0);
    to->task.spec = column_u64(from, 1);
    to->task.state = column_u32(from, 2);
    to->task.submitted_ms = column_u64(from, 3);
    to->task.deps = column_slice(from, 4);
    to->task.attempt = column_u32(from, 5);
    to->task.fence = column_u64(from, 6);
    to->task.charged = column_u32(from, 7);
    to->task.crashes = column_u32(from, 8);
    to->task.cancelled = column_u32(from, 9);
    to->task.args_bytes = column_u32(from, 10);
    to->task.parent = column_u64(from, 11);
    to->task.parent_fence = column_u64(from, 12);
    to->task.actor = column_u64(from, 13);
}

static void fill_actor(sqlite3_stmt *from, struct restored *to)
{
    to->actor.id = column_u64(from, 0);
    to->actor.owner = column_u64(from, 1);
    to->actor.space = column_slice(from, 2);
    to->actor.name = column_slice(from, 3);
    to->actor.made = column_u32(from, 4);
    to->actor.alive = column_u32(from, 5);
    to->actor.killed = column_u32(from, 6);
    to->actor.cause = column_u32(from, 7);
    to->actor.text = column_slice(from, 8);
    to->actor.checkpoint = column_u32(from, 9) != 0;
}

static void fill_lease(sqlite3_stmt *from, struct restored *to)
{
    to->lease.token = column_u64(from, 0);
    to->lease.node = column_u64(from, 1);
    to->lease.first = column_u64(from, 2);
    to->lease.count = column_u64(from, 3);
    to->lease.leased_ms = column_u64(from, 4);
}

static void fill_object(sqlite3_stmt *from, struct restored *to)
{
    to->object.task = column_u64(from, 0);
    to->object.index = column_u32(from, 1);
    to->object.state = column_u32(from, 2);
    to->object.size = column_u64(from, 3);
    to->object.reason = column_u32(from, 4);
    to->object.owned = column_u32(from, 5);
    to->object.rebuilds = column_u32(from, 6);
}

static void fill_hold(sqlite3_stmt *from, struct restored *to)
{
    to->object.task = column_u64(from, 0);
    to->object.index = column_u32(from, 1);
    to->object.session = column_u64(from, 2);
}

static void fill_inside(sqlite3_stmt *from, struct restored *to)
{
    to->object.task = column_u64(from, 0);
    to->object.index = column_u32(from, 1);
    to->object.inside = column_slice(from, 2);
}

static void fill_study(sqlite3_stmt *from, struct restored *to)
{
    to->study.id = column_u64(from, 0);
    to->study.name = column_slice(from, 1);
    to->study.state = column_u32(from, 2);
    to->study.session = column_u64(from, 3);
    to->study.decides = column_u32(from, 4);
    to->study.stopping = column_u32(from, 5);
    to->study.saved = column_u64(from, 6);
    to->study.owner = column_u64(from, 7);
}

/*  Of a session, the greatest counter is one look-up at the end of its range of ids.
    Unfinished tasks are looked for above `low` only, and only where a job can still have some. */
static const struct {
    int table;
    restore_row *fill;
    const char *sql;
} reads[] = {
    { RESTORE_EPOCH, fill_epoch,
      "SELECT coalesce((SELECT value FROM meta WHERE key='epoch'),0),"
      " coalesce((SELECT max(id) FROM node),0), coalesce((SELECT max(id) FROM report),0),"
      " coalesce((SELECT value FROM meta WHERE key='job_last'),0),"
      " coalesce((SELECT value FROM meta WHERE key='session_last'),0)" },
    { RESTORE_USER, fill_user,
      "SELECT id,name,role,disabled,jobs_max,tasks_max,created_ms,object_bytes_max FROM user"
      " ORDER BY id" },
    { RESTORE_TOKEN, fill_token,
      "SELECT id,user,role,hash,expires_ms,revoked_ms FROM token ORDER BY id" },
    { RESTORE_JOB, fill_job,
      "SELECT id,submission,digest,entrypoint,message,kind,durability,detached,state,stopping,"
      " array_first,array_last,created_ms,started_ms,ended_ms,total,finished,failed,exit_code,"
      "owner,error,waits"
      " FROM job ORDER BY id" },
    { RESTORE_SESSION, fill_session,
      "SELECT id,job,low,closed,(SELECT max(t.id) FROM task t"
      " WHERE t.id BETWEEN s.id<<40 AND (s.id<<40)+1099511627775),coalesce(high,1099511627776),"
      "nested,refs,root"
      " FROM session s ORDER BY id" },
    { RESTORE_STUDY, fill_study,
      "SELECT id,name,state,session,decides,stopping,saved,owner FROM study ORDER BY id" },
    { RESTORE_SPEC, fill_spec, "SELECT id,session,idx,record FROM spec ORDER BY id" },
    { RESTORE_NODE, fill_node,
      "SELECT id,key,name,capacity,state=3,draining,drain_ms,drain_until_ms,labels FROM node"
      " WHERE state<3 OR id IN (SELECT node FROM lease) ORDER BY id" },
    { RESTORE_ACTOR, fill_actor,
      "SELECT id,owner,space,name,made,alive,killed,cause,text,checkpoint IS NOT NULL FROM actor"
      " WHERE cause=0 OR id IN (SELECT id FROM actor WHERE cause>0 ORDER BY id DESC LIMIT 1024)"
      " ORDER BY cause>0,id" },
    { RESTORE_OBJECT, fill_object,
      "SELECT task,idx,state,size,reason,owned,rebuilds FROM object WHERE state<6 AND "
      "idx<4294967295" },
    { RESTORE_TASK, fill_task,
      "SELECT t.id,t.spec,t.state,t.submitted_ms,t.deps,t.attempt,t.fence,t.charged,t.crashes,"
      " t.cancelled,length(t.args),t.parent,t.parent_fence,t.actor FROM session s CROSS JOIN task t"
      " ON t.id BETWEEN (s.id<<40)+s.low AND (s.id<<40)+1099511627775 AND t.state<5"
      " WHERE (SELECT state FROM job WHERE id=s.job)<=2 OR s.id IN"
      "  (SELECT id>>40 FROM actor WHERE cause=0 AND detached=1) OR s.root>0 ORDER BY s.id,t.id" },
    { RESTORE_TASK, fill_task,
      "SELECT t.id,t.spec,t.state,t.submitted_ms,t.deps,t.attempt,"
      " (SELECT max(fence) FROM object WHERE task=t.id),t.charged,t.crashes,"
      " t.cancelled,length(t.args),t.parent,t.parent_fence,t.actor FROM task t WHERE t.state=5"
      " AND t.id IN (SELECT task FROM object WHERE state=4) ORDER BY t.id" },
    { RESTORE_LEASE, fill_lease,
      "SELECT token,node,first,count,leased_ms FROM lease ORDER BY token" },
    { RESTORE_HOLD, fill_hold, "SELECT task,idx,session FROM hold" },
    { RESTORE_INSIDE, fill_inside,
      "SELECT task,idx,inside FROM object WHERE state<6 AND inside IS NOT NULL UNION ALL"
      " SELECT id,4294967294,inside FROM actor WHERE cause=0 AND inside IS NOT NULL" },
};

static int read_table(const struct restoring *self, size_t table)
{
    sqlite3_stmt *rows = NULL;
    int rc = sqlite3_prepare_v2(self->store->db, reads[table].sql, -1, &rows, NULL);
    struct restored row = { .table = reads[table].table };
    while (rc == SQLITE_OK && (rc = sqlite3_step(rows)) == SQLITE_ROW) {
        reads[table].fill(rows, &row);
        self->each(self->context, &row);
        rc = SQLITE_OK;
    }
    rc = rc == SQLITE_DONE ? OK : store_failed(self->store, "restore");
    sqlite3_finalize(rows);
    return rc;
}

int store_restore(struct store *store, void (*each)(void *context, const struct restored *row),
                  void *context)
{
    store_take(store);
    struct restoring self = { store, each, context };
    for (size_t i = 0; i < COUNT(reads); i++) {
        int rc = read_table(&self, i);
        if (rc != OK) {
            return rc;
        }
    }
    return OK;
}

int store_token_named(struct store *self, struct slice name, struct stored_token *io)
{
    sqlite3_stmt *row = NULL;
    store_take(self);
    int rc = sqlite3_prepare_v2(self->db,
                                "SELECT id,revoked_ms,hash FROM token WHERE name=?1 AND id>?2"
                                " ORDER BY id LIMIT 1",
                                -1, &row, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_text(row, 1, (const char *)name.p, (int)name.n, SQLITE_STATIC);
        sqlite3_bind_int64(row, 2, (sqlite3_int64)io->id);
        rc = sqlite3_step(row);
    }
    if (rc == SQLITE_ROW) {
        struct slice hash = column_slice(row, 2);
        io->id = column_u64(row, 0);
        io->revoked = column_u64(row, 1) != 0;
        memset(io->hash, 0, sizeof(io->hash));
        memcpy(io->hash, hash.p, hash.n < sizeof(io->hash) ? hash.n : sizeof(io->hash));
    }
    rc = rc == SQLITE_ROW ? OK : rc == SQLITE_DONE ? ERR_NOT_FOUND : store_failed(self, "token");
    sqlite3_finalize(row);
    return rc;
}
