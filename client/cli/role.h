/*  role.h - the role that --role names; cmd/token.c has it. */
#ifndef RAYC_CLI_ROLE_H
#define RAYC_CLI_ROLE_H
#include "client/cli/cli.h"

uint32_t cli_role(struct cli *self,
                  int *exit_code); /* 0: not given, or refused: exit_code is set */
#endif
