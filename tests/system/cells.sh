#!/usr/bin/env bash
# cells.sh - what executors try against their machine, their worker and other users, and do not get.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

expect 0 rayc start --head --port 0 --num-cpus 0
ADDRESS=$(<"$RAYC_STATE_DIR/head.address")
UID_BASE=()
if [[ $(id -u) -eq 0 ]]; then
    UID_BASE=(--uid-base 200000)
    chmod 711 "$WORK"
else
    note "not root: what needs a uid of its own is left out"
fi
mkdir "$WORK/outside" && chmod 711 "$WORK/outside"
background rayc-worker --head "$ADDRESS" --dir "$WORK/outside/worker" --num-cpus 4 \
    --max-file-bytes 1000000 --max-processes 100 "${UID_BASE[@]}"
WORKER=$PID
joined() { rayc node list --filter state=ALIVE -o json 2>/dev/null | grep -q '"CPU"'; }
wait_until 20 joined

# try NAME SCRIPT: what it prints is in $WORK/out
try() {
    expect 0 rayc submit --no-wait --submission-id "$1" --array 1-1 --max-retries 0 -- sh -c "cd /; $2"
    timeout 60 rayc job wait "$1" >/dev/null 2>&1
    rayc task list --job "$1" -o json >"$WORK/out" 2>/dev/null
    TASK=$(json 'items[0].task_id')
    rayc task logs "$TASK" >"$WORK/out" 2>&1
    kill -0 "$WORKER" || fail "$1: the worker is gone"
}

note "privileges"
try privileges "grep -E 'NoNewPrivs|CapBnd|CapEff' /proc/self/status; umask; ulimit -c"
has out "NoNewPrivs:	1"
has out "CapEff:	0000000000000000"
has out 0077
[[ $(id -u) -eq 0 ]] && has out "CapBnd:	0000000000000000"
if [[ $(id -u) -eq 0 ]]; then
    cp /usr/bin/id "$WORK/outside/id" && chmod 4755 "$WORK/outside/id"
    try setuid "$WORK/outside/id -u; $WORK/outside/id -u -r"
    same out $'200001\n200001'
    note "a folder of PATH that its uid may not search holds nothing"
    mkdir -m 700 "$WORK/hidden"
    expect 127 rayc submit --env "PATH=$WORK/hidden:/usr/bin" -- no_such_program
    has err "no_such_program"
    lacks err "uid"
    install -m 644 /usr/bin/id "$WORK/outside/unfit"
    expect 126 rayc submit --env "PATH=$WORK/outside:/usr/bin" -- unfit
    has err "as which the worker runs it"
fi

note "its worker, and what is not its own"
try peek "cat /proc/$WORKER/environ; cat $WORK/outside/worker/key; cat $RAYC_STATE_DIR/rayc.db; ls $WORK/outside/worker/scratch; echo end"
if [[ $(id -u) -eq 0 ]]; then
    [[ $(grep -ciE 'permission denied' "$WORK/out") -eq 4 ]] || fail "it could read something"
fi
has out end

note "its scratch folder is private, and gone afterwards"
try scratch "stat -c %a \$RAYC_SCRATCH; echo x >\$TMPDIR/file; echo \$RAYC_SCRATCH"
has out 700
gone_file() { [[ ! -e $1 ]]; }
wait_until 20 gone_file "$(tail -n 1 "$WORK/out")/file"

note "a large file ends"
try file "head -c 2000000 /dev/zero >\$TMPDIR/large; stat -c %s \$TMPDIR/large"
has out 1000000

note "executors are nice"
try nice nice
same out 15

note "what needs more memory than it demands ends, with all that it started, and that is told"
GROUP=$(sed -n 's/.* info executors.cgroup .*path="\(.*\)"$/\1/p' "$WORK/bg.err")
if [[ -n $GROUP ]]; then
    # hungry NAME OPTION... -- SCRIPT: a task that asks for 64 MiB
    hungry() {
        rayc submit --no-wait --submission-id "$1" --memory 64M --array 1-1 "${@:2}" >/dev/null 2>&1
        timeout 60 rayc job wait "$1" >/dev/null 2>&1
        rayc task list --job "$1" -o json >"$WORK/out" 2>/dev/null
        kill -0 "$WORKER" || fail "$1: the worker is gone"
    }
    hungry greedy --max-retries 1 -- perl -e '$x = q(a) x (300 << 20)'
    [[ $(json 'items[0].error_type') == OUT_OF_MEMORY && $(json 'items[0].attempt') -eq 2 ]] || fail "it was not told so"
    has out "because its memory ran out (it demands 67108864 bytes)"
    hungry child --max-retries 0 -- sh -c 'perl -e "\$x = q(a) x (300 << 20)"; exit 3'
    [[ $(json 'items[0].error_type') == OUT_OF_MEMORY ]] || fail "what its child needed was not told"
    hungry modest --max-retries 0 -- perl -e '$x = q(a) x (10 << 20); exit 3'
    [[ $(json 'items[0].error_type') == TASK_EXECUTION_EXCEPTION ]] || fail "one that needs less was not left alone"
    no_groups() { [[ -z $(find "$GROUP" -mindepth 1 -type d) ]]; }
    wait_until 20 no_groups
else
    note "left out: $(grep -o 'executors.no_cgroup .*' "$WORK/bg.err")"
fi

if [[ $(id -u) -eq 0 ]]; then
    note "a fork bomb is bounded, and head and worker answer while it lasts"
    expect 0 rayc submit --no-wait --submission-id bomb --array 1-1 --max-retries 0 -- sh -c \
        "cd /; f() { f | f & }; f 2>/dev/null; exec perl -e 'fork while 1'"
    bomb_grows() { [[ $(pgrep -cu 200001) -ge 90 ]]; }
    wait_until 20 bomb_grows
    for _ in 1 2 3; do
        expect 0 rayc job list
    done
    try beside "echo here"
    has out here
    rayc task list --job bomb -o json >"$WORK/out"
    expect 0 rayc task cancel "$(json 'items[0].task_id')"
    bomb_ended() { ! pgrep -u 200001 >/dev/null; }
    wait_until 20 bomb_ended
fi

note "who hides is gone after cancel"
expect 0 rayc submit --no-wait --submission-id hides --array 1-1 --max-retries 0 -- sh -c \
    "cd /; trap '' TERM; (setsid env -i sh -c \"trap '' TERM; (sleep 4321 & wait) & sleep 4321\" &) ; sleep 4321"
hidden() { [[ $(pgrep -fc 'sleep 4321') -ge 3 ]]; }
wait_until 20 hidden
rayc task list --job hides -o json >"$WORK/out"
expect 0 rayc task cancel "$(json 'items[0].task_id')"
none() { ! pgrep -fx 'sleep 4321' >/dev/null; }
wait_until 20 none
kill -0 "$WORKER" || fail "the worker is gone"
kill "$WORKER"
wait "$WORKER" 2>/dev/null
[[ -z $GROUP || ! -e $GROUP ]] || fail "its cgroup is still there"
if [[ $(id -u) -ne 0 ]]; then
    note ok
    exit 0
fi
expect 0 rayc stop

note "a lasting cluster of root's runs as others, also with a key"
export RAYC_STATE_DIR=$WORK/host
expect 0 rayc start --head --host 127.0.0.1 --port 0 --num-cpus 2
expect 0 rayc submit -- sh -c 'id -u; cd; touch x; pwd'
has out 200001
[[ $(stat -c %a ~) == *[02468] ]] && has out "$RAYC_STATE_DIR/worker/scratch"
cd "$WORK/outside" || exit 1
for secret in rayc.db admin.key worker.key cluster.key head.secret worker/key; do
    [[ -s $RAYC_STATE_DIR/$secret ]] || fail "there is no $secret"
    expect 1 rayc submit -- cat "$RAYC_STATE_DIR/$secret"
    has out "ermission denied"
done
expect 0 rayc submit parallel_compute --tasks 5 --work-us 100
has out "sum"
expect 0 rayc submit -- sh -c 'rayc job list -o json | grep -c job_id'

note "a working folder travels, and is its user's"
mkdir "$WORK/outside/code" && echo 'stat -c "in %u" .; touch here && ls' >"$WORK/outside/code/run.sh"
expect 0 rayc submit --working-dir "$WORK/outside/code" -- sh run.sh
has out "in 200001"
has out here

note "so do the folders of trials"
cat >"$WORK/outside/search.yaml" <<'END'
command: [sh, -c, "id -u; rayc report loss={x}"]
metric: loss
mode: min
trials: 2
space: {x: {uniform: [0, 1]}}
END
expect 0 rayc tune --space "$WORK/outside/search.yaml"
grep -qx 200001 "$RAYC_STATE_DIR"/tune/*/trial_00001/output* || fail "the trial was not user 200001"

note "a program that is closed for them is told of"
mkdir -m 700 "$WORK/closed" && cp /bin/true "$WORK/closed/program"
rayc submit -- "$WORK/closed/program" >"$WORK/out" 2>&1
has out "for uid 200001, as which the worker runs it (--uid-base 0 would not)"
expect 0 rayc stop
export RAYC_STATE_DIR=$WORK/off
expect 0 rayc start --head --port 0 --num-cpus 2 --uid-base 0
expect 0 rayc submit -- id -u
same out 0
expect 0 rayc stop

note "a closed state folder"
export RAYC_STATE_DIR=$WORK/shut
chmod 700 "$WORK"
expect 0 rayc start --head --port 0 --num-cpus 2
expect 0 rayc submit -- id -u
same out 0
grep -q "executors.as_worker" "$RAYC_STATE_DIR/worker.log" || fail "the worker has not told"
expect 0 rayc stop
rayc start --head --port 0 --num-cpus 2 --uid-base 200000 >"$WORK/out" 2>&1 && fail "it started"
has out "is closed for the uids of executors"
note ok
