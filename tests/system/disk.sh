#!/usr/bin/env bash
# disk.sh - a disk that hangs: who only looks is answered, and nobody is told that something is done before it is on
# the disk.
# usage: disk.sh BUILD-FOLDER
# shellcheck source=tests/system/lib.sh disable=SC2016
. "$(dirname "$0")/lib.sh" "$1"
export RAYC_CONNECT_MS=5000

mkdir -m 700 "$RAYC_STATE_DIR"
LD_PRELOAD=$BUILD/tests/stalled_sync.so RAYC_TEST_STALL=$WORK/stall rayc-head --state-dir "$RAYC_STATE_DIR" --port 0 \
    --http-port 0 >"$WORK/head.log" 2>&1 </dev/null &
BACKGROUND+=("$!")
wait_until 20 test -s "$RAYC_STATE_DIR/head.address" -a -s "$RAYC_STATE_DIR/head.http"
HTTP=$(<"$RAYC_STATE_DIR/head.http")
rayc-worker --head "$(<"$RAYC_STATE_DIR/head.address")" --num-cpus 2 --dir "$WORK/worker" >"$WORK/worker.log" 2>&1 \
    </dev/null &
BACKGROUND+=("$!")
TOKEN=$(sed -n 's/^ *token *= *"\?\([^"]*\)"\?$/\1/p' "$RAYC_STATE_DIR/admin.key")
get() { # PATH: it must be a 200; the answer is in $WORK/out
    expect 0 curl -sS --noproxy '*' --fail --max-time 30 -H "Authorization: Bearer $TOKEN" "$HTTP$1"
}

expect 0 rayc submit --submission-id before -- true
touch "$WORK/stall"
background rayc submit --submission-id stalled --no-wait -- true
# Its rows are in the log of the database, where they can be read; but they are not on the disk.
wait_until 30 eval '[[ -n $(sql "SELECT 1 FROM job WHERE submission='\''stalled'\''") ]]'
for _ in {1..20}; do
    get /healthz/live
    get /healthz/ready
    get "/api/v1/jobs?limit=10"
    has out '"submission_id":"before"'
    get "/api/jobs/before/logs"
done
expect 0 rayc status
expect 0 rayc job list
kill -0 "$PID" 2>/dev/null || fail "the client was told of a job that is not on the disk: $(<"$WORK/bg.out")"
[[ ! -s $WORK/bg.out ]] || fail "the client was told of a job that is not on the disk: $(<"$WORK/bg.out")"
rm "$WORK/stall"
ended 0
has out stalled
wait_until 30 eval 'rayc job get stalled | grep -q SUCCEEDED'
