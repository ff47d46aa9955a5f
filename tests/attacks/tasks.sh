#!/usr/bin/env bash
# tasks: what a task tries against the processes around it: its worker, the head, another user's task.
# usage: tasks.sh BUILD-FOLDER
# shellcheck source=tests/attacks/lib.sh disable=SC2016,SC2119,SC2154
. "$(dirname "$0")/lib.sh" "$1"
SPY=$BUILD/tests/spy
alive() { # PID...
    local pid
    for pid in "$@"; do kill -0 "$pid" 2>/dev/null || return 1; done
}

# A cluster whose worker is not root: all is one uid, but head, worker and spawner hide what they know.
lonely=()
((EUID == 0)) && lonely=(setpriv --reuid 65534 --regid 65534 --clear-groups)
if "${lonely[@]}" test -x "$SPY"; then
    mkdir -m 700 "$WORK/lonely"
    chmod 711 "$WORK"
    ((EUID == 0)) && chown 65534:65534 "$WORK/lonely"
    lonely+=(env "HOME=$WORK/lonely" "RAYC_STATE_DIR=$WORK/lonely/state")
    cd "$WORK/lonely" || exit 1
    expect 0 "${lonely[@]}" rayc start --head --port 0 --num-cpus 2
    head=$(<"$WORK/lonely/state/head.pid") worker=$(<"$WORK/lonely/state/worker.pid")
    spawner=$(pgrep -P "$worker")
    expect 0 "${lonely[@]}" rayc submit -- "$SPY" "$head" "$worker" "$spawner"
    same out nothing
    expect 0 "${lonely[@]}" rayc stop # knows them all the same
    same out "stopped the worker and the head"
else
    note "another user may not run $SPY: a worker that is not root is left out"
fi

if ((EUID != 0)); then
    note "not root: what needs a uid of its own is left out"
    exit 0
fi
cd / || exit 1
start_head
export RAYC_ADDRESS=$ADDRESS
user_new ann user
user_new bob user
mkdir -m 711 "$WORK/outside"
start_worker outside/worker "$RAYC_STATE_DIR/worker.key" --uid-base 200000
spawner=$(pgrep -P "$WORKER")
as bob
expect 0 "${whose[@]}" rayc submit --no-wait --submission-id bobs -- sleep 4323
bobs() { pgrep -fx 'sleep 4323'; }
wait_until 20 bobs
victim=$(bobs)
[[ $(stat -c %u "/proc/$victim") -gt 200000 ]] || fail "row 35: bob's task has no uid of its own"

as ann
expect 0 "${whose[@]}" rayc submit -- "$SPY" "$HEAD" "$WORKER" "$spawner" "$victim"
same out nothing
scratch=$WORK/outside/worker/scratch
expect 2 "${whose[@]}" rayc submit -- ls "$scratch" "$scratch/0" # that of bob's task
[[ $(grep -ci 'permission denied' "$WORK/out") -eq 2 ]] || fail "row 35: it could look into a folder"
expect 1 "${whose[@]}" rayc submit -- cat "$WORK/outside/worker/key" "$RAYC_STATE_DIR/rayc.db" "$RAYC_STATE_DIR/worker.key" "$RAYC_STATE_DIR/admin.key"
[[ $(grep -ci 'permission denied' "$WORK/out") -eq 4 ]] || fail "row 35: it could read a file"
pass 35 "a task cannot look into its worker, the spawner, the head or another user's task, nor read their files"

"${whose[@]}" rayc submit --submission-id kills -- sh -c 'kill -9 -1; kill -9 '"$HEAD $WORKER $spawner $victim" >/dev/null 2>&1
alive "$HEAD" "$WORKER" "$spawner" "$victim" || fail "row 34: it killed one"
expect 0 "${whose[@]}" rayc submit --no-wait --submission-id hides -- sh -c \
    "trap '' TERM; (setsid env -i sh -c \"trap '' TERM; (sleep 4324 & wait) & sleep 4324\" &) ; sleep 4324"
hidden() { [[ $(pgrep -fxc 'sleep 4324') -ge 3 ]]; }
wait_until 20 hidden
expect 0 "${whose[@]}" rayc job stop hides
none() { ! pgrep -fx 'sleep 4324' >/dev/null; }
wait_until 20 none
alive "$HEAD" "$WORKER" "$spawner" "$victim" || fail "row 34: one is gone"
pass 34 "a task that kills all it can, forks away and ignores SIGTERM is gone when its job is stopped; nobody else is"
