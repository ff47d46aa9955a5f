/*  query_study.h - STUDY_READ: a page of a study's rows, as the frame that answers it.

    Beside query_view.h on the same thread and connection. */
#ifndef RAYC_QUERY_STUDY_H
#define RAYC_QUERY_STUDY_H
#include <sqlite3.h>
#include "head/core/core.h"
#include "common/err.h"
#include "proto/proto.h"

struct study_pages { /* scratch, made when it is needed first; zeroed before */
    struct wire elements, frame;
};
void study_pages_free(struct study_pages *self);

/*  *out is malloced: STUDY_ROWS with the seq of the question; study 0 in it: there is none of this name. */
MUST_CHECK int query_study(sqlite3 *db, const struct msg_study_read *ask, struct study_pages *pages,
                           struct slice *out);
/*  May it read the study?  Another user's is answered as if there were none. */
bool query_study_seen(sqlite3 *db, const struct reader *reader, struct slice name);
#endif
