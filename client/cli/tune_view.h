/*  tune_view.h - a running study for people: a live table on a terminal, a line per trial elsewhere (stderr). */
#ifndef RAYC_CLI_TUNE_VIEW_H
#define RAYC_CLI_TUNE_VIEW_H
#include "client/cli/cli.h"
#include "client/tune/study.h"

struct tune_view {
    const struct cli *cli;
    const struct study_spec *spec;
    const char *name;
    bool terminal;
    uint64_t began_ms, drawn_ms;
    uint32_t lines;  /* that stand on the terminal now */
    uint32_t said;   /* lines in this second: a flood becomes one line a second */
    uint32_t unsaid; /* trials that were left out */
    uint64_t ended;  /* of the trial told last: one that has ended may still report */
};

void tune_view_init(struct tune_view *self, const struct cli *cli, const struct study_spec *spec,
                    const char *name);
/*  driver_config.changed and .warn; `context` is the view. */
void tune_view_changed(void *context, const struct study *study, uint32_t trial);
void tune_view_warn(void *context, const char *text);
/*  Pure: one line each, without control characters. */
enum { VIEW_LINE_BYTES = 1024 };
void view_trial_line(const struct study_spec *spec, const struct study_trial *trial, bool best,
                     char out[VIEW_LINE_BYTES]);
void view_head_line(const struct tune_view *self, const struct study *study, uint64_t now_ms,
                    char out[VIEW_LINE_BYTES]);
void view_best_line(const struct tune_view *self, const struct study *study,
                    char out[VIEW_LINE_BYTES]);
/*  The last picture: on a terminal the table as it is now. */
void tune_view_end(struct tune_view *self, const struct study *study);
#endif
