/*  options.h - rayc_options checked by Ray's rules and written as a SPEC of the protocol. */
#ifndef RAYC_OPTIONS_H
#define RAYC_OPTIONS_H
#include "client/rayc.h"
#include "common/base.h"
#include "proto/proto.h"

enum { RETRY_CODES_MAX = 64, AMOUNT_BYTES = RESOURCE_NAME_MAX + 16, CODE_BYTES = 8 };

/*  A SPEC under construction, with room for its lists.  `record` borrows the strings of the
    options. */
struct spec_draft {
    struct rec_spec record;
    uint8_t demand[RESOURCES_MAX * AMOUNT_BYTES];
    uint8_t codes[RETRY_CODES_MAX * CODE_BYTES];
};

/*  The options with every field set: of an older program, or NULL, the rest are defaults.
    RAYC_EINVALID. */
int options_complete(rayc_options *out, const rayc_options *given);
bool options_same(const rayc_options *a, const rayc_options *b); /* both complete */

/*  Fills what options say: demand, retries, limits, strategy.  RAYC_EINVALID: rayc_error() names
    the option. */
int options_draft(struct spec_draft *out, const rayc_options *complete);
#endif
