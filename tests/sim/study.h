/*  study.h - of the simulated world: programs that drive studies, and what the rows say of those (study.c, study_rows.c). */
#ifndef RAYC_SIM_STUDY_H
#define RAYC_SIM_STUDY_H
#include "head/rows.h"
#include "proto/proto.h"

struct sim;
struct client;
struct studies_seen;
struct ask;

struct driven { /* the study of a client */
    bool wanted, decides, resume, opened, lost, stop, ends, ended;
    uint32_t name, tries, planned;
    uint64_t id, seq, asked_ms, stop_other_ms;
    uint64_t made, saved, sent, progress_ms; /* seqs of TRIALS */
};

void study_draw(struct sim *sim, struct client *self);
void study_tick(struct sim *sim, struct client *self);
void study_ready(struct client *self);                   /* a new connection */
bool study_settled(const struct client *self);           /* it may make calls */
bool study_ending(struct sim *sim, struct client *self); /* true: it may not leave yet */
void study_message(struct sim *sim, struct client *self, const struct msg *msg);
bool study_refused(struct client *self, const struct msg_refused *msg);
uint32_t study_rows_of(uint64_t seq, uint32_t i); /* number of the i-th row of a TRIALS; NONE */
uint64_t study_tag(const struct client *self, uint64_t seq);
void seen_study_new(struct sim *sim, const void *from);
void seen_study_file(struct sim *sim, const void *from);
void seen_study_taken(struct sim *sim, const void *from);
void seen_study_state(struct sim *sim, const void *from);
void seen_study_saved(struct sim *sim, const void *from);
void seen_trial(struct sim *sim, const void *from);
void seen_report(struct sim *sim, const void *from);
struct study_seen *oracle_study(struct sim *sim, uint64_t id); /* NULL: no row */
struct report_seen *oracle_report(struct sim *sim, uint64_t token, uint32_t number);
uint64_t oracle_saved(struct sim *sim, uint64_t session, uint64_t seq); /* its commit; 0: none */
void studies_sent(struct sim *sim, const struct msg *msg);              /* as rule_sent() */
void studies_check(struct sim *sim, const struct client *self); /* what was acknowledged is there */
void studies_fini(struct studies_seen *self);
void studies_cut(struct sim *sim); /* after a power cut */
void studies_end(struct sim *sim);

/*  report.c: reports of trials, until they are decided on. */
void report_made(struct sim *sim, uint32_t node, const struct ask *ask);
void reports_again(struct sim *sim, uint32_t node); /* the node has joined */
void report_decided(struct sim *sim, uint32_t node, const struct msg_decided *msg);
bool report_right(const struct rec_report *report); /* it is as its trial made it */
#endif
