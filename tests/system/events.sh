#!/usr/bin/env bash
# events.sh - 200 streams of events at once: each gets all events of 20 jobs, in order and once, also the one that goes
# away and resumes; a driver's output to the byte; a revoked token's stream ends.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

mkdir -m 700 "$RAYC_STATE_DIR"
rayc-head --state-dir "$RAYC_STATE_DIR" --port 0 --http-port 0 >"$WORK/head.log" 2>&1 </dev/null &
BACKGROUND+=("$!")
wait_until 20 test -s "$RAYC_STATE_DIR/head.address" -a -s "$RAYC_STATE_DIR/head.http"
rayc-worker --head "$(<"$RAYC_STATE_DIR/head.address")" --num-cpus 4 --dir "$WORK/worker" \
    >"$WORK/worker.log" 2>&1 </dev/null &
BACKGROUND+=("$!")
ADMIN=$(sed -n 's/^ *token *= *"\?\([^"]*\)"\?$/\1/p' "$RAYC_STATE_DIR/admin.key")

cat >"$WORK/listen.py" <<'EOF'
import http.client, json, selectors, socket, sys, time

host, port = sys.argv[1].removeprefix("http://").split(":")
admin = sys.argv[2]
STREAMS, JOBS = 200, 20


def call(method, path, body=None):
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    connection.request(method, path, json.dumps(body) if body else None, {"Authorization": "Bearer " + admin})
    answer = connection.getresponse()
    text = answer.read()
    assert answer.status < 300, (method, path, answer.status, text)
    return json.loads(text or b"{}")


class Stream:
    def __init__(self, topics="jobs,tasks", after=None, token=admin, receive=0):
        self.topics, self.token, self.receive = topics, token, receive
        self.events, self.logs, self.resyncs = [], b"", 0
        self.id, self.ended = after, False
        self.connect()

    def connect(self):
        self.rest = b""
        self.socket = socket.socket()
        if self.receive:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive)
        self.socket.connect((host, int(port)))
        resume = f"Last-Event-ID: {self.id}\r\n" if self.id else ""
        self.socket.sendall((f"GET /api/v1/events/stream?topics={self.topics} HTTP/1.1\r\nHost: localhost\r\n"
                             f"Authorization: Bearer {self.token}\r\n{resume}\r\n").encode())

    def take(self):
        piece = self.socket.recv(1 << 18)
        self.ended = not piece
        self.rest += piece
        *blocks, self.rest = self.rest.replace(b"\r\n", b"\n").split(b"\n\n")
        for block in blocks:
            self.take_block(block)

    def take_block(self, block):
        lines = block.split(b"\n")
        self.resyncs += b"event: resync" in lines
        for line in lines:
            if line.startswith(b"id: "):
                self.id = line[4:].decode()
            elif line.startswith(b"data: {\"kind\":\"JOB_LOG\""):
                news = json.loads(line[6:])
                assert news["offset"] == len(self.logs), (news["offset"], len(self.logs))
                self.logs += news["text"].encode()
            elif line.startswith(b"data: {\"event_id\""):
                self.events.append(json.loads(line[6:])["event_id"])


def hear(streams, until, limit, what):
    chosen = selectors.DefaultSelector()
    for one in streams:
        if not one.ended:
            chosen.register(one.socket, selectors.EVENT_READ, one)
    end = time.monotonic() + limit
    while not until():
        assert time.monotonic() < end, what
        for key, _ in chosen.select(0.5):
            key.data.take()
            if key.data.ended:
                chosen.unregister(key.fileobj)


def done():
    jobs = call("GET", "/api/v1/jobs?limit=1000")["items"]
    return sum(job["status"] in ("SUCCEEDED", "FAILED") for job in jobs) == count


def listed():
    items, wanted = call("GET", "/api/v1/events?limit=1000")["items"], ("JOB_", "TASK_")
    return [item["event_id"] for item in items if item["kind"].startswith(wanted)]


# --- all of them hear all ------------------------------------------------------------------------------------------
streams = [Stream() for _ in range(STREAMS)]
hear(streams, lambda: all(one.id for one in streams), 30, "not all streams begin")
count = JOBS
for i in range(JOBS):
    call("POST", "/api/v1/jobs", {"entrypoint": "seq 1 2000", "submission_id": f"job-{i}"})
    if i == JOBS // 2:
        hear(streams[:1], lambda: streams[0].events, 30, "the first stream hears nothing")
        streams[0].socket.close()
while not done():
    time.sleep(0.1)
streams[0].connect()
wanted = listed()
assert len(wanted) >= 2 * JOBS, wanted
hear(streams, lambda: all(len(one.events) >= len(wanted) for one in streams), 30, "not all events came")
for number, one in enumerate(streams):
    assert one.events == wanted, (number, one.events, wanted)

# --- output, from the first byte, cut and resumed ----------------------------------------------------------------
text = b"".join(b"%d\n" % i for i in range(1, 2001))
job = call("GET", "/api/v1/jobs/job-3")["job_id"]
log = Stream("log:job-3", after=f"0;{int(job, 16)}=0")
hear([log], lambda: log.logs, 20, "no output")
log.socket.close()
log.connect()
hear([log], lambda: len(log.logs) >= len(text), 20, "not all output came")
assert log.logs == text

# --- a revoked token ---------------------------------------------------------------------------------------------
made = call("POST", "/api/v1/tokens", {"name": "short", "role": "VIEWER"})
secret = made["token"]
other = Stream(token=secret)
hear([other], lambda: other.id, 20, "the stream of the new token does not begin")
call("DELETE", "/api/v1/tokens/" + str(made["token_id"]))
began = time.monotonic()
hear([other], lambda: other.ended, 10, "the revoked token's stream goes on")
assert time.monotonic() - began < 3, time.monotonic() - began
print("streams", STREAMS, "events", len(wanted))
EOF
expect 0 python3 "$WORK/listen.py" "$(<"$RAYC_STATE_DIR/head.http")" "$ADMIN"
has out "streams 200"
