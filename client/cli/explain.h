/*  explain.h - why a task is not running, for people: of `rayc task explain`, and of a job that waits. */
#ifndef RAYC_CLI_EXPLAIN_H
#define RAYC_CLI_EXPLAIN_H
#include "proto/proto.h"

void explain_print(const struct msg_explained *told);
#endif
