/*  elf.h - is a file a program with tasks?  RAYC_TASK() of rayc.h leaves a section `rayc_tasks` in it. */
#ifndef RAYC_CLI_ELF_H
#define RAYC_CLI_ELF_H

enum elf_kind {
    ELF_WITH_TASKS = 1,
    ELF_WITHOUT_TASKS,
    ELF_SCRIPT,     /* "#!" */
    ELF_NO_PROGRAM, /* neither */
    ELF_FOREIGN,    /* for another machine */
    ELF_DAMAGED     /* its headers point outside the file */
};

/*  Reads headers only, bounded.  Below zero: ERR_SYSTEM, with errno. */
int elf_kind(const char *path);
#endif
