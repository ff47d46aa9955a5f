/*  shell.h - the head as a process: its folder, its lock, its loop. */
#ifndef RAYC_SHELL_H
#define RAYC_SHELL_H
#include "common/exposition.h"
#include "common/base.h"
#include "common/err.h"
#include "head/core/core.h"
#include "head/http.h"

struct shell_options {
    const char *state_dir;  /* NULL: as common/file.h says */
    const char *address;    /* as ZeroMQ binds it */
    const char *key_file;   /* NULL: without a key, which only a loopback or ipc address may be */
    const char *access_dir; /* NULL: access files are made in the state folder */
    const char *pid_file;   /* NULL: none */
    const char *http_host;
    const char *http_names[HTTP_NAMES_MAX]; /* that Host may have, beside addresses and localhost */
    uint32_t http_name_count;
    enum metric_prefix metrics_prefix;
    int http_port; /* 0: any; else HTTP_PORT_... */
    struct config config;
};

/*  Runs until SIGTERM or SIGINT (returns OK), or until it must not go on. */
MUST_CHECK int shell_run(const struct shell_options *options);
#endif
