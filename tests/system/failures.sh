#!/usr/bin/env bash
# failures: each way in which a task fails has a code of rayc.h for its program, and Ray's error type for people.
# usage: failures.sh BUILD-FOLDER
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

expect 0 rayc start --head --num-cpus 2 --port 0
expect 0 "$BUILD/tests/failures" # also what a task that has ended well left behind
cp "$WORK/out" "$WORK/told"

# NAME, code of rayc.h, the application's code, signal, attempt that decided, Ray's error type, what the text says
while read -r name code app signal attempt type text; do
    note "$name"
    line=$(grep "^$name " "$WORK/told") || fail "$name was not told"
    read -r _ _ _ _ _ app_task <<<"$(grep "^app " "$WORK/told")"
    text=${text/@app/$app_task} # the first task that failed
    read -r _ code_told app_told signal_told attempt_told task <<<"$line"
    [[ "$code_told $app_told $signal_told $attempt_told" == "$code $app $signal $attempt" ]] || fail "told: $line"
    expect 0 rayc task get "$task" -o json
    [[ $(json error_type) == "$type" ]] || fail "its error type is $(json error_type)"
    [[ $(json error_message) == *"$text"* ]] || fail "its error says: $(json error_message)"
done <<'TABLE'
app           -30 7 0 1 TASK_EXECUTION_EXCEPTION no luck
upstream      -34 0 0 0 UPSTREAM_FAILED          failed task: @app fails, TASK_EXECUTION_EXCEPTION: no luck
upstream_2    -34 0 0 0 UPSTREAM_FAILED          failed task: @app fails, TASK_EXECUTION_EXCEPTION: no luck
exit          -30 9 0 1 TASK_EXECUTION_EXCEPTION 9
setup         -30 0 0 1 RUNTIME_ENV_SETUP_FAILED /no/such/program
worker_died   -31 0 9 2 WORKER_DIED              signal 9
argument      -33 0 0 1 ARGUMENT_ERROR           argument 0
unknown_task  -11 0 0 1 TASK_EXECUTION_EXCEPTION RAYC_TASK(not_registered)
parent        -30 8 0 1 TASK_EXECUTION_EXCEPTION and a child
run_timeout   -30 0 9 1 RUN_TIMEOUT              ran longer than its limit
queue_timeout -30 0 0 0 QUEUE_TIMEOUT            waited longer than its limit
quarantined   -31 0 9 2 QUARANTINED              too many times in a row
unschedulable -18 0 0 0 TASK_UNSCHEDULABLE_ERROR node 999
cancelled     -32 0 0 0 TASK_CANCELLED           cancelled
upstream_cancelled -34 0 0 0 UPSTREAM_FAILED     result of a failed task
cancelled_by_another -32 0 0 0 TASK_CANCELLED    cancelled
TABLE

note "what a failed task has submitted"
expect 0 rayc task list --filter error_type=OWNER_DIED -o json
[[ $(json total) == 1 && $(json 'items[0].name') == sleeps ]] || fail "the child was not given up"
