/*  carry_store.c - the functions of node_store.h as carry calls them; the address by which other nodes get here. */
#include "worker/carry_store.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/file.h"
#include "common/link.h"
#include "common/log.h"

enum { IPC_BYTES_MAX = 100, HOST_BYTES = 64 };
_Static_assert((int)NODE_STORE_LATER == (int)PULLS_LATER, "one answer, two names");

static int create(void *store, uint64_t user, uint64_t bytes, uint32_t *buffer)
{
    return node_store_create(store, user, bytes, buffer);
}

static int ready(void *store, uint32_t number)
{
    return node_store_ready(store, number);
}

static int put(void *store, uint32_t buffer, uint64_t offset, struct slice bytes)
{
    return node_store_write(store, buffer, offset, bytes);
}

static int seal(void *store, uint32_t buffer, uint64_t task, uint32_t index)
{
    return node_store_seal(store, buffer, task, index, false);
}

static int seal_primary(void *store, uint32_t buffer, uint64_t task, uint32_t index)
{
    return node_store_seal(store, buffer, task, index, true);
}

static void give_up(void *store, uint32_t buffer)
{
    node_store_abort(store, buffer);
}

static int get(void *store, uint64_t user, uint64_t task, uint32_t index, uint32_t *pin)
{
    return node_store_get(store, user, task, index, pin);
}

static int view(void *store, uint32_t pin, struct carry_view *out)
{
    struct node_mapping mapping;
    int fd = node_store_map(store, pin, &mapping);
    if (fd < 0) {
        return ERR_SYSTEM;
    }
    void *memory = mmap(NULL, mapping.bytes, PROT_READ, MAP_SHARED, fd, 0);
    int error = errno;
    close(fd);
    if (memory == MAP_FAILED) {
        log_error("carry.map", "bytes=%llu error=\"%s\"", (unsigned long long)mapping.bytes,
                  strerror(error));
        return ERR_SYSTEM;
    }
    *out = (struct carry_view){ slice_of((uint8_t *)memory + STORED_LEAD, mapping.size), memory,
                                mapping.bytes };
    return OK;
}

static void unpin(void *store, uint32_t pin)
{
    node_store_unpin(store, pin);
}

struct carry_store carry_store(struct node_store *store)
{
    return (struct carry_store){ .sink = { store, create, ready, put, seal, give_up },
                                 .context = store,
                                 .get = get,
                                 .ready = ready,
                                 .view = view,
                                 .unpin = unpin,
                                 .seal = seal_primary,
                                 .watch = node_store_watch(store) };
}

/* --- where it listens ------------------------------------------------------------------------------------- */

/*  The address of this machine from which packets to the head leave: no packet does for that. */
static bool source_address(const char *host, const char *port, char out[HOST_BYTES])
{
    const struct addrinfo hints = { .ai_socktype = SOCK_DGRAM };
    struct sockaddr_storage own;
    struct addrinfo *found = NULL;
    socklen_t n = sizeof(own);
    bool good = getaddrinfo(host, port, &hints, &found) == 0;
    int fd = good ? socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
    good = fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) == 0 &&
           getsockname(fd, (struct sockaddr *)&own, &n) == 0 &&
           getnameinfo((struct sockaddr *)&own, n, out, HOST_BYTES, NULL, 0, NI_NUMERICHOST) == 0;
    if (fd >= 0) {
        close(fd);
    }
    if (found) {
        freeaddrinfo(found);
    }
    return good;
}

/*  The first address that is not a loopback's: of a head that listens everywhere, on this machine. */
static bool own_address(char out[HOST_BYTES])
{
    struct ifaddrs *all = NULL;
    bool found = false;
    if (getifaddrs(&all) != 0) {
        return false;
    }
    for (const struct ifaddrs *one = all; one && !found; one = one->ifa_next) {
        const unsigned flags = one->ifa_flags;
        found = one->ifa_addr && one->ifa_addr->sa_family == AF_INET && (flags & IFF_UP) != 0 &&
                (flags & IFF_LOOPBACK) == 0 &&
                getnameinfo(one->ifa_addr, sizeof(struct sockaddr_in), out, HOST_BYTES, NULL, 0,
                            NI_NUMERICHOST) == 0;
    }
    freeifaddrs(all);
    return found;
}

/*  "tcp://HOST:PORT" or "tcp://[HOST]:PORT" in two. */
static bool split(char *address, const char **host, const char **port)
{
    static const char scheme[] = "tcp://";
    char *colon = strrchr(address, ':');
    if (strncmp(address, scheme, sizeof(scheme) - 1) != 0 || !colon) {
        return false;
    }
    char *from = address + sizeof(scheme) - 1;
    *colon = 0;
    if (*from == '[' && colon[-1] == ']') {
        colon[-1] = 0;
        from++;
    }
    *host = from;
    *port = colon + 1;
    return true;
}

static int over_tcp(const char *host, uint16_t port, char out[CARRY_ADDRESS_BYTES])
{
    char number[8] = "*";
    bool six = strchr(host, ':') != NULL;
    if (port != 0) {
        snprintf(number, sizeof(number), "%u", port);
    }
    int n = snprintf(out, CARRY_ADDRESS_BYTES, "tcp://%s%s%s:%s", six ? "[" : "", host,
                     six ? "]" : "", number);
    return n < CARRY_ADDRESS_BYTES ? OK : ERR_TOO_LARGE;
}

int carry_endpoint(const struct carry_place *place, char out[CARRY_ADDRESS_BYTES])
{
    static const char ipc[] = "ipc://";
    char head[PATH_BYTES], path[PATH_BYTES], own[HOST_BYTES];
    const char *host, *port;
    if (place->host) {
        return over_tcp(place->host, place->port, out);
    }
    int code = link_address(place->head, head, sizeof(head));
    if (code == OK && strncmp(head, ipc, sizeof(ipc) - 1) == 0 && place->port == 0 &&
        file_path(path, sizeof(path), place->dir, "carry.sock") == OK &&
        strlen(path) < IPC_BYTES_MAX) {
        snprintf(out, CARRY_ADDRESS_BYTES, "%s%s", ipc, path);
        return OK;
    }
    bool remote = code == OK && place->encrypted && split(head, &host, &port);
    bool everywhere = remote && (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0);
    if (remote && (everywhere ? own_address(own) : source_address(host, port, own))) {
        return over_tcp(own, place->port, out);
    }
    return code == OK ? over_tcp("127.0.0.1", place->port, out) : code;
}
