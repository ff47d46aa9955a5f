#!/usr/bin/env bash
# reach: programs drawn from seeds make, nest, keep, hand on and drop values, in any order.  All that they read is right, and
# when they have ended nothing is left: no object, no holder, no byte in a store.  Neither a killed head nor killed
# executors change that.
# usage: reach.sh BUILD-FOLDER [SEEDS]
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"
SEEDS=${2:-10}

nothing_left() {
    sql_is "0 0" "SELECT (SELECT count(*) FROM object WHERE state<6)||' '||(SELECT count(*) FROM hold)" &&
        rayc node get 1 -o json | grep -q '"object_store_used":0'
}

has_begun() { # its job has ended some tasks
    [[ $(sql "SELECT count(*) FROM task WHERE state=5 AND id>>40>=(SELECT min(id) FROM session WHERE job=(SELECT max(id) FROM job))") -gt 100 ]]
}

own_head
own_worker w1 --num-cpus 3

note "$SEEDS programs, one after the other"
for ((seed = 1; seed <= SEEDS; seed++)); do
    expect 0 "$BUILD/tests/reach" "$seed" 400 2
done
wait_until 30 nothing_left

note "the head is killed under them"
for ((seed = 1; seed <= SEEDS / 2; seed++)); do
    background "$BUILD/tests/reach" "$seed" 1200 2
    wait_until 30 has_begun
    kill -KILL "$HEAD"
    wait "$HEAD" 2>/dev/null
    own_head
    ended 0
done
wait_until 30 nothing_left

# kill_one: one of the executors, if there is one.
kill_one() {
    local pid
    pid=$(pgrep -f -- "$WORK/w1/worker/programs/" | shuf -n 1)
    [[ -n $pid ]] && kill -KILL "$pid" 2>/dev/null
}

note "executors are killed under them"
for ((seed = 1; seed <= SEEDS / 2; seed++)); do
    background "$BUILD/tests/reach" "$seed" 1200 0
    for _ in 1 2 3; do
        wait_until 30 has_begun
        kill_one
    done
    ended 0
done
wait_until 30 nothing_left
