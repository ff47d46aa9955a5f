"""peers.py - attacks on the head's ZeroMQ socket, one a function.  usage: peers.py PORT ATTACK [ARGUMENT...]
Exit status 0: the head has answered as it should; else the last line says what it did."""
import os
import sys

import zmtp
from zmtp import Closed, Peer, REFUSED, WELCOME, WHO, connect

VERSION, FORBIDDEN, TOKEN, NOT_FOUND = -8, -19, -20, -11
JOB_OPEN, JOB_STOP, JOB_DELETE, CANCEL, CANCELLED, PROGRAM_PUT, WATCH = 10, 30, 38, 21, 22, 40, 31
NODE_JOIN, NODE_JOINED, INVENTORY, DONE, DONE_ACK, RECALL, LOG = 50, 51, 52, 54, 55, 58, 59


def ensure(good, what):
    if not good:
        sys.exit(what)


def mechanism(port, name):
    """A CURVE head offers nothing else, and does not go on with who wants something else."""
    peer = Peer(port)
    try:
        theirs = peer.greet(name.encode())
        ensure(theirs[12:17] == b"CURVE", f"the head offers {theirs[12:32]}")
        if name == "PLAIN":
            body = b"\x05HELLO\x05admin\x05admin"
            peer.send(b"\x04" + bytes([len(body)]) + body)
        else:
            peer.ready()
        peer.say(1, 1, 1, 0, 1, "attack", 0, "rayc_token")
    except Closed:
        return
    ensure(peer.is_closed(), f"a peer with {name} stays connected")


def garbage_greeting(port):
    for magic in (b"GET / HTT", b"\0" * 10, b"\xff" + b"\0" * 8 + b"\x7e", b"\xff" * 10):
        peer = Peer(port)
        try:
            peer.send(magic.ljust(64, b"A"))
            ensure(peer.is_closed(), f"a greeting of {magic} stays connected")
        except Closed:
            pass


def versions(port, token):
    for major in (0, 2, 2**32 - 1):
        peer = connect(port)
        answer = peer.hello(token, major=major)
        ensure(answer[0] == REFUSED and answer[2] == VERSION, f"HELLO of version {major}: {answer}")
        peer.say(JOB_STOP, 2, 1)  # still nobody
        ensure(peer.hear()[0] == WHO, "who was refused can go on")
        peer.close()


def unknown(port, token):
    """Types and flags that do not exist; the connection may end, others and the database may not change."""
    for kind in (0, 46, 99, 127, 128, 255, 2**32, 2**64 - 1):
        peer = connect(port, token)
        try:
            peer.say(kind, 2, "x")
            peer.say(1, 3, 1, 0, 1, "attack", 0, token)
            peer.hear(WELCOME)
        except Closed:
            pass
        peer.close()
    for flags in (0x08, 0x80, 0xFA):
        peer = connect(port, token)
        try:
            peer.put(b"x" * 8, flags=flags)
            peer.is_closed(1)
        except Closed:
            pass
        peer.close()
    connect(port, token)


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def lengths(port, token, pid):
    """A frame that is larger than the limit is not received, and no room is made for it."""
    for _ in range(3):
        connect(port, token).close()
    before = resident_kib(pid)
    for size in (16 * 2**20 + 1, 2**31, 2**63, 2**64 - 1):
        peer = connect(port, token)
        try:
            peer.send(b"\x02" + size.to_bytes(8, "big") + b"x" * 65536)
            ensure(peer.is_closed(), f"a frame of {size} bytes: the peer stays connected")
        except Closed:
            pass
    grown = resident_kib(pid) - before
    ensure(grown < 1024, f"the head has grown by {grown} KiB")


def parts(port, token):
    """A message of a million parts, then one of an empty part: none is heard, and what follows is."""
    peer = connect(port, token)
    for _ in range(100):
        peer.send(b"\x01\x01x" * 10000)
    peer.send(b"\x00\x01x")
    peer.send(b"\x00\x00")
    try:
        answer = peer.hello(token)
        ensure(answer[0] == WELCOME, f"after a million parts: {answer}")
    except Closed:
        connect(port, token)
    peer = connect(port)  # a good HELLO, but as the second part
    peer.put(b"x", more=True)
    peer.say(1, 1, 1, 0, 1, "attack", 0, token)
    peer.say(JOB_STOP, 2, 1)
    answer = peer.hear()
    ensure(answer[0] == WHO, f"a HELLO in the second part of a message is heard: {answer}")


def forged(port, worker, node, task, token, *others):
    """DONEs of a peer with a worker's token, for a task of another worker's: acknowledged, as stale ones are, so that a
    worker forgets them; and of no effect, which the caller looks up in the database."""
    node, task, token = int(node), int(task), int(token)
    peer = connect(port, worker, role=2)
    seq = 1
    for name_task, name_token in [(task, t) for t in (token + 1, token - 1, 0, 2**64 - 1, *map(int, others))]:
        seq += 1
        done = [name_task, name_token, 0, 0, 1, 1, b"\xc0", "forged", b"forged", ""]
        peer.say(DONE, seq, node, [done])
        answer = peer.hear(DONE_ACK, REFUSED)
        ensure(answer[0] == DONE_ACK, f"a stale DONE is answered by {answer}")


def replayed(port, worker, node, task, token):
    """The result of an attempt that has ended, and a lease that it had, once more."""
    node, task, token = int(node), int(task), int(token)
    peer = connect(port, worker, role=2)
    for seq in (2, 3):
        peer.say(DONE, seq, node, [[task, token, 0, 7, 1, 1, b"\xc0", "again", b"again", ""]])
        ensure(peer.hear(DONE_ACK, REFUSED)[0] == DONE_ACK, "a replayed DONE is not acknowledged")
    peer.say(LOG, 4, 1, task, token, 0, b"again", 1, 0)
    peer.say(INVENTORY, 5, node, 0, 1, [[task, token, 1, 1]])
    peer.hello(worker, role=2)


def worker_says(port, worker, job, task):
    """What a worker's token may not do, message by message."""
    peer = connect(port, worker)
    spec = [0, 3, "x", "", b"", [], 0]
    messages = [
        (JOB_OPEN, "attack", 2, 1, 1, "true", "", b"", [spec]),
        (JOB_STOP, int(job)),
        (JOB_DELETE, int(job)),
        (CANCEL, int(task), 1),
        (WATCH, int(job), 0),
        (PROGRAM_PUT, "0" * 64, 0, 1, b"x"),
    ]
    for seq, message in enumerate(messages, 2):
        peer.say(message[0], seq, *message[1:])
        answer = peer.hear()
        ensure(answer[:3] == [REFUSED, seq, FORBIDDEN], f"a worker says {message}: {answer}")


def user_says(port, user, node, task, token):
    """And a user's token what only workers may."""
    peer = connect(port, user)
    node, task, token = int(node), int(task), int(token)
    messages = [
        (NODE_JOIN, 0, "k" * 64, "evil", 1, []),
        (INVENTORY, node, 0, 1, []),
        (DONE, node, [[task, token, 0, 0, 1, 1, b"\xc0", "", b"", ""]]),
        (LOG, 1, task, token, 0, b"x"),
    ]
    for seq, message in enumerate(messages, 2):
        peer.say(message[0], seq, *message[1:])
        answer = peer.hear()
        ensure(answer[:3] == [REFUSED, seq, FORBIDDEN], f"a user says {message}: {answer}")
    answer = connect(port).hello(user, role=2)
    ensure(answer[0] == REFUSED and answer[2] == FORBIDDEN, f"a user joins as a worker: {answer}")


def other_node(port, other, node, key, task, token):
    """With the token of another worker: neither its id nor its key make it that node."""
    node, task, token = int(node), int(task), int(token)
    peer = connect(port, other, role=2)
    for seq, claim in enumerate([(node, key), (node, "x" * 64), (0, key)], 2):
        peer.say(NODE_JOIN, seq, *claim, "evil", 1, [])
        answer = peer.hear(REFUSED, NODE_JOINED)
        ensure(answer[:3] == [REFUSED, seq, FORBIDDEN], f"NODE_JOIN of {claim}: {answer}")
    peer.say(DONE, 9, node, [[task, token, 0, 0, 1, 1, b"\xc0", "forged", b"", ""]])
    peer.hear(DONE_ACK)


def user_of_other(port, user, job, task):
    """What belongs to somebody else is answered as what is not there, in the same words."""
    peer = connect(port, user)
    for seq, kind in enumerate((JOB_STOP, JOB_DELETE, CANCEL, WATCH), 2):
        answers = []
        for number in (int(task) if kind == CANCEL else int(job), 2**40 * 999 + 1):
            peer.say(kind, seq, number, 0)
            answers.append(peer.hear())
        if kind == CANCEL:  # what is not there has ended, as far as the head remembers
            ensure([a[:2] + a[3:] for a in answers] == [[CANCELLED, seq, 1]] * 2, f"CANCEL: {answers}")
            continue
        ensure(answers[0][:3] == [REFUSED, seq, NOT_FOUND], f"message {kind} of another's: {answers[0]}")
        ensure(answers[0] == answers[1], f"message {kind}: {answers}")


def connected(port, token, role, ready):
    """Says HELLO, tells so by making a file, and waits to be cut."""
    peer = connect(port, token, int(role))
    with open(ready, "w", encoding="ascii"):
        pass
    peer.hear(WHO, seconds=30)
    answer = peer.hello(token, int(role))
    ensure(answer[0] == REFUSED and answer[2] == TOKEN, f"after revocation: {answer}")


ATTACKS = {f.__name__: f for f in (mechanism, garbage_greeting, versions, unknown, lengths, parts, forged, replayed,
                                   worker_says, user_says, other_node, user_of_other, connected)}

if __name__ == "__main__":
    ATTACKS[sys.argv[2]](int(sys.argv[1]), *sys.argv[3:])
    sys.stdout.flush()
    os._exit(0)
