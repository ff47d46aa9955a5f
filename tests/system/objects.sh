#!/usr/bin/env bash
# objects: references in all ways, with the head killed and started again in between.
# usage: objects.sh BUILD-FOLDER
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

kill_head() {
    kill -KILL "$(process_of rayc-head "$RAYC_STATE_DIR")"
    wait_until 20 gone rayc-head "$RAYC_STATE_DIR"
}
# Only the head: the worker lives on.
restart_head() { expect 0 rayc start --head --num-cpus 0 --port "${ADDRESS##*:}"; }
is_ready() { grep -q ready "$WORK/bg.out"; }

# begin NAME: the part NAME of objects.c, until it says ready.
begin() {
    rm -f "$WORK/go" "$WORK/bg.out"
    mkfifo "$WORK/go"
    background "$BUILD/tests/objects" "$1" "$WORK/go"
    wait_until 60 is_ready
}

# part NAME: with the head killed where it says ready.
part() {
    begin "$1"
    kill_head
    restart_head
    echo >"$WORK/go"
    ended 0
}

expect 0 rayc start --head --num-cpus 2 --port 0
ADDRESS=$(<"$RAYC_STATE_DIR/head.address")

note "what a node offers by default"
expect 0 rayc node get 1 -o json
offered=$(json resources_total.memory)
[[ $offered -gt 0 && $offered -le $(awk '/MemTotal/ { printf "%.0f", $2 * 1024 * 0.7 }' /proc/meminfo) ]] || fail "it offers $offered bytes"
[[ $(($(json object_store_memory) - offered * 3 / 10)) =~ ^-?[01]$ ]] || fail "its store has $(json object_store_memory) bytes"

note "values that were put outlive the head, and are no tasks"
part puts
has out "values: 301"
expect 0 rayc job get @last -o json
[[ $(json tasks.total) == 302 ]] || fail "values count as tasks of the job: $(json tasks.total)"
[[ $(sqlite3 "$RAYC_STATE_DIR/rayc.db" "SELECT count(*) FROM task WHERE state=5") == 603 ]] || fail "a value has no row"
expect 0 rayc task list --job @last --limit 10000 -o json
[[ $(grep -o '"task_id"' "$WORK/out" | wc -l) -eq 302 ]] || fail "the list of tasks shows values"

note "a task returns several values and references, across a restart of the head"
part several
has out "several: 2"

note "a program uses another one's reference; a user has only its own"
begin lend
LENT=$(head -n 1 "$WORK/bg.out" | cut -d ' ' -f 1)
export LENT
expect 0 "$BUILD/tests/objects" borrow
has out "got: lent"
expect 0 rayc user add other
expect 0 rayc token create --user other --out "$WORK/other.key"
RAYC_ADDRESS=$ADDRESS RAYC_KEY_FILE=$WORK/other.key expect 1 "$BUILD/tests/objects" borrow
has err "the head knows no such task"
echo >"$WORK/go"
ended 0

note "what others have a reference of outlives who made it, and goes when nobody has one"
rows() { sqlite3 "$RAYC_STATE_DIR/rayc.db" "$1"; }
stored_are() { [[ $(rows "SELECT count(*) FROM object WHERE state=3") -eq $1 ]]; }
is_closed() { [[ $(rows "SELECT closed FROM session WHERE id=$1") -eq 1 ]]; }
is_ready_again() { [[ $(grep -c ready "$WORK/bg.out") -eq 2 ]]; }
begin bequeath
GIVER=$PID
LENT=$(head -n 1 "$WORK/bg.out" | cut -d ' ' -f 1)
begin nested
kill -KILL "$GIVER"
wait "$GIVER" 2>/dev/null
wait_until 30 is_closed $((LENT >> 40))
kill_head
restart_head
stored_are 5 || fail "$(rows "SELECT * FROM object") are stored"
echo >"$WORK/go"
wait_until 30 is_ready_again
wait_until 20 stored_are 0
echo >"$WORK/go"
ended 0
