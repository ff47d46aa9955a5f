/*  explained.h - what only the head's memory knows, as JSON: EXPLAINED, which `rayc task explain -o json` prints and GET
    /api/v1/tasks/ID/explain answers, and PLACES of one object, likewise. */
#ifndef RAYC_EXPLAINED_H
#define RAYC_EXPLAINED_H
#include <jansson.h>
#include "proto/proto.h"

json_t *explained_json(const struct msg_explained *told);
bool explained_ended(const json_t *explained);
/*  Which knows no more how it ended, but its row does. */
void explained_add_end(json_t *explained, const json_t *row);
/*  What to ask where the object of this row of the view `object` is; false: it is no such row. */
bool object_of_row(const json_t *row, struct rec_object *out);
/*  The answer into the row: which nodes have a copy, the primary first; SPILLED: that one, on disk. */
void object_add_places(json_t *row, const struct msg_places *told);
/*  Units of a resource as people count them: bytes of memory, CPUs of 10000 units. */
double reason_amount(const struct rec_reason *reason, uint64_t units);
#endif
