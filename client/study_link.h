/*  study_link.h - a session that drives a study: rows out, reports in, decisions out; part of librayc.

    All of it may be called by one thread, the driver's.  Rows are kept until TRIALS_SAVED and sent again after a
    reconnect; reports that were missed meanwhile are read back (STUDY_READ) before new ones are given out; the last
    decision of each running trial is said again.  Failures are codes of rayc.h, described by rayc_error(). */
#ifndef RAYC_STUDY_LINK_H
#define RAYC_STUDY_LINK_H
#include "client/session.h"

struct study_link;

struct study_open {
    const char *name;
    /*  false: RAYC_ECONFLICT if it exists; true: RAYC_ENOTFOUND if not, RAYC_EBUSY while another drives it */
    bool resume;
    bool decides; /* false: the head answers each report with go on; they are told all the same */
    bool maximize;
    const char *metric;
    uint64_t seed, trials_max;
    struct slice definition;
    const char *settings; /* JSON */
};

/*  Opens the study on a session; *out until study_link_close().  After a resume, study_link_read() gives the rows. */
MUST_CHECK int study_link_open(struct study_link **out, struct session *session,
                               const struct study_open *open);
void study_link_close(
    struct study_link **self); /* without ending the study: it is then INTERRUPTED */

/*  The program whose functions rayc_submit() runs from now on: sent to the head if it is not there.  `path` stays. */
MUST_CHECK int study_link_program(struct session *session, const char *path);

/*  The stored definition of a study, without driving it: RAYC_ENOTFOUND.  Free with reply_free(): as.study_rows. */
MUST_CHECK int study_link_look(struct session *session, const char *name, struct reply *out);

/*  Calls each trial (by number), then each report (by id) of the study as it was when it was opened. */
MUST_CHECK int study_link_read(struct study_link *self,
                               void (*trial)(void *context, const struct rec_trial *),
                               void (*report)(void *context, const struct rec_report *),
                               void *context);

/*  Appends a row to what is to be written, before anything submitted after it.  Copied.  Sent at once in batches:
    at the latest when study_link_wait() is called. */
void study_link_save(struct study_link *self, const struct rec_trial *row);
/*  All rows are committed (RAYC_ETIMEOUT after `seconds`). */
MUST_CHECK int study_link_flush(struct study_link *self, double seconds);

enum study_news { STUDY_NOTHING = 0, STUDY_REPORT, STUDY_TASK_ENDED, STUDY_ASKED_TO_STOP };
/*  Waits for the next thing to happen, at most `seconds`: a report (*report borrows until the next call), one of the
    watched tasks has ended (*task), a user asked to stop (said once), or nothing.  Or a failure of the session. */
int study_link_wait(struct study_link *self, double seconds, struct rec_report *report,
                    rayc_ref *task);
/*  The task id that the next rayc_submit() of this thread gives out, if no other thread submits. */
uint64_t study_link_next_task(const struct study_link *self);
/*  study_link_wait() is to tell when this task has ended; it is forgotten then. */
void study_link_watch(struct study_link *self, rayc_ref task);
/*  Answers a report.  Sent at once when study_link_wait() is called next, with others. */
void study_link_decide(struct study_link *self, const struct rec_report *report,
                       enum decision decision, const char *why);
/*  The study has ended; returns when that is synced. */
MUST_CHECK int study_link_end(struct study_link *self, enum study_state state, const char *why);
#endif
