/*  keys.c - key files and access files of a head, read or made, and whether they fit together. */
#include "head/keys.h"

#include "common/file.h"
#include "common/log.h"
#include "proto/proto.h"

static const struct access_file files[KEYS_ACCESS] = {
    { "admin.key", "access-dir/admin.key", ROLE_ADMIN },
    { "worker.key", "access-dir/worker.key", ROLE_WORKER }
};

const struct access_file *keys_access_file(uint32_t i)
{
    return &files[i];
}

static int failed(const char *path, const char *why)
{
    log_error("head.key", "file=%s why=\"%s\"", path, why);
    return ERR_CONFIG;
}

static int failed_to_load(const char *path, int code, const struct diag *why)
{
    return failed(path, code == ERR_NOT_FOUND
                            ? "there is no such file; rayc-head --make-keys DIR makes keys"
                        : why->text[0] ? why->text
                                       : err_text(code));
}

static int path_of(char path[PATH_BYTES], const char *dir, const char *name)
{
    int code = file_path(path, PATH_BYTES, dir, name);
    return code == OK ? OK : failed(dir, err_text(code));
}

/*  Why an access file is not one of this head; NULL: it is. */
static const char *misfit(const struct keys *self, const struct access *access)
{
    if (access->token[0] == 0) {
        return "has no token";
    }
    if (access->has_key != self->has_key) {
        return self->has_key ? "has no key, but the head has one (--key-file)"
                             : "has a key, but the head has none: give it --key-file";
    }
    if (memcmp(access->key.server_text, self->own.public_text, sizeof(self->own.public_text)) !=
        0) {
        return "is of another head: its server-key is not the public part of --key-file";
    }
    if (self->member.public_text[0] != 0 &&
        memcmp(&access->key.own, &self->member, sizeof(self->member)) != 0) {
        return "has another pair of members than the access file beside it";
    }
    return NULL;
}

/*  An access file that somebody has made.  ERR_NOT_FOUND is not logged. */
static int take_access(struct keys *self, const char *path, uint32_t i)
{
    struct diag why = { 0 };
    int code = access_load(path, &self->access[i], &why);
    if (code != OK) {
        return code == ERR_NOT_FOUND ? code : failed_to_load(path, code, &why);
    }
    const char *problem = misfit(self, &self->access[i]);
    if (problem != NULL) {
        return failed(path, problem);
    }
    self->member = self->access[i].key.own;
    return OK;
}

int keys_load(struct keys *out, const char *key_file, const char *access_dir)
{
    char path[PATH_BYTES];
    struct diag why = { 0 };
    *out = (struct keys){ .has_key = key_file != NULL, .access_dir = access_dir };
    int code = key_file != NULL ? key_load(key_file, &out->own, &why) : OK;
    if (code != OK) {
        return failed_to_load(key_file, code, &why);
    }
    for (uint32_t i = 0; code == OK && access_dir != NULL && i < KEYS_ACCESS; i++) {
        code = path_of(path, access_dir, files[i].name);
        code = code == OK ? take_access(out, path, i) : code;
        code = code == ERR_NOT_FOUND ? failed_to_load(path, code, &why) : code;
    }
    return code;
}

/*  The pair of members: made once, and given away in access files. */
static int keep_member(struct keys *self, const char *dir)
{
    char path[PATH_BYTES];
    struct diag why = { 0 };
    int code = path_of(path, dir, "member.key");
    if (code != OK) {
        return code;
    }
    code = key_load(path, &self->member, &why);
    code = code == ERR_NOT_FOUND ? key_make(path, &self->member) : code;
    return code == OK ? OK : failed_to_load(path, code, &why);
}

static int save(struct keys *self, const char *path, uint32_t i)
{
    struct access *access = &self->access[i];
    if (access->token[0] == 0) {
        token_make(access->token);
    }
    access->has_key = self->has_key;
    access->key = (struct member_key){ .own = self->member };
    memcpy(access->key.server_text, self->own.public_text, sizeof(access->key.server_text));
    return access_save(path, access);
}

/*  The access file of a role: made if it is missing, and with the cluster's key in it if that has one. */
static int keep_access(struct keys *self, const char *dir, uint32_t i)
{
    char path[PATH_BYTES];
    struct diag why = { 0 };
    int code = path_of(path, dir, files[i].name);
    if (code != OK) {
        return code;
    }
    code = access_load(path, &self->access[i], &why);
    if (code != OK && code != ERR_NOT_FOUND) {
        return failed_to_load(path, code, &why);
    }
    return code == OK && misfit(self, &self->access[i]) == NULL ? OK : save(self, path, i);
}

int keys_keep(struct keys *self, const char *state_dir)
{
    if (self->access_dir != NULL) {
        return OK;
    }
    int code = self->has_key ? keep_member(self, state_dir) : OK;
    for (uint32_t i = 0; code == OK && i < KEYS_ACCESS; i++) {
        code = keep_access(self, state_dir, i);
    }
    return code;
}

void keys_forget_access(struct keys *self)
{
    explicit_bzero(self->access, sizeof(self->access));
}

/*  Those that are there give the pair of members; then those that are missing are made. */
static int make_access(struct keys *self, const char *dir)
{
    char paths[KEYS_ACCESS][PATH_BYTES];
    bool there[KEYS_ACCESS];
    for (uint32_t i = 0; i < KEYS_ACCESS; i++) {
        int code = path_of(paths[i], dir, files[i].name);
        code = code == OK ? take_access(self, paths[i], i) : code;
        there[i] = code == OK;
        if (code != OK && code != ERR_NOT_FOUND) {
            return code;
        }
    }
    if (self->member.public_text[0] == 0) {
        key_new(&self->member);
    }
    for (uint32_t i = 0; i < KEYS_ACCESS; i++) {
        int code = there[i] ? OK : save(self, paths[i], i);
        if (code != OK) {
            return code;
        }
    }
    return OK;
}

int keys_make(const char *dir)
{
    char path[PATH_BYTES];
    struct diag why = { 0 };
    struct keys self = { .has_key = true };
    int code = file_make_dir(dir, 0700);
    if (code != OK) {
        return failed(dir, "the folder cannot be made");
    }
    code = path_of(path, dir, "cluster.key");
    code = code == OK ? key_load(path, &self.own, &why) : code;
    code = code == ERR_NOT_FOUND ? key_make(path, &self.own) : code;
    code = code == OK ? make_access(&self, dir) : failed_to_load(path, code, &why);
    explicit_bzero(&self, sizeof(self));
    return code;
}
