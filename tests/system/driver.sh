#!/usr/bin/env bash
# driver: a driver that dies, or is stopped, takes its job and its whole process tree along; a finished task stays.
# usage: driver.sh BUILD-FOLDER
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

expect 0 rayc start --head --num-cpus 2 --port 0

# A tree that is hard to find: a child in the background, and one in a session of its own whose parent is gone.
cat >"$WORK/child.sh" <<'TEXT'
while :; do sleep 0.1; done
TEXT
cat >"$WORK/tree.sh" <<TEXT
bash "$WORK/child.sh" &
(setsid bash "$WORK/child.sh" &)
echo \$\$ >"$WORK/pid"
wait
TEXT
no_children() { ! pgrep -f -- "$WORK/child.sh"; }
state_is() { # JOB STATE
    rayc job get "$1" -o json >"$WORK/out" 2>/dev/null && [[ $(json status) == "$2" ]]
}

note "a driver is killed"
background rayc submit --submission-id killed -- bash "$WORK/tree.sh"
wait_until 20 test -s "$WORK/pid"
kill -KILL "$(<"$WORK/pid")"
ended 137
has err "killed by signal 9"
wait_until 20 no_children

note "a job is stopped"
rm "$WORK/pid"
background rayc submit --submission-id stopped -- bash "$WORK/tree.sh"
wait_until 20 test -s "$WORK/pid"
expect 0 rayc job stop stopped
ended 130
state_is stopped STOPPED || fail "the job is not STOPPED"
wait_until 20 no_children

note "a program that is its own driver is killed"
background "$BUILD/examples/parallel_compute" --tasks 50 --work-us 400000
wait_until 20 eval "rayc task list --filter name=square --filter state=FINISHED -o json | grep -q square"
kill -KILL "$PID"
job=$(rayc job list --limit 1 -o json | tee "$WORK/out" >/dev/null && json 'items[0].submission_id')
wait_until 30 state_is "$job" FAILED
expect 0 rayc task list --job "$job" --filter error_type=DRIVER_DIED -o json
[[ $(json total) -gt 0 ]] || fail "no task ended DRIVER_DIED"
expect 0 rayc task list --job "$job" --filter state=FINISHED -o json
[[ $(json total) -gt 0 ]] || fail "a finished task was forgotten"
expect 0 rayc submit -- true

note "a program that begins while the head is dead does not take the cluster over"
address=$(<"$RAYC_STATE_DIR/head.address")
head=$(process_of rayc-head "$RAYC_STATE_DIR")
kill -KILL "$head"
wait_until 20 gone rayc-head "$RAYC_STATE_DIR"
expect 125 "$BUILD/examples/parallel_compute" --tasks 1
has err "its worker waits for it"
expect 125 rayc submit -- true
has err "rayc start --head"
background "$BUILD/examples/parallel_compute" --tasks 1 # but waits for one that is started again
expect 0 rayc start --head --num-cpus 0 --port "${address##*:}"
ended 0
