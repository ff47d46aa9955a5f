#!/usr/bin/env bash
# ray_api.sh - Ray's paths of the head, with curl: jobs, packages, logs, their tail, state; bad input leaves nothing; and
# the head is killed between the calls.  What Ray's own client makes of it: scripts/test-peers jobs.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

# --- a cluster of a head and a worker --------------------------------------------------------------------------------

start_head() { # PORTS: those of RPC and HTTP
    rm -f "$RAYC_STATE_DIR"/head.{address,http}
    rayc-head --state-dir "$RAYC_STATE_DIR" --port "$1" --http-port "$2" >>"$WORK/head.log" 2>&1 </dev/null &
    HEAD=$!
    BACKGROUND+=("$HEAD")
    wait_until 20 test -s "$RAYC_STATE_DIR/head.address" -a -s "$RAYC_STATE_DIR/head.http"
    HTTP=$(<"$RAYC_STATE_DIR/head.http")
    ADDRESS=$(<"$RAYC_STATE_DIR/head.address")
}

kill_head() {
    kill -KILL "$HEAD"
    wait "$HEAD" 2>/dev/null
}

restart_head() {
    kill_head
    start_head "${ADDRESS##*:}" "${HTTP##*:}"
}

mkdir "$RAYC_STATE_DIR"
chmod 700 "$RAYC_STATE_DIR"
start_head 0 0
TOKEN=$(sed -n 's/^ *token *= *"\?\([^"]*\)"\?$/\1/p' "$RAYC_STATE_DIR/admin.key")
rayc-worker --head "$ADDRESS" --num-cpus 4 --dir "$WORK/worker" >"$WORK/worker.log" 2>&1 </dev/null &
BACKGROUND+=("$!")

# --- asking ----------------------------------------------------------------------------------------------------------

post() { # STATUS JSON
    call "$1" POST /api/jobs/ -H 'Content-Type: application/json' --data-binary "$2"
}

field() { # NAME: of the object in $WORK/out
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$WORK/out" "$1"
}

is() { # ID STATUS
    call 200 GET "/api/jobs/$1"
    [[ $(field status) == "$2" ]]
}

jobs() {
    call 200 GET /api/jobs/
    python3 -c 'import json, sys; print(len(json.load(open(sys.argv[1]))))' "$WORK/out"
}

# --- what every client asks first ------------------------------------------------------------------------------------

call 200 GET /api/version
[[ $(field version) == 4 && $(field ray_version) == 2.* ]] || fail "version"
got=$(curl -s -o /dev/null -w '%{http_code}' "$HTTP/api/version")
[[ $got == 401 ]] || fail "without a token: $got"

# --- bad input: Ray's codes, and nothing is left ---------------------------------------------------------------------

post 500 '{bad'
post 500 '[1]'
post 400 '{}'
has out "missing 1 required positional argument: 'entrypoint'"
post 400 '{"entrypoint": 5}'
has out "entrypoint must be a string, got <class 'int'>"
post 400 '{"entrypoint": "true", "bogus": 1}'
has out "unexpected keyword argument 'bogus'"
post 400 '{"entrypoint": "true", "runtime_env": {"pip": ["x"]}}'
has out "runtime_env['pip'] is not supported"
post 400 '{"entrypoint": "true", "runtime_env": {"working_dir": "gcs://_ray_pkg_none.zip"}}'
post 400 '{"entrypoint": "true", "submission_id": "a/b"}'
for path in "" /logs /logs/tail; do
    call 404 GET "/api/jobs/nope$path"
    same out "Job nope does not exist"
done
call 404 POST /api/jobs/nope/stop
call 404 DELETE /api/jobs/nope
head -c 9000000 /dev/zero | tr '\0' ' ' >"$WORK/large"
call 413 POST /api/jobs/ -H 'Content-Type: application/json' --data-binary "@$WORK/large"
call 405 PUT /api/version
call 404 GET /api/v0/bogus
call 400 GET '/api/v0/tasks?limit=x'
has out "invalid literal for int() with base 10: 'x'"
call 400 GET '/api/v0/tasks?filter_keys=bogus&filter_predicates=%3D&filter_values=1'
[[ $(jobs) == 0 ]] || fail "bad input has left jobs"

# --- a job's life ----------------------------------------------------------------------------------------------------

post 200 '{"entrypoint": "echo hi; echo err >&2", "submission_id": "ok", "metadata": {"k": "v"},
           "runtime_env": {"env_vars": {"A": "1", "MY_TOKEN": "do-not-show"}}}'
[[ $(field submission_id) == ok && $(field job_id) == ok ]] || fail "submitted"
wait_until 20 is ok SUCCEEDED
[[ $(field message) == "Job finished successfully." && $(field driver_exit_code) == 0 ]] || fail "details of ok"
lacks out do-not-show
call 200 GET /api/jobs/ok/logs
[[ $(field logs) == $'hi\nerr' ]] || fail "logs of ok"
call 200 POST /api/jobs/ok/stop
[[ $(field stopped) == False ]] || fail "an ended job was stopped"

# The same again is the same job; another content is Ray's error.
post 200 '{"entrypoint": "true", "submission_id": "same"}'
post 200 '{"submission_id": "same", "entrypoint": "true"}'
post 500 '{"entrypoint": "false", "submission_id": "same"}'
has out "Job with submission_id same already exists."
[[ $(jobs) == 2 ]] || fail "more than two jobs"

post 200 '{"entrypoint": "echo oops; exit 3", "submission_id": "bad"}'
wait_until 20 is bad FAILED
[[ $(field error_type) == JOB_ENTRYPOINT_COMMAND_ERROR && $(field driver_exit_code) == 3 ]] || fail "details of bad"
[[ $(field message) == *"failed with exit code 3, last available logs (truncated to 20,000 chars):"*oops* ]] || fail "message"

post 200 '{"entrypoint": "echo begun; sleep 60", "submission_id": "long"}'
wait_until 20 is long RUNNING
call 500 DELETE /api/jobs/long
has out "it is in a non-terminal state RUNNING"
call 200 POST /api/jobs/long/stop
[[ $(field stopped) == True ]] || fail "stop"
wait_until 20 is long STOPPED
call 200 DELETE /api/jobs/long
call 404 GET /api/jobs/long

# --- packages --------------------------------------------------------------------------------------------------------

python3 - "$WORK/dir.zip" <<'PY'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as archive:
    archive.writestr("script.py", "print('from the package')\n")
PY
call 404 GET /api/packages/gcs/_ray_pkg_one.zip
call 200 PUT /api/packages/gcs/_ray_pkg_one.zip --data-binary "@$WORK/dir.zip"
call 200 GET /api/packages/gcs/_ray_pkg_one.zip
call 400 PUT /api/packages/gcs/_ray_pkg_two.zip --data-binary ''
call 500 PUT /api/packages/bogus/x.zip --data-binary x
call 404 GET /api/packages/gcs/_ray_pkg_two.zip
compgen -G "$RAYC_STATE_DIR/programs/*.part" && fail "an upload has left something"
restart_head
call 200 GET /api/packages/gcs/_ray_pkg_one.zip
post 200 '{"entrypoint": "python3 script.py; sleep 2; echo after", "submission_id": "packed",
           "runtime_env": {"working_dir": "gcs://_ray_pkg_one.zip"}}'
restart_head
wait_until 60 is packed SUCCEEDED
call 200 GET /api/jobs/packed/logs
[[ $(field logs) == $'from the package\nafter' ]] || fail "logs of packed"

# --- the tail: texts until the end, then 1000 ------------------------------------------------------------------------

post 200 '{"entrypoint": "for i in 1 2 3; do echo line; sleep 0.2; done", "submission_id": "tailed"}'
python3 - "$HTTP" "$TOKEN" tailed >"$WORK/out" 2>"$WORK/err" <<'PY' || fail "the tail"
import base64, os, socket, struct, sys
host, port = sys.argv[1].removeprefix("http://").rsplit(":", 1)
link = socket.create_connection((host, int(port)), timeout=30)
link.sendall((f"GET /api/jobs/{sys.argv[3]}/logs/tail HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
              f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer {sys.argv[2]}\r\n"
              f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n\r\n").encode())
stream = link.makefile("rb")
assert b" 101 " in stream.readline()
while stream.readline() != b"\r\n":
    pass
while True:
    op, size = stream.read(2)
    size = struct.unpack(">H", stream.read(2))[0] if size == 126 else size
    body = stream.read(size)
    if op == 0x81:
        print(body.decode(), end="")
    elif op == 0x88:
        print("closed with", struct.unpack(">H", body[:2])[0])
        break
PY
same out $'line\nline\nline\nclosed with 1000'

# --- state -----------------------------------------------------------------------------------------------------------

call 200 GET '/api/v0/jobs?filter_keys=submission_id&filter_predicates=%3D&filter_values=packed&detail=True'
python3 - "$WORK/out" <<'PY' || fail "state of jobs"
import json, sys
result = json.load(open(sys.argv[1]))["data"]["result"]
assert result["num_filtered"] == 1 and result["total"] == 5, result
assert result["result"][0]["status"] == "SUCCEEDED", result
PY
call 200 GET '/api/v0/nodes'
has out '"state":"ALIVE"'
call 200 GET '/api/v0/tasks?exclude_driver=false&limit=2'
call 200 GET '/api/v0/tasks/summarize'
for noun in actors objects; do
    call 200 GET "/api/v0/$noun"
    has out '"total": 0'
    call 200 GET "/api/v0/$noun/summarize"
    has out "\"total_$noun\": 0"
done
call 200 GET '/api/v0/workers'
has out "nothing of the processes"

# --- others ----------------------------------------------------------------------------------------------------------

as() { # USER ROLE: who asks from now on
    expect 0 env RAYC_ADDRESS="$ADDRESS" rayc user add "$1" --role "$2"
    expect 0 env RAYC_ADDRESS="$ADDRESS" rayc token create --user "$1" --name test --out "$WORK/$1.key"
    TOKEN=$(sed -n 's/^ *token *= *"\?\([^"]*\)"\?$/\1/p' "$WORK/$1.key")
}

as ann user
[[ $(jobs) == 0 ]] || fail "ann sees jobs of others"
call 404 GET /api/jobs/ok
call 404 POST /api/jobs/ok/stop
call 404 DELETE /api/jobs/ok
call 404 GET /api/packages/gcs/_ray_pkg_one.zip
post 400 '{"entrypoint": "true", "runtime_env": {"working_dir": "gcs://_ray_pkg_one.zip"}}'
post 200 '{"entrypoint": "echo of ann", "submission_id": "anns"}'
wait_until 20 is anns SUCCEEDED
as eye viewer
[[ $(jobs) == 6 ]] || fail "a viewer does not see everything"
call 403 DELETE /api/jobs/anns
post 403 '{"entrypoint": "true"}'
