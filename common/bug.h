/*  bug.h - places where the simulator plants a bug, to prove that it would find it.  Nothing outside of its build:
    there RAYC_SIM_BUGS is not defined and RAYC_BUG(NAME) is the constant false. */
#ifndef RAYC_BUG_H
#define RAYC_BUG_H
#include "common/base.h"

#ifdef RAYC_SIM_BUGS /* the name of the table, in quotes */
enum bug {
    BUG_NONE = 0,
#define BUG(NAME, text) BUG_##NAME,
#include RAYC_SIM_BUGS
#undef BUG
    BUGS
};
extern enum bug rayc_bug;
#define RAYC_BUG(NAME) (rayc_bug == BUG_##NAME)
#else
#define RAYC_BUG(NAME) false
#endif
#endif
