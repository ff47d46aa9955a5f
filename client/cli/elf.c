/*  elf.c - looks for one section name.  The file is anybody's: every offset is checked against its size. */
#include "client/cli/elf.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/base.h"
#include "common/err.h"

enum { SECTIONS_MAX = 65535 };

static const char section_wanted[] = "rayc_tasks";

struct image {
    int fd;
    uint64_t bytes;
};

static bool read_at(const struct image *self, uint64_t offset, void *out, size_t n)
{
    return offset <= self->bytes && n <= self->bytes - offset &&
           pread(self->fd, out, n, (off_t)offset) == (ssize_t)n;
}

static bool section_at(const struct image *self, const Elf64_Ehdr *head, uint64_t index,
                       Elf64_Shdr *out)
{
    uint64_t at = index * sizeof(*out);
    return head->e_shoff <= self->bytes && at <= self->bytes - head->e_shoff &&
           read_at(self, head->e_shoff + at, out, sizeof(*out));
}

static enum elf_kind find_section(const struct image *self, const Elf64_Ehdr *head)
{
    Elf64_Shdr section, names;
    if (head->e_shoff == 0) {
        return ELF_WITHOUT_TASKS;
    }
    if (head->e_shentsize != sizeof(section) || !section_at(self, head, 0, &section)) {
        return ELF_DAMAGED;
    }
    uint64_t count = head->e_shnum ? head->e_shnum
                                   : section.sh_size; /* many sections: the first one counts them */
    uint64_t names_at = head->e_shstrndx == SHN_XINDEX ? section.sh_link : head->e_shstrndx;
    if (count > SECTIONS_MAX || names_at >= count || !section_at(self, head, names_at, &names)) {
        return ELF_DAMAGED;
    }
    for (uint64_t i = 1; i < count; i++) {
        char name[sizeof(section_wanted)];
        if (!section_at(self, head, i, &section)) {
            return ELF_DAMAGED;
        }
        bool fits =
            section.sh_name <= names.sh_size && names.sh_size - section.sh_name >= sizeof(name);
        if (fits && names.sh_offset <= self->bytes &&
            read_at(self, names.sh_offset + section.sh_name, name, sizeof(name)) &&
            memcmp(name, section_wanted, sizeof(name)) == 0) {
            return ELF_WITH_TASKS;
        }
    }
    return ELF_WITHOUT_TASKS;
}

static enum elf_kind look(const struct image *self)
{
    unsigned char ident[EI_NIDENT] = { 0 };
    if (read_at(self, 0, ident, 2) && ident[0] == '#' && ident[1] == '!') {
        return ELF_SCRIPT;
    }
    if (!read_at(self, 0, ident, sizeof(ident)) || memcmp(ident, ELFMAG, SELFMAG) != 0) {
        return ELF_NO_PROGRAM;
    }
    uint16_t one = 1;
    uint8_t little;
    memcpy(&little, &one, 1);
    if (ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != (little ? ELFDATA2LSB : ELFDATA2MSB)) {
        return ELF_FOREIGN;
    }
    Elf64_Ehdr head;
    if (!read_at(self, 0, &head, sizeof(head))) {
        return ELF_DAMAGED;
    }
    return head.e_type == ET_EXEC || head.e_type == ET_DYN ? find_section(self, &head)
                                                           : ELF_NO_PROGRAM;
}

int elf_kind(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (fd < 0) {
        return ERR_SYSTEM;
    }
    int kind = ERR_SYSTEM;
    if (fstat(fd, &info) == 0) {
        struct image image = { fd, (uint64_t)info.st_size };
        kind = (int)look(&image);
    }
    close(fd);
    return kind;
}
