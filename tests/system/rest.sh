#!/usr/bin/env bash
# rest.sh - a cluster at rest has no library in its processes that only others need: HTTP's come with the first
# connection, those that read archives never.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

loaded() { # LIBRARY PID
    grep -q "/$1\\.so" "/proc/$2/maps"
}

rayc-head --state-dir "$RAYC_STATE_DIR" --port 0 --http-port 0 >"$WORK/head.log" 2>&1 </dev/null &
HEAD=$!
BACKGROUND+=("$HEAD")
wait_until 20 test -s "$RAYC_STATE_DIR/head.address" -a -s "$RAYC_STATE_DIR/head.http"
rayc-worker --dir "$RAYC_STATE_DIR/worker" --head "$(<"$RAYC_STATE_DIR/head.address")" --num-cpus 1 \
    --key-file "$RAYC_STATE_DIR/worker.key" >"$WORK/worker.log" 2>&1 </dev/null &
WORKER=$!
BACKGROUND+=("$WORKER")
wait_until 20 test -s "$RAYC_STATE_DIR/worker/http.address"

note "a job with a package, and nobody speaks HTTP"
mkdir "$WORK/project"
echo hello >"$WORK/project/greeting"
expect 0 rayc submit --working-dir "$WORK/project" -- cat greeting
has out hello
for pid in "$HEAD" "$WORKER"; do
    loaded libzmq "$pid" || fail "process $pid has no libzmq: are its maps read?"
    for library in libmicrohttpd libgnutls libarchive libxml2; do
        loaded "$library" "$pid" && fail "$library is in process $pid"
    done
done

note "the first connection is answered"
expect 0 curl -sS "$(<"$RAYC_STATE_DIR/head.http")/healthz/live"
has out ok
expect 0 curl -sS "$(<"$RAYC_STATE_DIR/worker/http.address")/healthz/live"
has out ok
loaded libmicrohttpd "$HEAD" || fail "the head has no libmicrohttpd"
loaded libmicrohttpd "$WORKER" || fail "the worker has no libmicrohttpd"
