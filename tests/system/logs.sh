#!/usr/bin/env bash
# logs.sh - what attempts print reaches the head while they run: it survives their node, is bounded, and is followed.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

expect 0 rayc start --head --port 0 --num-cpus 4

task_of() { # JOB: its first task
    rayc task list --job "$1" -o json >"$WORK/out" 2>/dev/null && TASK=$(json 'items[0].task_id') && [[ $TASK =~ ^[0-9a-f]{16}$ ]]
}
submit() { # NAME SCRIPT: an array of one task
    expect 0 rayc submit --no-wait --submission-id "$1" --array 1-1 --max-retries "${RETRIES:-0}" -- sh -c "$2"
    wait_until 20 task_of "$1"
}
logs_have() { # TEXT ARG...
    local text=$1
    shift
    rayc task logs "$@" 2>/dev/null | grep -qaF -- "$text"
}

note "a short task costs no log"
submit short 'echo short; echo error >&2'
expect 0 rayc job wait short
expect 0 rayc task logs "$TASK"
same out short
same err error
[[ -z $(ls -d "$RAYC_STATE_DIR"/logs/job-* 2>/dev/null) ]] || fail "a short task has a log: $(ls "$RAYC_STATE_DIR/logs")"

note "output is read while it is printed, also without a newline and with NULs"
mkfifo "$WORK/go"
submit running "printf 'one\\0two'; read x <'$WORK/go'; echo three"
wait_until 20 logs_have two "$TASK"
background rayc task logs -f "$TASK"
wait_until 20 grep -qa two "$WORK/bg.out"
echo >"$WORK/go"
ended 0
[[ $(tr -d '\0' <"$WORK/bg.out") == onetwothree ]] || fail "followed: $(cat -v "$WORK/bg.out")"
expect 0 rayc job wait running
expect 0 rayc task logs --tail 1 "$TASK"

note "secrets do not leave the worker"
expect 0 rayc submit --no-wait --submission-id hidden --array 1-1 --env MY_TOKEN=hush-hush-hush -- \
    sh -c "echo say \$MY_TOKEN; read x <'$WORK/go'"
wait_until 20 task_of hidden
wait_until 20 logs_have 'say ***' "$TASK"
echo >"$WORK/go"
expect 0 rayc job wait hidden
expect 0 rayc task logs "$TASK"
lacks out hush-hush
# The value is in the spec, for the worker; not in what was printed.
! grep -rqa hush-hush "$RAYC_STATE_DIR/logs" || fail "a log has the secret"

note "a follower misses and repeats nothing when the head is killed"
expect 0 rayc job list
PORT=$(sed -n 's|.*:\([0-9]*\)$|\1|p' "$RAYC_STATE_DIR/head.address")
submit counted "i=0; while [ \$i -lt 400 ]; do i=\$((i+1)); echo line \$i; [ \$((i % 40)) -eq 0 ] && sleep 0.3; done; read x <'$WORK/go'"
background rayc task logs -f "$TASK"
wait_until 20 grep -q 'line 120' "$WORK/bg.out"
kill -KILL "$(process_of rayc-head "$RAYC_STATE_DIR")"
expect 0 rayc start --head --port "$PORT" --num-cpus 0
wait_until 60 grep -q 'line 400' "$WORK/bg.out"
echo >"$WORK/go"
ended 0
diff <(seq -f 'line %g' 400) "$WORK/out" >/dev/null || fail "lines are missing or doubled"

note "printing without measure is bounded"
submit flood "yes | head -c 300000000; sleep 1; echo last"
expect 0 rayc job wait flood
BYTES=$(du -sb "$RAYC_STATE_DIR/logs" | cut -f 1)
((BYTES < 100000000)) || fail "logs have $BYTES bytes"
RSS=$(awk '/VmHWM/ {print $2}' "/proc/$(process_of rayc-worker "$RAYC_STATE_DIR")/status")
((RSS < 150000)) || fail "the worker took $RSS kB"
expect 0 rayc task logs --tail 1 "$TASK"
same out last

note "what was printed before the worker was killed is there"
RETRIES=0 submit lost "echo before; sleep 1000"
wait_until 20 logs_have before "$TASK"
kill -KILL "$(process_of rayc-worker "$RAYC_STATE_DIR")"
expect 0 rayc task logs "$TASK"
same out before
same err ""
expect 0 rayc start --address "$(<"$RAYC_STATE_DIR/head.address")" --num-cpus 1
expect 1 rayc job wait lost
expect 0 rayc task logs "$TASK"
same out before
same err "attempt 1 ended UNKNOWN_OUTCOME: contact was lost; whether the task ran is not known"
expect 0 rayc task get "$TASK" -o json
[[ $(json 'attempts[0].log') == "logs/job-"*".1.log" ]] || fail "the attempt says nothing of its log"
note ok
