/*  study.h - studies, what their trials report, what their drivers decide.  Private to head/core. */
#ifndef RAYC_CORE_STUDY_H
#define RAYC_CORE_STUDY_H
#include "head/core/core.h"

void on_study_open(struct core *core, uint32_t peer, const struct msg_study_open *msg);
void on_trials(struct core *core, uint32_t peer, const struct msg_trials *msg);
void on_report(struct core *core, uint32_t peer, const struct msg_report *msg);
void on_decide(struct core *core, uint32_t peer, const struct msg_decide *msg);
void on_study_end(struct core *core, uint32_t peer, const struct msg_study_end *msg);
void on_study_stop(struct core *core, uint32_t peer, const struct msg_study_stop *msg);
void study_restore(struct core *core, const struct restored *row);
void study_left(struct core *core, uint32_t session);    /* its session drives it no more */
void study_resumed(struct core *core, uint32_t session); /* its peer may have missed something */
void study_scan(struct core *core);
void study_synced(struct core *core, uint32_t session); /* more of the rows is on the disk */
#endif
