/*  explained.h - EXPLAINED as JSON: what `rayc task explain -o json` prints and GET /api/v1/tasks/ID/explain answers. */
#ifndef RAYC_EXPLAINED_H
#define RAYC_EXPLAINED_H
#include <jansson.h>
#include "proto/proto.h"

json_t *explained_json(const struct msg_explained *told);
bool explained_ended(const json_t *explained);
/*  Which knows no more how it ended, but its row does. */
void explained_add_end(json_t *explained, const json_t *row);
/*  Units of a resource as people count them: bytes of memory, CPUs of 10000 units. */
double reason_amount(const struct rec_reason *reason, uint64_t units);
#endif
