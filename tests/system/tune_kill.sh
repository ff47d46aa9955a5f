#!/usr/bin/env bash
# tune_kill: kill -9 of the driver, the head, the worker, the executor and the trial, at random moments of a study, then
# resume: no acknowledged report is lost, none is there twice, no trial with a checkpoint starts from its beginning, and
# with concurrency 1 points and values are those of the same seed without kills.
# usage: tune_kill.sh BUILD-FOLDER; what else there is comes from the environment (without SCHEDULER: some of each):
#   SEED KILLS TRIALS EPOCHS CONCURRENCY   numbers
#   SCHEDULER   fifo asha stop hyperband median pbt
#   TASK        shell c
#   CLUSTER     own (known processes, short leases) or embedded (none is started)
#   ACTIONS     of driver head worker executor trial, both (head and driver), interrupt, terminate, stop, pause (5 s)
if [[ -z ${SCHEDULER:-} ]]; then
    export SCHEDULER
    SCHEDULER=fifo bash "$0" "$1" && SCHEDULER=asha TASK=c bash "$0" "$1" && SCHEDULER=stop CONCURRENCY=3 bash "$0" "$1" &&
        SCHEDULER=median TASK=c CLUSTER=embedded KILLS=5 bash "$0" "$1"
    exit
fi
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

cd "$WORK" || fail "no folder"
RANDOM=${SEED:-$((RANDOM))}
SEED=$RANDOM KILLS=${KILLS:-8} TRIALS=${TRIALS:-8} EPOCHS=${EPOCHS:-6} CONCURRENCY=${CONCURRENCY:-1}
TASK=${TASK:-shell} CLUSTER=${CLUSTER:-own}
read -ra ACTIONS <<<"${ACTIONS:-driver head worker executor trial interrupt}"
echo "tune_kill: SEED=$SEED $SCHEDULER $TASK $CLUSTER CONCURRENCY=$CONCURRENCY"
mkdir -p "$RAYC_STATE_DIR" "$WORK/t"
export TMPDIR=$WORK/t

# Each line of effects.log is appended by one write: starts with the epoch it starts from, and acknowledged epochs.
cat >"$WORK/train.sh" <<'TEXT'
epoch=0
if [ -n "$RAYC_CHECKPOINT" ]; then read -r epoch <"$RAYC_CHECKPOINT/epoch" || exit 9; fi
echo "start $RAYC_TRIAL_ID $epoch" >>"$EFFECTS"
while [ $epoch -lt $EPOCHS ]; do
    epoch=$((epoch + 1))
    sleep 0.02
    echo $epoch >"$RAYC_CHECKPOINT_DIR/epoch"
    rayc report loss="$(awk -v x="$RAYC_PARAM_x" -v y="$RAYC_PARAM_y" -v e=$epoch 'BEGIN { printf "%.12g", x * x + y + 1 / e }')" \
        epoch=$epoch --checkpoint "$RAYC_CHECKPOINT_DIR"
    code=$?
    case $code in 0 | 75 | 76) echo "told $RAYC_TRIAL_ID $epoch $code" >>"$EFFECTS" ;; esac
    [ $code = 0 ] || exit $code
done
TEXT
declare -A SCHEDULERS=(
    [fifo]='fifo'
    [asha]="{type: asha, variant: promote, resource: epoch, min: 1, max: $EPOCHS, eta: 2, brackets: 1}"
    [stop]="{type: asha, variant: stop, resource: epoch, min: 1, max: $EPOCHS, eta: 2, brackets: 1}"
    [hyperband]="{type: hyperband, resource: epoch, min: 1, max: $EPOCHS, eta: 2}"
    [median]='{type: median, resource: epoch, grace: 1, min_samples: 2}'
    [pbt]="{type: pbt, resource: epoch, max: $EPOCHS, interval: 2, quantile: 0.25}"
)
space() { # NAME
    local run="command: bash $WORK/train.sh"
    [[ $TASK == c ]] && run="program: $BUILD/tests/tune_trial"$'\n'"task: train"
    cat <<TEXT
name: $1
metric: loss
mode: min
$run
trials: $TRIALS
concurrency: $CONCURRENCY
seed: 11
search: {algo: tpe, startup: 3}
scheduler: ${SCHEDULERS[$SCHEDULER]}
resources: {cpu: 0.25}
retry: {max_failures: -1, backoff: 10ms}
checkpoint: {keep: 1}
env: {EFFECTS: $WORK/$1.log, EPOCHS: "$EPOCHS"}
space:
  x: {uniform: [-4, 4]}
  y: {loguniform: [0.001, 1]}
  file: {const: $WORK/$1.log}
  epochs: {const: $EPOCHS}
TEXT
}
points_of() {
    sql "SELECT t.number, json_extract(t.params,'\$.x'), json_extract(t.params,'\$.y'), t.value, t.step, t.state, t.pruned
         FROM trial t JOIN study s ON s.id=t.study WHERE s.name='$1' ORDER BY t.number"
}

# A cluster of known processes: short patience, so that what was killed is given up soon.
if [[ $CLUSTER == own ]]; then
    export RAYC_ADDRESS=ipc://$WORK/head.sock
fi
start_head() {
    [[ $CLUSTER == own ]] || return 0
    rayc-head --address "$RAYC_ADDRESS" --state-dir "$RAYC_STATE_DIR" --lease-ms 3000 --suspect-ms 1000 --gone-ms 1000 \
        --beat-ms 300 2>>"$WORK/head.log" &
    HEAD_PID=$!
    BACKGROUND+=("$HEAD_PID")
}
start_worker() {
    [[ $CLUSTER == own ]] || return 0
    rayc-worker --head "$RAYC_ADDRESS" --dir "$WORK/worker" --num-cpus 1 2>>"$WORK/worker.log" &
    WORKER_PID=$!
    BACKGROUND+=("$WORKER_PID")
}
find_cluster() { # the embedded one
    [[ $CLUSTER == own ]] && return 0
    HEAD_PID=$(process_of rayc-head "$RAYC_STATE_DIR") WORKER_PID=$(process_of rayc-worker "$RAYC_STATE_DIR/worker")
}
kill_now() {
    [[ -n $1 ]] && kill -KILL "$1" 2>/dev/null || return 1
    wait "$1" 2>/dev/null
    killed=$((killed + 1))
}
# The executors are the children of the spawner, which is the worker's child; a command is the child of its executor.
children() { pgrep -P "$1" 2>/dev/null; }
an_executor() {
    local spawner
    spawner=$(children "$WORKER_PID" | head -n 1)
    [[ -n $spawner ]] && children "$spawner" | shuf -n 1 --random-source=<(yes "$RANDOM")
}
a_trial() {
    local executor
    executor=$(an_executor)
    [[ -n $executor ]] && if [[ $TASK == c ]]; then echo "$executor"; else children "$executor" | head -n 1; fi
}
trial_processes() { grep -alz '^RAYC_STUDY=loud$' /proc/[0-9]*/environ 2>/dev/null; }

start_head
start_worker
killed=0
note "without kills"
space quiet >quiet.yaml
expect 0 rayc tune --space quiet.yaml
points_of quiet >quiet.points
[[ $(cut -d'|' -f1 quiet.points | sort -u | wc -l) -eq $TRIALS ]] || fail "the quiet study has not $TRIALS points"

note "with kills"
space loud >loud.yaml
background rayc tune --space loud.yaml
told() { grep -c '^told' loud.log 2>/dev/null || true; }
more_than() { [[ $(told) -gt $1 ]]; }
over() { ! kill -0 "$PID" 2>/dev/null; }
resume() { background rayc tune resume loud; }
left_off() { # what the driver says when it was asked to end
    local code
    wait_until 60 over
    wait "$PID"
    code=$?
    [[ $code -eq 130 || $code -eq 0 ]] || { cp bg.err err && fail "after $1 the driver ended with $code"; }
}
act() {
    local pid
    find_cluster
    case $1 in
    driver) kill_now "$PID" && resume ;;
    head) kill_now "$HEAD_PID" && start_head ;;
    worker) kill_now "$WORKER_PID" && start_worker ;;
    both)
        kill_now "$HEAD_PID" && start_head
        kill_now "$PID" && resume
        ;;
    executor) pid=$(an_executor) && [[ -n $pid ]] && kill -KILL "$pid" 2>/dev/null && killed=$((killed + 1)) ;;
    trial) pid=$(a_trial) && [[ -n $pid ]] && kill -KILL "$pid" 2>/dev/null && killed=$((killed + 1)) ;;
    interrupt) kill -INT "$PID" && left_off "Ctrl-C" && resume ;;
    terminate) kill -TERM "$PID" && left_off "SIGTERM" && resume ;;
    stop) rayc tune stop loud >/dev/null && left_off "tune stop" && resume ;;
    pause)
        kill -STOP "$WORKER_PID"
        sleep 5 # longer than its lease
        kill -CONT "$WORKER_PID"
        ;;
    esac
}
for ((i = 0; i < KILLS; i++)); do
    before=$(told)
    wait_until 100 eval "more_than $((before + RANDOM % 3)) || over"
    if over; then
        wait "$PID" && break
        wait_until 30 eval 'rayc tune status loud' # a driver that met a dying cluster has given up
        resume
        continue
    fi
    read -rt "0.0$((RANDOM % 9))" <> <(:) || true # at any moment of an epoch
    action=${ACTIONS[RANDOM % ${#ACTIONS[@]}]}
    [[ -n ${VERBOSE:-} ]] && echo "$(told) $action"
    act "$action"
done
while ! { over && wait "$PID"; }; do
    if over; then resume; fi
    wait_until 100 over
done
[[ $killed -gt 0 || $KILLS -eq 0 ]] || fail "nothing was killed"
cp bg.out out
cp bg.err err

note "$killed kills; what is left"
expect 0 rayc tune status loud -o json
[[ $(json state) == COMPLETED && $(json trials) == "$TRIALS" ]] || fail "the study is $(json state) with $(json trials) trials"
points_of loud >loud.points
if [[ $CONCURRENCY -eq 1 ]]; then
    cmp -s quiet.points loud.points || fail "the kills changed the study: $(diff quiet.points loud.points)"
fi
sql "SELECT 'told loud/' || r.trial || ' ' || CAST(r.step AS INTEGER) FROM report r JOIN study s ON s.id=r.study WHERE s.name='loud' ORDER BY r.id" >rows
# Who is cancelled is told to stop, too: that is no acknowledgement.
[[ $TASK == c ]] && STOP=1 PAUSE=2 || STOP=75 PAUSE=76
# Nor is a pause whose report is not there: the trial had been paused before, was killed before it heard of it, and goes on
# from the checkpoint of that pause.
awk -v pause="$PAUSE" 'NR == FNR { row[$0]; next } !(/^told/ && $4 == pause && !(($1 " " $2 " " $3) in row))' rows loud.log >heard
awk -v stop="$STOP" '/^told/ && $4 != stop { print $1, $2, $3 }' heard | sort -u | while read -r line; do
    grep -qxF -- "$line" rows || fail "an acknowledged report is lost: $line"
done || exit 1
# A start after an acknowledged epoch starts at that epoch, at least: each was acknowledged with its checkpoint.
if [[ $SCHEDULER != pbt ]]; then
    awk '/^told/ && $4 != stop { last[$2] = $3 } /^start/ && $3 < last[$2] { print "trial " $2 " started at " $3 " after " last[$2]; bad = 1 } END { exit bad }' \
        stop="$STOP" heard >back || fail "$(cat back)"
    sort rows | uniq -d >twice
    [[ ! -s twice ]] || fail "a step was recorded twice: $(cat twice)"
    sql "SELECT t.number, t.step, (SELECT max(r.step) FROM report r WHERE r.study=t.study AND r.trial=t.number) AS last FROM trial t
         JOIN study s ON s.id=t.study WHERE s.name='loud' AND last IS NOT t.step" >wrong
    [[ ! -s wrong ]] || fail "trials whose last step is not that of their reports: $(cat wrong)"
fi
expect 0 rayc tune best loud -o json
best=$(sql "SELECT t.number FROM trial t JOIN study s ON s.id=t.study WHERE s.name='loud' AND t.state=4 AND t.value IS NOT NULL ORDER BY t.value, t.number LIMIT 1")
[[ $(json trial) == "$best" ]] || fail "the best trial is $best, not $(json trial)"
wait_until 10 eval '! trial_processes'
[[ -z $(ls "$TMPDIR") ]] || fail "left in the temporary folder: $(ls "$TMPDIR")"
