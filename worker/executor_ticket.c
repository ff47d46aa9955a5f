/*  executor_ticket.c - the ticket of an attempt, when it asks for one: its program then acts for the owner of its job,
    as drivers and commands do from their start. */
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "common/log.h"
#include "common/ticket.h"
#include "worker/executor_state.h"

void executors_joined(struct executors *self, const struct msg_node_joined *msg)
{
    if (msg->node != 0 && msg->key.n == sizeof(self->ticket_key)) {
        self->node = msg->node;
        memcpy(self->ticket_key, msg->key.p, sizeof(self->ticket_key));
    }
}

void executor_ticket(struct executors *all, uint32_t id, const struct msg_ask *ask)
{
    struct channel_page *page = all->all[id].resident.page;
    if (!asks_may(all->config.asks, id, ask->task, ask->token) || all->node == 0) {
        log_warn("ticket.refused", "executor=%u task=%016llx why=\"it does not run that\"", id,
                 (unsigned long long)ask->task);
        return;
    }
    char text[TICKET_BYTES];
    ticket_text(
        all->ticket_key,
        &(struct ticket){
            .job = all->all[id].job, .task = ask->task, .fence = ask->token, .node = all->node },
        text);
    channel_put_ticket(page, ask->token, text);
    (void)syscall(SYS_futex, &page->ticket_for, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    explicit_bzero(text, sizeof(text));
}
