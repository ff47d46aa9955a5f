/*  spec_options.h - readers of single keys: those that spec_keys.def calls OWN. */
#ifndef RAYC_TUNE_SPEC_OPTIONS_H
#define RAYC_TUNE_SPEC_OPTIONS_H
#include "client/tune/spec_inside.h"

#define KEY(section, key, type, member, least, most)
#define OWN(section, key, function)                                                                \
    MUST_CHECK int function(struct reader *self, const struct yaml_node *node, const char *field);
#define LATER(section, key)
#define SAME(section, key, ours)
#define NOT_DUE(section, key)
#define SHORT(key, section, of)
#include "client/tune/spec_keys.def"
#undef KEY
#undef OWN
#undef LATER
#undef SAME
#undef NOT_DUE
#undef SHORT

/*  A resource by a name of the cluster's own ("moon: 1"). */
MUST_CHECK int resource_other_read(struct reader *self, const struct yaml_node *key,
                                   const struct yaml_node *node, const char *field);
#endif
