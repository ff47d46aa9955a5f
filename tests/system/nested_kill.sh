#!/usr/bin/env bash
# nested_kill: executors, the head and the driver are killed while tasks wait for what they have submitted.  Each task leaves
# traces outside rayc, so that what really ran is known: results are right, and nothing goes on that nobody waits for.
# usage: nested_kill.sh BUILD-FOLDER
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"
PROGRAM=$BUILD/tests/nested_kill
TRACES=$WORK/traces

traces() { # N: at least so many lines
    [[ $(wc -l <"$TRACES") -ge $1 ]]
}
nothing_left() { # no task, no lease, no process
    sql_is "0 0" "SELECT (SELECT count(*) FROM task WHERE state<5)||' '||(SELECT count(*) FROM lease)" &&
        [[ -z $(executors) ]]
}
executors() { # processes that run the program for the worker
    pgrep -f -- "$WORK/w1/worker/programs/"
}
# kill_waiting: one of the processes that have begun an inner task and wait for its children.
kill_waiting() {
    local pid
    while read -r pid; do
        kill -KILL "$pid" 2>/dev/null && return
    done < <(awk '$1 == "begin" && length($2) == 2 { pid[$2] = $5 } $1 == "end" { delete pid[$2] }
                  END { for (name in pid) print pid[name] }' "$TRACES")
    false
}

own_head
own_worker w1 --num-cpus 2

note "executors that wait, and the head, are killed"
touch "$TRACES"
background "$PROGRAM" tree "$TRACES" 3 4 25
for lines in 20 45; do
    wait_until 30 traces "$lines"
    wait_until 30 kill_waiting
done
wait_until 30 traces 70
kill -KILL "$HEAD"
wait "$HEAD" 2>/dev/null
own_head
ended 0
same out "64 leaves"
[[ $(sed -n 's/^begin 0[0-9] \([0-9]*\) .*/\1/p' "$TRACES" | sort -n | tail -n 1) -ge 2 ]] || fail "no inner task was tried again"
# Each name has ended, and what began later had the higher fence.
awk '$1 == "end" { ended[$2]++ } $1 == "begin" { if ($4 <= fence[$2]) bad = $2; fence[$2] = $4 }
     END { for (name in fence) if (!ended[name]) bad = name; if (bad) { print bad; exit 1 } }' "$TRACES" ||
    fail "a task did not end, or an older attempt began after a newer one"
wait_until 30 nothing_left

note "the driver is killed: what tasks have submitted ends, too"
: >"$TRACES"
background "$PROGRAM" tree "$TRACES" 2 3 60000
wait_until 30 traces 3
kill -KILL "$PID"
wait "$PID" 2>/dev/null
wait_until 60 nothing_left
! grep -q ^end "$TRACES" || fail "a task ended well"

note "a task that runs is told that it is cancelled, and waits for nothing any more"
rm "$TRACES"
expect 0 "$PROGRAM" told "$TRACES"
told() { grep -q "^told listens 1 " "$TRACES"; }
wait_until 30 told
wait_until 30 nothing_left
