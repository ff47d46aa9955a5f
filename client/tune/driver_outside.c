/*  driver_outside.c - a stand-in until external.c is there. */
#include "client/tune/driver_outside.h"
int outside_open(struct outside **out, const struct study_spec *spec, const struct study *study){(void)spec;(void)study;*out=NULL;return 0;}
void outside_close(struct outside **self){*self=NULL;}
bool outside_ask(struct outside *self, struct study *study, uint32_t trial, uint64_t now_ms){(void)self;(void)study;(void)trial;(void)now_ms;return false;}
void outside_report(struct outside *self, const struct rec_report *report){(void)self;(void)report;}
void outside_tell(struct outside *self, const struct study *study, uint32_t trial){(void)self;(void)study;(void)trial;}
