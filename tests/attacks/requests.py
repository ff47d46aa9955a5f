"""requests.py - attacks on the head's HTTP port, one a function.  usage: requests.py URL ATTACK [ARGUMENT...]
Exit status 0: the head has answered as it should; else the last line says what it did."""
import base64
import io
import json
import os
import select
import socket
import sys
import time
import zipfile

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")


def ensure(good, what):
    if not good:
        sys.exit(what)


class Server:
    def __init__(self, url):
        self.host, port = url.removeprefix("http://").rsplit(":", 1)
        self.port = int(port)

    def open(self):
        return socket.create_connection((self.host, self.port), timeout=20)

    def raw(self, data):
        """What the server says to these bytes until it closes or is silent: the status, head and body of its first
        reply, how many replies are no 400, and whether it has closed."""
        with self.open() as connection:
            connection.settimeout(3)
            answer, closed = b"", False
            try:
                connection.sendall(data)
                while True:
                    more = connection.recv(65536)
                    if not more:
                        closed = True
                        break
                    answer += more
            except TimeoutError:
                pass
            except (ConnectionResetError, BrokenPipeError):
                closed = True
        head, _, body = answer.partition(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1]) if head else 0
        return status, head.decode("latin-1"), body, answer.count(b"HTTP/1.1 ") - answer.count(b"HTTP/1.1 400"), closed

    def ask(self, method, path, token=None, headers=(), body=b"", host=None):
        """One request; its connection ends with it."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host or self.host}", "Connection: close"]
        lines += [f"Authorization: Bearer {token}"] if token else []
        lines += [f"Content-Length: {len(body)}"] if body or method in ("POST", "PUT", "PATCH") else []
        lines += headers
        return self.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def job(name, entrypoint="true", **more):
    return json.dumps({"submission_id": name, "entrypoint": entrypoint, **more}).encode()


JSON = ("Content-Type: application/json",)


def no_token(server, token):
    """Whatever is asked, with no token or a wrong one: 401, and always the same words."""
    bodies = set()
    for authorization in (None, "Bearer", "Bearer ", "Bearer rayc_wrong", f"Basic {token}", f"Bearer {token}x",
                          f"bearer{token}", "Bearer ' OR 1=1 --"):
        headers = list(JSON) + ([f"Authorization: {authorization}"] if authorization is not None else [])
        for method, path in (("POST", "/api/jobs/"), ("GET", "/api/jobs/"), ("GET", "/no/such/path"), ("DELETE", "/api/jobs/x")):
            status, _, body, _, _ = server.ask(method, path, headers=headers, body=job("sneaked") if method == "POST" else b"")
            ensure(status == 401, f"{method} {path} with {authorization!r}: {status}")
            bodies.add(body)
    ensure(len(bodies) == 1, f"the words differ: {bodies}")


def hosts(server, token):
    for method in METHODS:
        for host in ("evil.test", "evil.test:80", "rayc.example.evil.test", f"127.0.0.1.evil.test:{server.port}", "localhost.evil.test", "[evil]", ""):
            status = server.ask(method, "/api/jobs/", token, host=host or " ")[0]
            ensure(status in (421,) or (not host and status == 400), f"{method} for Host {host!r}: {status}")
    for host in ("127.0.0.1", "localhost", f"localhost:{server.port}", "10.1.2.3:80", "[::1]:80", "LOCALHOST",
                 "rayc.example:8265", "Other.Example"):
        status = server.ask("GET", "/api/jobs/", token, host=host)[0]
        ensure(status == 200, f"GET for Host {host}: {status}")


def cross_site(server, token):
    """From another site's page: refused with a token, too.  A cookie is no token."""
    foreign = [("Origin: http://evil.test",), ("Origin: null",), ("Sec-Fetch-Site: cross-site",),
               ("Sec-Fetch-Site: same-site",), ("Origin: http://127.0.0.1:1",)]
    kinds = ("application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x")
    for origin in foreign:
        for kind in kinds:
            headers = (*origin, f"Content-Type: {kind}")
            status = server.ask("POST", "/api/jobs/", token, headers, job("crossed"))[0]
            ensure(status == 403, f"POST with {headers}: {status}")
        status = server.ask("DELETE", "/api/jobs/x", token, origin)[0]
        ensure(status == 403, f"DELETE with {origin}: {status}")
    for cookie in (f"token={token}", f"session={token}", f"Authorization={token}", f"rayc={token}"):
        status, head, _, _, _ = server.ask("POST", "/api/jobs/", None, (*JSON, f"Cookie: {cookie}"), job("crossed"))
        ensure(status == 401, f"a cookie is taken: {status}")
        ensure("set-cookie" not in head.lower(), "a cookie is set")


def user_agents(server, token):
    """Of any name, or none: who has a token is served, who has none is not."""
    seen = set()
    for agent in ("User-Agent: Mozilla/5.0", "User-Agent: curl/8", "User-Agent: ", "User-Agent: python-requests/2", "X-A: b"):
        seen.add((server.ask("GET", "/api/jobs/", token, (agent,))[0],
                  server.ask("POST", "/api/jobs/", None, (agent, *JSON), job("agent"))[0],
                  server.ask("DELETE", "/api/jobs/none", token, (agent,))[0],
                  server.ask("GET", "/api/jobs/", token, (agent, "Origin: http://evil.test"))[0]))
    ensure(seen == {(200, 401, 404, 403)}, f"the name decides: {seen}")


PATHS = ("/static/../../etc/passwd", "/../../etc/passwd", "/api/jobs/../../etc/passwd", "/api/jobs/%2e%2e/%2e%2e/etc/passwd",
         "/api/jobs/%2e%2e%2f%2e%2e%2fetc%2fpasswd/logs", "/api/jobs/x%00/logs", "/api/jobs/%252e%252e%252fetc/logs",
         "/api/jobs/..%5c..%5cetc/logs", "/api/jobs/..\\..\\etc/logs", "/api/packages/gcs/..%2f..%2f..%2fetc%2fpasswd",
         "/api/packages/..%2f../_ray_pkg_1.zip", "/api/packages/gcs/%2e%2e", "/api/v0/..%2f..%2fetc%2fpasswd", "//etc/passwd",
         "/api/jobs/.../logs", "/api/jobs//logs", "/api/jobs/%c0%ae%c0%ae/logs", "/api//jobs/", "/./api/jobs/")


def paths(server, token):
    for path in PATHS:
        for method in ("GET", "DELETE"):
            status, _, body, _, _ = server.ask(method, path, token)
            ensure(status in (400, 404, 405), f"{method} {path}: {status}")
            ensure(b"root:" not in body, f"{method} {path} tells /etc/passwd")


def smuggled(server, token):
    """Whatever two servers could read as two requests is refused, and its connection closed."""
    head = f"POST /api/jobs/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
    inner = f"DELETE /api/jobs/kept HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
    chunked = head + "Transfer-Encoding: chunked\r\n"
    bare = f"GET /api/jobs/ HTTP/1.1\nHost: localhost\nAuthorization: Bearer {token}\n\n"
    tries = {
        "CL+TE": chunked + "Content-Length: 4\r\n\r\n0\r\n\r\n" + inner,
        "TE+CL": head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
        "two CL": head + "Content-Length: 0\r\nContent-Length: 9\r\n\r\n" + inner,
        "CL list": head + "Content-Length: 0, 0\r\n\r\n" + inner,
        "CL +0": head + "Content-Length: +0\r\n\r\n" + inner,
        "CL -1": head + "Content-Length: -1\r\n\r\n" + inner,
        "xchunked": head + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + inner,
        "identity": head + "Transfer-Encoding: identity\r\n\r\n" + inner,
        "gzip, chunked": head + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + inner,
        "two TE": chunked + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
        "bare LF": bare + inner,
        "obs-fold": head + "X-A: b\r\n Content-Length: 3\r\n\r\n" + inner,
        "space before colon": head + "Content-Length : 0\r\n\r\n" + inner,
        "two Host": head + "Host: evil.test\r\n\r\n" + inner,
        "NUL": head + "X-A: a\0b\r\n\r\n" + inner,
        "control character": head + "X-A: a\x01b\r\n\r\n" + inner,
        "form feed": head + "Transfer-Encoding: \fchunked\r\n\r\n0\r\n\r\n" + inner,
    }
    for name, data in tries.items():
        status, _, _, replies, closed = server.raw(data.encode("latin-1"))
        ensure(closed and replies == 0 and status in (0, 400), f"{name}: {status}, {replies} others, closed: {closed}")
    for size in ("ffffffffffffffff1", "-1", "10000000000000000", "g"):
        status, _, _, replies, closed = server.raw((chunked + f"\r\n{size}\r\nx\r\n0\r\n\r\n" + inner).encode())
        ensure(closed and replies <= (status == 413), f"chunk of {size}: {status}, {replies} others, closed: {closed}")
    for body in ("2\r\n{}\r\n0\r\n\r\n", "2\n{}\n0\n\n", "2;a=\nb\r\n{}\r\n0\r\n\r\n", "02\r\n{}\r\n0\r\nX: y\r\n\r\n"):
        status, _, _, replies, closed = server.raw((chunked + "\r\n" + body + inner).encode())
        ensure(closed and replies == 0, f"chunks {body!r}: {status}, {replies} others, closed: {closed}")


def slow(server, token, count):
    """Sockets that send a byte now and then are cut at ten seconds, whether it is a head or the body of a request without
    a token; meanwhile others are served."""
    count, sockets = int(count), []
    begins = (b"P", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-",
              b"POST /api/jobs/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
    begun = time.monotonic()
    for i in range(count):
        try:
            connection = server.open()
        except OSError:
            break
        connection.setblocking(False)
        sockets.append(connection)
        try:
            connection.send(begins[i % len(begins)])
        except OSError:
            pass
    other = Server(f"http://127.0.0.2:{server.port}")  # another address of this machine
    other.host = "127.0.0.1"
    with socket.socket() as mine:
        mine.settimeout(10)
        mine.bind(("127.0.0.2", 0))
        mine.connect((server.host, server.port))
        mine.sendall(f"GET /api/version HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        ensure(mine.recv(100).startswith(b"HTTP/1.1 200"), "others are not served")
    alive = dict((s.fileno(), s) for s in sockets)
    poll = select.poll()
    for fd in alive:
        poll.register(fd, select.POLLIN | select.POLLHUP | select.POLLERR)
    dripped = begun
    while alive and time.monotonic() < begun + 28: # libmicrohttpd's own limit is 30 s
        for fd, _ in poll.poll(500):
            try:
                ended = alive[fd].recv(65536) == b""
            except BlockingIOError:
                ended = False
            except OSError:
                ended = True
            if ended:
                poll.unregister(fd)
                alive.pop(fd).close()
        if time.monotonic() > dripped + 2:
            dripped = time.monotonic()
            for connection in alive.values():
                try:
                    connection.send(b"a")
                except OSError:
                    pass
    ensure(not alive, f"{len(alive)} of {len(sockets)} are still connected after 28 s")


NASTY = ["<script>alert(1)</script>", "javascript:alert(1)", "\x1b[2J\x1b]0;owned\x07", "line\r\nSet-Cookie: a=b\nforged log line",
         "\u202egnp.exe", "; $(touch OWNED)", "`touch OWNED`", "| touch OWNED #", "' OR 1=1; DROP TABLE job; --",
         "\"; DELETE FROM task; --", "%s%n%x", "http://169.254.169.254/latest/meta-data", "\u0000'"[1:]]


def fields(server, token):
    """Jobs whose every text is such a text: kept and told as they are, or refused, but never anything else."""
    for i, text in enumerate(NASTY):
        body = job(f"nasty-{i}", "true", metadata={"job_name": text, text: text},
                   runtime_env={"env_vars": {"NASTY": text}})
        status, head, answer, _, _ = server.ask("POST", "/api/jobs/", token, JSON, body)
        ensure(status in (200, 400), f"{text!r} in fields: {status} {answer}")
        ensure("set-cookie" not in head.lower(), f"{text!r} is a header")
        if status == 200:
            status, head, answer, _, _ = server.ask("GET", f"/api/jobs/nasty-{i}", token)
            kept = json.loads(answer)["metadata"]
            ensure(kept == {"job_name": text, text: text}, f"{text!r} came back as {kept}")
            ensure("content-type: application/json" in head.lower() and "nosniff" in head.lower(), f"{head}")
            ensure("\x1b" not in answer.decode() and "\n" not in answer.decode().strip(), f"{answer} is not escaped")
        status, _, answer, _, _ = server.ask("POST", "/api/jobs/", token, JSON, job(f"n-{text}"))
        ensure(status in (200, 400), f"{text!r} as a submission id: {status} {answer}")
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("../\x1b[2J\nforged log line", "")
    path = "/api/packages/gcs/_ray_pkg_forged.zip"
    status, _, answer, _, _ = server.ask("PUT", path, token, (), package.getvalue())
    ensure(status == 200, f"PUT {path}: {status} {answer}")
    body = job("nasty-package", runtime_env={"working_dir": "gcs://_ray_pkg_forged.zip"})
    status, _, answer, _, _ = server.ask("POST", "/api/jobs/", token, JSON, body)
    ensure(status == 200, f"a job with that package: {status} {answer}")
    status = server.ask("GET", "/api/jobs/", token)[0]
    ensure(status == 200, f"the list: {status}")


def urls(server, token):
    """Fields that name a URL are not fetched: whatever is to be had comes from a client."""
    trap = socket.create_server(("127.0.0.1", 0))
    trap.settimeout(0.5)
    port = trap.getsockname()[1]
    for i, url in enumerate((f"http://127.0.0.1:{port}/a.zip", f"https://127.0.0.1:{port}/a.zip", "http://169.254.169.254/a.zip",
                             f"s3://127.0.0.1:{port}/a.zip", f"file://127.0.0.1:{port}/etc/passwd", "gs://a/b.zip")):
        for path, env in (("/api/jobs/", {"working_dir": url}), ("/api/jobs/", {"py_modules": [url]}),
                          ("/api/v1/jobs", {"working_dir": url})):
            status = server.ask("POST", path, token, JSON, job(f"url-{i}", runtime_env=env))[0]
            ensure(status == 400, f"{path} with {env}: {status}") # so that nobody fetches it later
    try:
        trap.accept()
        sys.exit("the head has fetched a URL")
    except TimeoutError:
        pass


def user_of_other(server, token, name, task):
    """What is another user's: the same answers as for what is not there."""
    for method, path in (("GET", "/api/jobs/{}"), ("DELETE", "/api/jobs/{}"), ("POST", "/api/jobs/{}/stop"),
                         ("GET", "/api/jobs/{}/logs"), ("GET", "/api/jobs/{}/logs/tail")):
        theirs, none = (server.ask(method, path.format(x), token) for x in (name, "x" * len(name)))
        ensure(theirs[0] == none[0] and theirs[0] != 200 and theirs[0] != 403, f"{method} {path}: {theirs[0]}, {none[0]}")
        ensure(theirs[2].replace(name.encode(), b"x" * len(name)) == none[2], f"{method} {path}: {theirs[2]}")
    for method, path in (("GET", "jobs/{}"), ("GET", "jobs/{}/logs"), ("POST", "jobs/{}/stop"), ("DELETE", "jobs/{}"),
                         ("GET", "events/stream?topics=log:{}")):
        theirs, none = (server.ask(method, "/api/v1/" + path.format(x), token) for x in (name, "x" * len(name)))
        ensure(theirs[0] == none[0] == 404, f"{method} {path}: {theirs[0]}, {none[0]}")
        ensure(theirs[2].replace(name.encode(), b"x" * len(name)) == none[2], f"{method} {path}: {theirs[2]}")
    for method, path in (("GET", "tasks/{}"), ("GET", "tasks/{}/attempts"), ("GET", "tasks/{}/logs"),
                         ("POST", "tasks/{}/retry")):
        status, _, body, _, _ = server.ask(method, "/api/v1/" + path.format(task), token)
        ensure(status == 404 and name.encode() not in body, f"{method} {path}: {status} {body}")
    for path in ("/api/jobs/", "/api/v0/tasks", "/api/v0/jobs", "/api/v0/tasks/summarize", "/api/v0/cluster_events",
                 "/api/v1/jobs", "/api/v1/tasks", "/api/v1/events", "/api/v1/tokens", "/api/v1/users"):
        status, _, body, _, _ = server.ask("GET", path, token)
        ensure(status == 200 and name.encode() not in body and task.encode() not in body, f"GET {path}: {status} {body}")
    for path in ("/metrics", "/api/v1/audits"):
        status, _, body, _, _ = server.ask("GET", path, token)
        ensure(name.encode() not in body and (status == 403 or b'"total":0' in body), f"GET {path}: {status} {body}")


def revoked(server, token):
    ensure(server.ask("GET", "/api/jobs/", token)[0] == 401, "a revoked token is taken")


UPGRADE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
           f"Sec-WebSocket-Key: {base64.b64encode(b'0123456789abcdef').decode()}")


def streams(server, token, name, ready):
    """Opens what goes on after its request: events, and the tail of a job's log.  Tells so by making a file, and waits to
    be cut."""
    sockets = []
    for path, headers, begin in (("/api/v1/events/stream", (), b"retry:"),
                                 (f"/api/jobs/{name}/logs/tail", UPGRADE, b"HTTP/1.1 101")):
        connection = server.open()
        lines = (f"GET {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {token}", *headers, "", "")
        connection.sendall("\r\n".join(lines).encode())
        answer = b""
        while begin not in answer:
            more = connection.recv(65536)
            ensure(more, f"GET {path}: {answer}")
            answer += more
        sockets.append(connection)
    with open(ready, "w", encoding="ascii"):
        pass
    for connection in sockets:
        while connection.recv(65536):
            pass


ATTACKS = {f.__name__: f for f in (no_token, hosts, cross_site, user_agents, paths, smuggled, slow, fields, urls,
                                   user_of_other, revoked, streams)}

if __name__ == "__main__":
    ATTACKS[sys.argv[2]](Server(sys.argv[1]), *sys.argv[3:])
    sys.stdout.flush()
    os._exit(0)
