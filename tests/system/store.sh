#!/usr/bin/env bash
# store: large values on one node: written in place, mapped by readers, spilled and back, and gone with whoever had them.
# usage: store.sh BUILD-FOLDER
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"
PROGRAM=$BUILD/tests/store
WORKER_LOG=$RAYC_STATE_DIR/worker.log

is_ready() { grep -q ready "$WORK/bg.out"; }
spilled() { find "$RAYC_STATE_DIR/worker/spill" -type f | wc -l; }
# Bytes of values that processes of this test can share, by the worker's descriptors.
stored() {
    local fd bytes=0
    for fd in /proc/"$(process_of rayc-worker "$RAYC_STATE_DIR")"/fd/*; do
        [[ $(readlink "$fd") == /memfd:rayc-object* ]] && bytes=$((bytes + $(stat -L -c %b "$fd") * 512))
    done
    echo "$bytes"
}
within() { [[ $(stored) -le $1 ]]; }

# start STORE-BYTES SPILL-BYTES: a head, and a worker with so much room.
start() {
    expect 0 rayc start --head --num-cpus 0 --port 0 # only the head
    start_worker "$1" "$2"
}
start_worker() {
    rm -f "$RAYC_STATE_DIR/worker/store.sock"
    rayc-worker --head "$(<"$RAYC_STATE_DIR/head.address")" --dir "$RAYC_STATE_DIR/worker" --num-cpus 2 \
        --object-store-bytes "$1" --spill-bytes "$2" --log-file "$WORKER_LOG" &
    BACKGROUND+=("$!")
    WORKER=$!
    wait_until 20 test -S "$RAYC_STATE_DIR/worker/store.sock"
}

note "large results and arguments, in an embedded cluster; a writer that is killed is tried again"
expect 0 "$PROGRAM" results
has out "results: right"

note "values that a driver puts"
start 100000000 1000000000
expect 0 "$PROGRAM" puts
has out "puts: right"

note "several large values that one task returns; values that are taken away"
export GO=$WORK/go
mkfifo "$GO"
background "$PROGRAM" several
wait_until 60 is_ready
rows() { sqlite3 "$RAYC_STATE_DIR/rayc.db" "$1"; }
has_stored() { [[ $(rows "SELECT count(*),sum(size) FROM object WHERE state=3") == "$1" ]]; }
wait_until 20 has_stored "1|20000005" # the second of the first task
echo >"$GO"
ended 0
has out "several: right"

note "a worker is killed with all that it has: what tasks have made is made again, also when the head is killed meanwhile"
rm -f "$WORK/bg.out"
background "$PROGRAM" rebuilt
wait_until 60 is_ready
kill -KILL "$WORKER"
wait "$WORKER" 2>/dev/null
wait_until 20 gone rayc-worker "$RAYC_STATE_DIR"
start_worker 100000000 1000000000
is_rebuilding() { [[ $(rows "SELECT count(*) FROM object WHERE state=4") -eq 1 ]]; }
wait_until 20 is_rebuilding
address=$(<"$RAYC_STATE_DIR/head.address")
kill -KILL "$(process_of rayc-head "$RAYC_STATE_DIR")"
wait_until 20 gone rayc-head "$RAYC_STATE_DIR"
expect 0 rayc start --head --num-cpus 0 --port "${address##*:}"
echo >"$GO"
ended 0
has out "rebuilt: right"
has out "attempt 1: FINISHED"
has out "attempt 2: REBUILT"

note "writing to a sealed value ends the writer, and nobody sees it"
expect 139 "$PROGRAM" write_sealed
has out sealed
lacks out written

note "a store that is full spills, and what it spilled comes back"
rm -f "$WORK/bg.out"
background "$PROGRAM" many 30 10
wait_until 60 is_ready
(($(spilled) > 15)) || fail "only $(spilled) values are on the disk"
within 100000000 || fail "there are $(stored) bytes in memory"
told_spilled() { # what is on the disk, but for the newest maybe
    expect 0 rayc object list --filter spilled=1 -o json
    [[ $(json total) -ge 15 ]]
}
wait_until 20 told_spilled
expect 0 rayc object get "$(json 'items[0].object_id')"
has out SPILLED
echo >"$GO"
ended 0
has out "many: right"

note "what nothing holds any more goes, also from the disk; and a worker that starts again has nothing left"
nothing_spilled() { [[ $(spilled) -eq 0 ]]; }
wait_until 20 nothing_spilled
rm -f "$WORK/bg.out"
background "$PROGRAM" many 30 10
wait_until 60 is_ready
(($(spilled) > 15)) || fail "there is nothing to clear"
kill -KILL "$PID" "$WORKER"
wait "$PID" 2>/dev/null
wait_until 20 gone rayc-worker "$RAYC_STATE_DIR"
start_worker 50000000 100000000
[[ $(spilled) -eq 0 ]] || fail "$(spilled) files are left"

note "what neither memory nor disk has room for is refused, and says so"
expect 0 "$PROGRAM" too_large 1 160
has out "put: a value of 160000005 bytes: the object store of this node is full"
has out "return: "
has out "its result: a value of 160000005 bytes: the object store of this node is full"
expect 0 "$PROGRAM" puts # and goes on

note "a driver that is killed gives back what it had open, and what it held"
rm -f "$WORK/bg.out"
background "$PROGRAM" hold 1 40
wait_until 60 is_ready
kill -KILL "$PID"
wait "$PID" 2>/dev/null
rm -f "$WORK/bg.out"
background "$PROGRAM" many 1 50 # there is no room for both
wait_until 60 is_ready
echo >"$GO"
ended 0
