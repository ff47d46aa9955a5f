/*  local_socket.h - a unix socket with a name in a folder, packets over it, and descriptors that come with them. */
#ifndef RAYC_LOCAL_SOCKET_H
#define RAYC_LOCAL_SOCKET_H
#include "common/base.h"
#include "common/err.h"

enum { LOCAL_PACKET_MAX = 4096 };

/*  A descriptor that is listened on, not blocking; whoever gets to the folder may connect.  What had the name before is
    removed.  Below zero: an error of err.def. */
MUST_CHECK int local_listen(const char *path);
MUST_CHECK int local_accept(int listener); /* not blocking; below zero: nobody is there */
/*  A descriptor that blocks.  ERR_NOT_FOUND: nobody listens there. */
MUST_CHECK int local_connect(const char *path);

/*  One packet, with a descriptor (-1: none), which stays the caller's.  False: it did not go. */
bool local_send(int fd, struct slice packet, int passed);
/*  Bytes of the packet, 0 at the end of the connection, below zero: nothing is there, or it broke, as errno says.
    *passed: a descriptor that came with it, or -1; `passed` NULL: none is taken, whatever comes. */
int local_receive(int fd, uint8_t packet[LOCAL_PACKET_MAX], int *passed);
#endif
