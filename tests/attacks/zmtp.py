"""zmtp.py - ZeroMQ's wire protocol and rayc's messages from bare sockets, so that a peer can break the rules of both.

Only what attacks need: the greeting and NULL handshake of ZMTP 3.0 as a DEALER, frames, and msgpack of the types that
proto/messages.def has."""
import socket
import struct
import time

WELCOME, WHO, REFUSED = 2, 3, 4


def pack(value):
    if isinstance(value, bool) or value is None:
        raise TypeError("not of the protocol")
    if isinstance(value, int):
        return b"\xcf" + struct.pack(">Q", value) if value >= 0 else b"\xd3" + struct.pack(">q", value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        text = value.encode()
        return b"\xdb" + struct.pack(">I", len(text)) + text
    if isinstance(value, bytes):
        return b"\xc6" + struct.pack(">I", len(value)) + value
    return b"\xdd" + struct.pack(">I", len(value)) + b"".join(pack(x) for x in value)


def unpack(data, at=0):
    """The value at a position, and the position behind it."""
    first = data[at]
    at += 1
    if first < 0x80:
        return first, at
    if first >= 0xE0:
        return first - 256, at
    if 0xA0 <= first < 0xC0:
        return data[at : at + first - 0xA0], at + first - 0xA0
    if 0x90 <= first < 0xA0:
        return unpack_many(data, at, first - 0x90)
    numbers = {0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q", 0xCB: ">d"}
    if first in numbers:
        size = struct.calcsize(numbers[first])
        return struct.unpack_from(numbers[first], data, at)[0], at + size
    sizes = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I", 0xD9: ">B", 0xDA: ">H", 0xDB: ">I", 0xDC: ">H", 0xDD: ">I"}
    size = struct.calcsize(sizes[first])
    count = struct.unpack_from(sizes[first], data, at)[0]
    at += size
    return unpack_many(data, at, count) if first >= 0xDC else (data[at : at + count], at + count)


def unpack_many(data, at, count):
    values = []
    for _ in range(count):
        value, at = unpack(data, at)
        values.append(value)
    return values, at


class Closed(Exception):
    """The other side has closed the connection."""


class Peer:
    def __init__(self, port, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), timeout=10)
        self.bytes = b""

    # --- bytes

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            raise Closed from None

    def take(self, count):
        while len(self.bytes) < count:
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                raise Closed
            self.bytes += more
        data, self.bytes = self.bytes[:count], self.bytes[count:]
        return data

    def is_closed(self, seconds=10):
        """Does the other side close within this time, whatever it says before?"""
        until = time.monotonic() + seconds
        self.bytes = b""
        try:
            while time.monotonic() < until:
                self.socket.settimeout(max(0.01, until - time.monotonic()))
                self.take(1)
                self.bytes = b""
        except Closed:
            return True
        except TimeoutError:
            pass
        return False

    def close(self):
        self.socket.close()

    # --- ZMTP

    def greet(self, mechanism=b"NULL", magic=b"\xff" + b"\0" * 8 + b"\x7f"):
        self.send(magic + b"\x03\x00" + mechanism.ljust(20, b"\0") + b"\0" + b"\0" * 31)
        return self.take(64)

    def ready(self):
        body = b"\x05READY" + b"\x0bSocket-Type" + struct.pack(">I", 6) + b"DEALER" + b"\x08Identity" + struct.pack(">I", 0)
        self.send(b"\x04" + bytes([len(body)]) + body)
        flags, body = self.frame()
        if flags != 4 or not body.startswith(b"\x05READY"):
            raise Closed

    def frame(self):
        flags = self.take(1)[0]
        size = struct.unpack(">Q", self.take(8))[0] if flags & 2 else self.take(1)[0]
        return flags & ~2, self.take(size)

    def put(self, body, more=False, flags=None):
        flags = (1 if more else 0) | 2 if flags is None else flags
        self.send(bytes([flags]) + struct.pack(">Q", len(body)) + body)

    # --- rayc

    def say(self, kind, seq, *fields):
        self.put(pack([kind, seq, *fields]))

    def hear(self, *kinds, seconds=10):
        """The next message of one of these kinds, as a list."""
        until = time.monotonic() + seconds
        while True:
            self.socket.settimeout(max(0.01, until - time.monotonic()))
            flags, body = self.frame()
            if flags & 4 and body.startswith(b"\x04PING"):
                pong = b"\x04PONG" + body[7:]
                self.send(b"\x04" + bytes([len(pong)]) + pong)
            elif not flags & 4:
                message = unpack(body)[0]
                if not kinds or message[0] in kinds:
                    return message

    def hello(self, token, role=1, major=1):
        self.say(1, 1, major, 0, role, "attack", 0, token)
        return self.hear(WELCOME, REFUSED)


def connect(port, token=None, role=1):
    """A peer that has said HELLO, if there is a token, and was let in."""
    peer = Peer(port)
    peer.greet()
    peer.ready()
    if token is not None:
        answer = peer.hello(token, role)
        if answer[0] != WELCOME:
            raise SystemExit(f"not let in: {answer}")
    return peer
