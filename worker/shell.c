/*  shell.c - one thread, one place that sleeps (wait_for_news), one that reads the clock (read_clock).

    A turn takes all that has come, steps the core for each piece, and does what it says, in order.  Nothing waits for
    a batch to fill: batches are what has come meanwhile. */
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "common/access.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/link.h"
#include "common/log.h"
#include "worker/shell_state.h"

enum { FRAMES_PER_TURN = 64, NEWS_PER_WAIT = 64, EXIT_BUG = 70 };

static void end(struct shell *self, int code)
{
    self->ended = true;
    self->exit_code = code;
}

/* --- acts ------------------------------------------------------------------------------------------------- */

static void send_bytes(struct shell *self, struct slice frame)
{
    if (link_send(self->link, frame.p, frame.n)) {
        log_error("link.send", "bytes=%zu",
                  frame.n); /* as if it was lost under way: it will be said again */
    }
    self->link_waits = true;
}

static void send_msg(struct shell *self, enum msg_kind kind, const void *msg)
{
    proto_put(&self->sends.frame, kind, msg);
    ensure(!self->sends.frame.full);
    send_bytes(self, slice_of(self->sends.frame.p, self->sends.frame.n));
    encoder_reset(&self->sends);
}

static void report_end(struct shell *self)
{
    if (self->report == 0) {
        return;
    }
    struct wire *frame = &self->sends.frame;
    struct msg_done done = { .seq = self->report,
                             .node = worker_stats(self->core).node,
                             .done = encoder_list(&self->sends) };
    proto_put(frame, MSG_DONE, &done);
    ensure(!frame->full);
    kept_reports_add(&self->reports, self->report, slice_of(frame->p, frame->n));
    if (self->report_now) {
        send_bytes(self, slice_of(frame->p, frame->n));
    }
    encoder_reset(&self->sends);
    self->report = 0;
}

static void report_add(struct shell *self, const struct act *act)
{
    if (act->unseal) {
        node_store_drop_task(self->store, act->as.done.task);
    }
    if (self->report != act->report) {
        report_end(self);
        self->report = act->report;
        self->report_now = act->how == 1;
    }
    encoder_add(&self->sends, REC_DONE, &act->as.done);
}

static void resend(struct shell *self, uint64_t report)
{
    struct slice frame = kept_reports_find(&self->reports, report);
    ensure(frame.n > 0);
    send_bytes(self, frame);
}

/*  The core knows nothing of the store: how full it is comes from there. */
static void send_beat(struct shell *self, const struct msg_node_beat *msg)
{
    struct node_store_stats store = node_store_stats(self->store);
    struct msg_node_beat beat = *msg;
    beat.store_used = store.used - store.free;
    beat.store_spilled = store.disk;
    send_msg(self, MSG_NODE_BEAT, &beat);
}

static void carry_out(struct shell *self, const struct act *act)
{
    if (act->kind != ACT_REPORT) {
        report_end(self);
    }
    if (act->kind != ACT_GIVE) {
        executors_give_end(self->executors);
    }
    switch (act->kind) {
    case ACT_SEND:
        if (act->as.msg.kind == MSG_NODE_BEAT) {
            send_beat(self, &act->as.msg.as.node_beat);
        } else {
            send_msg(self, act->as.msg.kind, &act->as.msg.as);
        }
        break;
    case ACT_REPORT:
        report_add(self, act);
        break;
    case ACT_RESEND:
        resend(self, act->report);
        break;
    case ACT_FORGET:
        kept_reports_free(&self->reports, act->report);
        break;
    case ACT_FETCH:
        if (act->package) {
            packages_want(self->packages, act->hash, act->user);
        } else {
            packages_want_program(self->packages, act->hash);
        }
        fetches_want(self->fetches, act->hash);
        break;
    case ACT_PULL:
        wanted_pull(self->wanted, act);
        break;
    case ACT_SPAWN:
        executors_spawn(self->executors, act, worker_stats(self->core).node);
        break;
    case ACT_GIVE:
        executors_give(self->executors, act);
        break;
    case ACT_TAKE_BACK:
        executors_take_back(self->executors, act->executor);
        break;
    case ACT_KILL:
        executors_kill(self->executors, act->executor, act->how);
        break;
    case ACT_FREE_FRAME:
        kept_frames_free(&self->frames, act->frame);
        break;
    case ACT_EXIT:
        end(self, act->how == 1 ? SHELL_AGAIN : 0);
        break;
    }
}

/*  Does what the core says; then nothing borrows from this turn's events any more. */
static void settle(struct shell *self)
{
    struct worker_batch batch;
    while (worker_ready(self->core, &batch)) {
        for (uint32_t i = 0; i < batch.act_count; i++) {
            carry_out(self, &batch.acts[i]);
        }
        report_end(self);
        executors_give_end(self->executors);
    }
    self->deadline_ms = batch.deadline_ms;
    self->steps = 0;
    executors_settled(self->executors);
}

static void step(struct shell *self, struct worker_event *event)
{
    event->now_ms = self->now_ms;
    event->wall_ms = self->wall_ms;
    worker_step(self->core, event);
    if (++self->steps == WORKER_EVENTS_PER_TURN) {
        settle(self);
    }
}

/* --- the head --------------------------------------------------------------------------------------------- */

static void set_joined(struct shell *self, uint64_t node)
{
    bool joined = node != 0;
    node_http_joined(self->http, node, worker_stats(self->core).cluster);
    fetches_joined(self->fetches, joined);
    tails_joined(self->tails, joined);
    asks_joined(self->asks, joined);
    stock_joined(self->stock, node);
    store_socket_joined(self->store_socket, node, worker_stats(self->core).cluster);
    carry_lost(self->carry);
    wanted_joined(self->wanted, node);
}

/*  What is the shell's own business; the core sees every message, too. */
static void look_at(struct shell *self, const struct msg *msg)
{
    if (msg->kind == MSG_PROGRAM_DATA) {
        fetches_on_data(self->fetches, &msg->as.program_data);
    } else if (msg->kind == MSG_LOG_ACK) {
        tails_on_ack(self->tails, &msg->as.log_ack);
    } else if (msg->kind == MSG_OBJECT_DROP) {
        stock_on_drop(self->stock, &msg->as.object_drop);
    } else if (msg->kind == MSG_OBJECT_KEEP) {
        stock_on_keep(self->stock, &msg->as.object_keep);
    } else if (msg->kind == MSG_STOCK_ACK) {
        stock_on_ack(self->stock, &msg->as.stock_ack);
    } else if (msg->kind == MSG_DECIDED) {
        asks_on_decided(self->asks, &msg->as.decided);
    } else if (msg->kind == MSG_TOKEN_MAY) {
        node_http_answer(self->http, &msg->as.token_may);
        store_socket_answer(self->store_socket, &msg->as.token_may);
        carry_answer(self->carry, &msg->as.token_may);
    } else if (msg->kind == MSG_PLACES) {
        wanted_places(self->wanted, &msg->as.places);
    } else if (msg->kind == MSG_NODE_JOINED && worker_joins(self->core)) {
        set_joined(self, msg->as.node_joined.node);
        executors_joined(self->executors, &msg->as.node_joined);
    } else if (msg->kind == MSG_WHO) {
        set_joined(self, 0);
    } else if (msg->kind == MSG_REFUSED) {
        log_error("head.refused", "code=%s text=\"%.*s\"", err_name(msg->as.refused.code),
                  (int)msg->as.refused.text.n, (const char *)msg->as.refused.text.p);
    }
}

static void on_frame(struct shell *self, struct link_frame *frame)
{
    struct msg msg;
    struct diag why;
    if (proto_decode(frame->bytes, &msg, &why)) {
        log_warn("head.frame", "why=\"%s\"", why.text);
        link_frame_free(frame);
        return;
    }
    look_at(self, &msg);
    uint32_t number = kept_frames_add(&self->frames, frame);
    step(self, &(struct worker_event){ .kind = WEV_MESSAGE, .msg = &msg, .frame = number });
}

/*  Read anew for each connection: of its access file, else of the one beside its folder, else as clients do.  An
    embedded worker starts together with its head, which makes that file. */
static void find_token(const struct shell *self, char token[ACCESS_TOKEN_MAX + 1])
{
    char path[PATH_BYTES];
    struct access from = { 0 };
    struct diag why;
    if (self->config->key_file && access_load(self->config->key_file, &from, &why) != OK) {
        from.token[0] = 0;
    }
    if (from.token[0] == 0 &&
        file_path(path, sizeof(path), self->config->dir, "../worker.key") == OK &&
        access_load(path, &from, &why) != OK) {
        from.token[0] = 0;
    }
    memcpy(token, from.token, sizeof(from.token));
    explicit_bzero(&from, sizeof(from));
    if (token[0] == 0) {
        token_find("worker.key", NULL, token);
    }
}

static void take_link(struct shell *self)
{
    char token[ACCESS_TOKEN_MAX + 1];
    struct link_frame frame;
    self->link_waits = true;
    for (int n = 0; n < FRAMES_PER_TURN && self->link_waits; n++) {
        switch (link_next(self->link, &frame)) {
        case LINK_NOTHING:
            self->link_waits = false;
            break;
        case LINK_UP:
            log_info("head.connected", "address=%s", self->config->address);
            find_token(self, token);
            carry_say_token(self->carry, token);
            step(self, &(struct worker_event){ .kind = WEV_CONNECTED, .text = slice_text(token) });
            break;
        case LINK_DOWN:
            log_warn("head.disconnected", "address=%s", self->config->address);
            set_joined(self, 0);
            step(self, &(struct worker_event){ .kind = WEV_DISCONNECTED });
            break;
        case LINK_REFUSED:
            log_error("head.refused", "address=%s text=\"the head %s\"", self->config->address,
                      link_refusal(self->link).text);
            end(self, err_exit(link_refusal(self->link).code));
            break;
        case LINK_FRAME:
            on_frame(self, &frame);
            break;
        }
    }
}

static void send_wants(struct shell *self)
{
    struct msg_where where;
    struct msg_fetch_failed failed;
    wanted_turn(self->wanted, self->now_ms);
    while (wanted_missing(self->wanted, &failed)) {
        send_msg(self, MSG_FETCH_FAILED, &failed);
    }
    while (wanted_ask(self->wanted, &where)) {
        send_msg(self, MSG_WHERE, &where);
    }
}

/*  Reports, output and programs: what goes to the head beside the core's messages. */
static void send_streams(struct shell *self)
{
    struct msg_report report;
    while (asks_next(self->asks, &report)) {
        report.node = worker_stats(self->core).node;
        send_msg(self, MSG_REPORT, &report);
    }
    struct msg_stock stock;
    /*  Behind a NODE_JOIN the head counts anew: what is said now would be taken for the new list. */
    while (!worker_joins(self->core) && stock_next(self->stock, self->now_ms, &stock)) {
        send_msg(self, MSG_STOCK, &stock);
    }
    struct msg_log log;
    struct msg_program_get get;
    struct msg_token_check check;
    bool any = false;
    while (tails_next(self->tails, &log)) {
        send_msg(self, MSG_LOG, &log);
        any = true;
    }
    while (fetches_ask(self->fetches, &get)) {
        send_msg(self, MSG_PROGRAM_GET, &get);
    }
    while (node_http_ask(self->http, &check) || store_socket_ask(self->store_socket, &check) ||
           carry_ask(self->carry, &check)) {
        send_msg(self, MSG_TOKEN_CHECK, &check);
    }
    send_wants(self);
    if (any) {
        executors_on_tails(self->executors);
    }
}

/* --- the node --------------------------------------------------------------------------------------------- */

static void take_spawner(struct shell *self)
{
    struct spawn_event event;
    while (spawner_next(self->spawner, &event)) {
        executors_on_spawner(self->executors, &event);
    }
    if (spawner_dead(self->spawner)) {
        end(self, EXIT_BUG);
    }
}

static void take_signals(struct shell *self)
{
    struct signalfd_siginfo info;
    while (read(self->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        uint32_t grace_ms = info.ssi_signo == SIGTERM ? self->config->drain_ms : 0;
        log_info("worker.stop", "signal=%u grace_ms=%u", info.ssi_signo, grace_ms);
        if (self->stopping) {
            end(self, 0); /* asked twice: at once */
        }
        self->stopping = true;
        step(self, &(struct worker_event){ .kind = WEV_STOP, .until_ms = clock_ms() + grace_ms });
    }
}

/*  A program is here, or an archive that is a package for somebody; or it is not to be had. */
static void take_program(struct shell *self, const struct program_news *news)
{
    packages_fetched(self->packages, news);
    step(self, &(struct worker_event){ .kind = WEV_PROGRAM,
                                       .hash = slice_text(news->hash),
                                       .code = news->code,
                                       .text = slice_text(news->text) });
    settle(self); /* `news` is ours only now */
}

static bool needs(const void *core, const char *hash, uint64_t user)
{
    return worker_needs(core, slice_text(hash), user);
}

static void take_package(struct shell *self, const struct package_news *news)
{
    step(self, &(struct worker_event){ .kind = WEV_PROGRAM,
                                       .hash = slice_text(news->hash),
                                       .package = !news->program,
                                       .user = news->user,
                                       .code = news->code,
                                       .text = slice_text(news->text) });
    settle(self);
}

/*  Events of executors, programs and objects, until there are none: acts may have made new ones. */
static void take_events(struct shell *self)
{
    struct worker_event event;
    struct program_news news;
    struct package_news package;
    struct worker_event pulled;
    enum next next;
    bool again;
    do {
        again = false;
        while ((next = executors_next(self->executors, &event)) == NEXT_EVENT) {
            step(self, &event);
            again = true;
        }
        while (fetches_next(self->fetches, &news)) {
            take_program(self, &news);
            again = true;
        }
        while (wanted_next(self->wanted, &pulled)) {
            step(self, &pulled);
            settle(self); /* its text is ours only now */
            again = true;
        }
        packages_evict(self->packages, needs, self->core);
        while (packages_next(self->packages, &package)) {
            take_package(self, &package);
            again = true;
        }
        settle(self);
    } while (again || next == NEXT_LATER);
}

static void read_clock(struct shell *self)
{
    self->now_ms = clock_ms();
    self->wall_ms = clock_wall_ms();
}

static void tell_stock(struct shell *self)
{
    struct rec_object left;
    stock_look(self->stock);
    while (store_socket_left(self->store_socket, self->now_ms, &left)) {
        stock_tell(self->stock, left.task, left.index);
    }
}

static void turn(struct shell *self)
{
    read_clock(self);
    executors_on_time(self->executors, self->now_ms);
    tails_on_time(self->tails, self->now_ms);
    asks_on_time(self->asks, self->now_ms);
    fetches_on_time(self->fetches, self->now_ms);
    samples_on_time(self->samples, self->now_ms);
    tell_stock(self);
    take_link(self);
    step(self, &(struct worker_event){ .kind = WEV_TICK, .streams = tails_busy(self->tails) });
    take_events(self);
    send_streams(self);
    take_events(self);
}

static int patience(const struct shell *self)
{
    uint64_t due = executors_due(self->executors);
    due = self->deadline_ms < due ? self->deadline_ms : due;
    due = asks_due(self->asks) < due ? asks_due(self->asks) : due;
    due = samples_due(self->samples) < due ? samples_due(self->samples) : due;
    due = wanted_due(self->wanted) < due ? wanted_due(self->wanted) : due;
    uint64_t streams = tails_busy(self->tails)       ? self->now_ms + tails_pause_ms(self->tails)
                       : fetches_busy(self->fetches) ? self->now_ms + FETCHES_MS
                                                     : UINT64_MAX;
    due = streams < due ? streams : due;
    if (self->link_waits || due <= self->now_ms) {
        return 0;
    }
    uint64_t ms = due - self->now_ms;
    return due == UINT64_MAX ? -1 : ms < INT32_MAX ? (int)ms : INT32_MAX;
}

static void wait_for_news(struct shell *self)
{
    struct epoll_event news[NEWS_PER_WAIT];
    int n = epoll_wait(self->epoll, news, NEWS_PER_WAIT, patience(self));
    for (int i = 0; i < n; i++) {
        switch (news[i].data.u64) {
        case FROM_LINK:
        case FROM_PACKAGES:
        case FROM_HTTP:
        case FROM_STORE:
        case FROM_CARRY:
        case FROM_STOCK:
            break; /* every turn asks them */
        case FROM_SPAWNER:
            take_spawner(self);
            break;
        case FROM_SAMPLES:
            samples_take(self->samples, clock_ms());
            break;
        case FROM_SIGNAL:
            take_signals(self);
            break;
        default:
            executors_on_socket(self->executors, (uint32_t)news[i].data.u64, news[i].events);
        }
    }
}

int shell_serve(const struct shell_config *config, struct spawner **spawner)
{
    struct shell self = { .config = config, .spawner = *spawner };
    *spawner = NULL;
    int e = shell_open(&self);
    if (e) {
        log_error("worker.start", "why=\"%s\"", err_text(e));
        end(&self, err_exit(e));
    }
    while (!self.ended) {
        turn(&self);
        if (!self.ended) {
            wait_for_news(&self);
        }
    }
    shell_close(&self);
    return self.exit_code;
}
