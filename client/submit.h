/*  submit.h - how a call gets into a session's outbox, for all that submits: functions, commands, actors and their
    methods.  Everything here is called under the session's lock. */
#ifndef RAYC_SUBMIT_H
#define RAYC_SUBMIT_H
#include "client/options.h"
#include "client/session_inside.h"

/*  RAYC_OK, or RAYC_ECLOSED.  Waits while another thread gives the next counter a name: from here on to submit_call()
    the lock must be kept. */
int submit_begin(struct session *self);
/*  Encodes the arguments into self->args and the tasks they wait for into self->deps. */
int submit_args(struct session *self, const rayc_arg *args, size_t count, struct rec_call *call);
/*  The index of a spec, which is the same when all that is asked is the same; *spec (malloced) is set when the head has
    not been told. */
int submit_spec(struct session *self, struct spec_draft *draft, struct wire *spec);
/*  Hands a call over: from now on the head will get it, and its reference waits. */
rayc_ref submit_call(struct session *self, const struct rec_call *call, struct slice spec);
void submit_end(struct session *self); /* what was encoded has been copied: large scratch goes */
rayc_ref submit_failed(struct session *self); /* of this thread's rayc_error() */
#endif
