/*  tune_trial.c - a trial in C that leaves a trace outside rayc, for tune_kill.sh: a line of parameter `file` for each
    start ("start STUDY/TRIAL EPOCH") and for each answered report ("told STUDY/TRIAL EPOCH ANSWER"). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rayc.h"

enum { EPOCH_NS = 20 * 1000 * 1000 };

static int read_epoch(const char *folder)
{
    char path[4096];
    int epoch = -1;
    snprintf(path, sizeof(path), "%s/epoch", folder);
    FILE *file = fopen(path, "r");
    if (file != NULL && fscanf(file, "%d", &epoch) != 1) {
        epoch = -1;
    }
    if (file != NULL) {
        fclose(file);
    }
    return epoch;
}

static int write_epoch(const char *folder, int epoch)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/epoch", folder != NULL ? folder : "");
    FILE *file = fopen(path, "w");
    int n = file != NULL ? fprintf(file, "%d\n", epoch) : -1;
    return file != NULL && fclose(file) == 0 && n > 0 ? 0 : -1;
}

static void trace(rayc_task *task, const char *what, int epoch, int answer)
{
    char line[128];
    const char *path = rayc_param_text(task, "file");
    int n =
        snprintf(line, sizeof(line), "%s loud/%u %d %d\n", what, rayc_trial(task), epoch, answer);
    int fd = path != NULL ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (fd < 0 || write(fd, line, (size_t)n) != n) {
        abort();
    }
    close(fd);
}

RAYC_TASK(train, task)
{
    const char *from = rayc_checkpoint(task);
    int epoch = from != NULL ? read_epoch(from) : 0;
    if (epoch < 0) {
        return rayc_fail(task, 9, "no epoch in %s", from);
    }
    double x = rayc_param(task, "x"), y = rayc_param(task, "y");
    int last = (int)rayc_param(task, "epochs"), answer = RAYC_GO_ON;
    trace(task, "start", epoch, 0);
    while (epoch < last && answer == RAYC_GO_ON) {
        nanosleep(&(struct timespec){ .tv_nsec = EPOCH_NS }, NULL);
        const char *folder = rayc_checkpoint_dir(task);
        if (write_epoch(folder, ++epoch) < 0) {
            return rayc_fail(task, 8, "%s: %s", folder, strerror(errno));
        }
        rayc_metric metrics[] = { { "loss", x * x + y + 1.0 / epoch }, { "epoch", epoch } };
        answer = rayc_report(task, metrics, 2, folder);
        if (answer < 0) {
            return rayc_fail(task, 2, "%s", rayc_error()->text);
        }
        trace(task, "told", epoch, answer);
    }
    return 0;
}

int main(void)
{
    return rayc_init(NULL) < 0 ? 125 : 0; /* as the executor of a trial it does not return */
}
