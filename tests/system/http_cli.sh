#!/usr/bin/env bash
# http_cli.sh - rayc over HTTP through a forwarded port, from where there is no state folder and no key but a token: jobs,
# programs, output as it comes, the head killed between, tokens that are wrong or revoked.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

# --- a cluster, and a forwarded port ---------------------------------------------------------------------------------

STATE=$RAYC_STATE_DIR
start_head() { # PORTS: those of RPC and HTTP
    rm -f "$STATE"/head.{address,http}
    rayc-head --state-dir "$STATE" --port "$1" --http-port "$2" >>"$WORK/head.log" 2>&1 </dev/null &
    HEAD=$!
    BACKGROUND+=("$HEAD")
    wait_until 20 test -s "$STATE/head.address" -a -s "$STATE/head.http"
    HTTP=$(<"$STATE/head.http")
    ADDRESS=$(<"$STATE/head.address")
}

cat >"$WORK/forward.py" <<'PYTHON'
import os, socket, sys, threading

def carry(source, sink):
    try:
        while piece := source.recv(65536):
            sink.sendall(piece)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

def serve(near):
    try:
        far = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
    except OSError:
        near.close()
        return
    back = threading.Thread(target=carry, args=(far, near))
    back.start()
    carry(near, far)
    back.join()
    near.close()
    far.close()

listener = socket.create_server(("127.0.0.1", 0), backlog=64)
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(listener.getsockname()[1]))
os.rename(sys.argv[1] + ".new", sys.argv[1])
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
PYTHON

# forward FILE PORT: listens, writes its own port into the file, and carries what comes to PORT.
forward() {
    python3 "$WORK/forward.py" "$@" >>"$WORK/forward.log" 2>&1 </dev/null &
    BACKGROUND+=("$!")
    wait_until 20 test -s "$1"
}

secret() { # of an access file
    sed -n 's/^ *token *= *"\?\([^"]*\)"\?$/\1/p' "$1"
}

mkdir -m 700 "$STATE"
start_head 0 0
rayc-worker --head "$ADDRESS" --num-cpus 4 --dir "$WORK/worker" >"$WORK/worker.log" 2>&1 </dev/null &
BACKGROUND+=("$!")
forward "$WORK/port" "${HTTP##*:}"
FAR=http://localhost:$(<"$WORK/port")
ADMIN=$(secret "$STATE/admin.key")

# far: as on a laptop
far=(env "RAYC_STATE_DIR=$WORK/laptop" "RAYC_TOKEN=$ADMIN" "RAYC_ADDRESS=$FAR" RAYC_CONNECT_MS=10000 rayc)

note "jobs"
expect 0 "${far[@]}" whoami
has out "admin (ADMIN)"
expect 0 "${far[@]}" status
expect 3 env "RAYC_STATE_DIR=$WORK/laptop" "RAYC_TOKEN=$ADMIN" rayc submit --address "$FAR" -- sh -c 'echo three; exit 3'
same out three
expect 0 "${far[@]}" submit --submission-id first -- echo hello
same out hello
expect 0 "${far[@]}" job get first -o json
[[ $(json status) == SUCCEEDED ]] || fail "the status of a job"
expect 0 "${far[@]}" job list
has out first
expect 0 "${far[@]}" job logs first
same out hello
expect 0 "${far[@]}" task list
has out FINISHED
expect 0 "${far[@]}" tune list
expect 0 "${far[@]}" node list
expect 3 "${far[@]}" job get nothing

note "RAY_ADDRESS, which Ray's client has, too"
expect 0 env "RAYC_STATE_DIR=$WORK/laptop" "RAYC_TOKEN=$ADMIN" "RAY_ADDRESS=$FAR" rayc job get first
expect 0 env "RAYC_STATE_DIR=$WORK/laptop" "RAYC_TOKEN=$ADMIN" "RAYC_ADDRESS=$FAR" RAY_ADDRESS=http://127.0.0.1:9 \
    rayc job get first
RAY_ADDRESS=auto expect 0 rayc job get first

note "a program, and the output of a job while it comes"
expect 0 "${far[@]}" submit "$BUILD/examples/parallel_compute" --tasks 4 --work-us 100
background "${far[@]}" submit --submission-id slow -- sh -c \
    "echo begins; until [ -e '$WORK/go' ]; do sleep 0.05; done; echo ends; exit 4"
wait_until 20 grep -q begins "$WORK/bg.out"
SLOW=$PID
"${far[@]}" job logs -f slow >"$WORK/follow.out" 2>"$WORK/follow.err" </dev/null &
FOLLOW=$!
BACKGROUND+=("$FOLLOW")
wait_until 20 grep -q begins "$WORK/follow.out"

note "the head is killed meanwhile"
kill -KILL "$HEAD"
wait "$HEAD" 2>/dev/null
start_head "${ADDRESS##*:}" "${HTTP##*:}"
expect 0 "${far[@]}" job get slow
touch "$WORK/go"
PID=$SLOW
ended 4
same out "begins
ends"
wait_until 20 eval "! kill -0 $FOLLOW"
wait "$FOLLOW" || true
[[ $(<"$WORK/follow.out") == "begins
ends" ]] || fail "job logs -f: $(<"$WORK/follow.out") $(<"$WORK/follow.err")"

note "stop"
expect 0 "${far[@]}" submit --no-wait --submission-id long -- sleep 1000
wait_until 20 eval "rayc job get long | grep -q RUNNING"
expect 0 "${far[@]}" job stop long
wait_until 20 eval "rayc job get long | grep -q STOPPED"

note "who does not come in"
expect 5 env "RAYC_STATE_DIR=$WORK/laptop" RAYC_TOKEN=rayc_wrong rayc status --address "$FAR"
has err "refused the token: it is wrong, expired or revoked"
expect 5 env "RAYC_STATE_DIR=$WORK/laptop" rayc status --address "$FAR"
has err RAYC_TOKEN
# A forwarded port is not where the head of the state folder listens: its token is not for whoever answers there.
expect 0 rayc whoami --address "http://localhost:${HTTP##*:}"
expect 5 rayc whoami --address "$FAR"
has err "rayc login ADDRESS"
expect 5 env "RAYC_STATE_DIR=$WORK/laptop" "RAYC_TOKEN=$(secret "$STATE/worker.key")" rayc status --address "$FAR"
expect 4 env "RAYC_STATE_DIR=$WORK/laptop" "RAYC_TOKEN=$ADMIN" rayc status --address "http://${ADDRESS#tcp://}"
has err "speaks ZeroMQ on this port, not HTTP"

note "login: tried, then saved for this address"
laptop=(env "RAYC_STATE_DIR=$WORK/laptop" rayc)
expect 5 "${laptop[@]}" whoami --address "$FAR"
has err "rayc login"
printf rayc_wrong >"$WORK/token"
chmod 600 "$WORK/token"
expect 5 "${laptop[@]}" login "$FAR" --token-file "$WORK/token"
has err "refused the token"
[[ ! -e $XDG_CONFIG_HOME/rayc/credentials ]] || fail "a wrong token was saved"
expect 4 "${laptop[@]}" login "http://${ADDRESS#tcp://}" --token-file "$WORK/token"
expect 2 "${laptop[@]}" login "$FAR/path" --token-file "$WORK/token"
printf %s "$ADMIN" >"$WORK/token"
chmod 644 "$WORK/token"
expect 5 "${laptop[@]}" login "$FAR" --token-file "$WORK/token"
has err "chmod 600"
expect 2 setsid "${laptop[@]}" login "$FAR"
has err "there is no terminal"
expect 0 env "RAYC_STATE_DIR=$WORK/laptop" sh -c 'printf "%s\n" "$1" | rayc login "$2" --token-file - -o json' sh "$ADMIN" "$FAR"
[[ $(json kind)/$(json user) == Login/admin ]] || fail "login as JSON"
[[ $(stat -c %a "$XDG_CONFIG_HOME/rayc/credentials") == 600 ]] || fail "the mode of the credentials"
expect 0 "${laptop[@]}" whoami --address "$FAR/"
expect 0 "${laptop[@]}" submit --address "$FAR" "$BUILD/examples/parallel_compute" --tasks 2 --work-us 100
RAYC_STATE_DIR=$WORK/laptop RAYC_ADDRESS=$FAR expect 0 "$BUILD/examples/parallel_compute" --tasks 2 --work-us 100
chmod 640 "$XDG_CONFIG_HOME/rayc/credentials"
expect 5 "${laptop[@]}" whoami --address "$FAR"
has err "chmod 600"
chmod 600 "$XDG_CONFIG_HOME/rayc/credentials"
expect 0 "${laptop[@]}" logout "$FAR"
expect 3 "${laptop[@]}" logout "$FAR"
expect 0 "${laptop[@]}" logout --all
expect 5 "${laptop[@]}" whoami --address "$FAR"

note "login on a terminal, which does not show the token"
cat >"$WORK/type.py" <<'PYTHON'
import os, pty, sys

pid, terminal = pty.fork()
if pid == 0:
    os.execvp("rayc", ["rayc", "login", sys.argv[1]])
shown = b""
while b"Token for" not in shown:
    shown += os.read(terminal, 4096)
os.write(terminal, sys.argv[2].encode().replace(b"^C", b"\x03") + b"\n")
try:
    while piece := os.read(terminal, 4096):
        shown += piece
except OSError:
    pass
sys.stdout.write(shown.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) % 256)
PYTHON
expect 0 env "RAYC_STATE_DIR=$WORK/laptop" python3 "$WORK/type.py" "$FAR" "$ADMIN"
has out "admin (ADMIN)"
lacks out "$ADMIN"
expect 0 "${laptop[@]}" whoami --address "$FAR"
expect 254 env "RAYC_STATE_DIR=$WORK/laptop" python3 "$WORK/type.py" "$FAR" "^C" # by SIGINT

note "a token that is revoked is cut off"
expect 0 rayc user add ann --role user
expect 0 rayc token create --user ann --name laptop --out "$WORK/ann.key"
ann=(env "RAYC_STATE_DIR=$WORK/laptop" "RAYC_TOKEN=$(secret "$WORK/ann.key")" "RAYC_ADDRESS=$FAR" rayc)
background "${ann[@]}" submit --submission-id anns -- sleep 1000
wait_until 20 eval "rayc job get anns | grep -q RUNNING"
ID=$(sqlite3 "file:$STATE/rayc.db?mode=ro" "SELECT t.id FROM token t JOIN user u ON u.id=t.user WHERE u.name='ann'")
expect 0 rayc token revoke "$ID"
wait_until 2 eval "! kill -0 $PID"
ended 125
has err "refused the token: it is wrong, expired or revoked"
expect 5 "${ann[@]}" job list
