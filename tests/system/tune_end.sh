#!/usr/bin/env bash
# tune_end: how a study can end before its time: without a head, without its worker, by two drivers, by a storage that is
# gone; nothing waits for ever, the exit codes say what happened, and it can be gone on with.
# usage: tune_end.sh BUILD-FOLDER
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

cd "$WORK" || fail "no folder"
export RAYC_ADDRESS=ipc://$WORK/head.sock
mkdir -p "$RAYC_STATE_DIR"
start_head() {
    rayc-head --address "$RAYC_ADDRESS" --state-dir "$RAYC_STATE_DIR" --lease-ms 3000 --suspect-ms 1000 --gone-ms 2000 \
        --beat-ms 300 2>>"$WORK/head.log" &
    HEAD_PID=$!
    BACKGROUND+=("$HEAD_PID")
}
start_worker() {
    rayc-worker --head "$RAYC_ADDRESS" --dir "$WORK/worker" --num-cpus 2 2>>"$WORK/worker.log" &
    WORKER_PID=$!
    BACKGROUND+=("$WORKER_PID")
}
kill_now() {
    kill -KILL "$1"
    wait "$1" 2>/dev/null
}
is() { rayc tune status "$1" -o json >"$WORK/status" && grep -q "\"state\": *\"$2\"" "$WORK/status"; }
running() { [[ $(sqlite3 -readonly "$RAYC_STATE_DIR/rayc.db" "SELECT count(*) FROM reports WHERE study='$1'") -gt 0 ]]; }
start_head
start_worker

# Waits at its epoch 2 until the file `go` is there.
cat >train.sh <<'TEXT'
epoch=0
if [ -n "$RAYC_CHECKPOINT" ]; then read -r epoch <"$RAYC_CHECKPOINT/epoch" || exit 9; fi
echo "start $RAYC_TRIAL_ID $epoch" >>"$EFFECTS"
while [ $epoch -lt 3 ]; do
    epoch=$((epoch + 1))
    while [ $epoch = 2 ] && [ ! -e "$GO" ]; do sleep 0.05; done
    echo $epoch >"$RAYC_CHECKPOINT_DIR/epoch"
    rayc report loss="$RAYC_PARAM_x" epoch=$epoch --checkpoint "$RAYC_CHECKPOINT_DIR" || exit $?
done
TEXT
cat >search.yaml <<TEXT
metric: loss
mode: min
command: bash $WORK/train.sh
trials: 3
seed: 1
checkpoint: {keep: 1}
env: {GO: $WORK/go, EFFECTS: $WORK/effects}
space: {x: {uniform: [0, 1]}}
TEXT

note "two drivers of one name"
background rayc tune --space search.yaml --name one
wait_until 20 running one
expect 7 rayc tune --space search.yaml --name one
has err "one"
timeout 20 rayc tune resume one >second.out 2>second.err &
SECOND=$!
wait_until 10 grep -q "another program drives" second.err
kill -INT "$SECOND"
wait "$SECOND"
code=$?
[[ $code -eq 130 ]] || fail "a driver that waits for another ended with $code after Ctrl-C"

note "the worker is killed: a trial whose retries are not asked for goes on from its checkpoint"
kill_now "$WORKER_PID"
start_worker
touch go
ended 0
grep -qx "start one/0 1" effects || fail "trial 0 did not go on from its checkpoint"
[[ $(grep -cx "start one/0 0" effects) -eq 1 ]] || fail "trial 0 began twice"
rm go

note "trials that end while their driver is dead are not run again"
background rayc tune --space search.yaml --name dead
wait_until 20 running dead
kill_now "$PID"
touch go
finished() {
    sqlite3 -readonly "$RAYC_STATE_DIR/rayc.db" \
        "SELECT t.trial FROM trials t JOIN tasks k ON k.task_id=t.task_id WHERE t.study='dead' AND k.state='FINISHED'"
}
wait_until 20 eval '[[ -n $(finished) ]]'
finished >ended
expect 0 rayc tune resume dead
has out "COMPLETED, 3 trials"
while read -r trial; do
    [[ $(grep -c "^start dead/$trial " effects) -eq 1 ]] || fail "trial $trial had finished, and was run again"
done <ended
rm go

note "Ctrl-C while there is no head"
for settings in scheduler=fifo concurrency=1 scheduler=median; do
    name=gone_${settings%=*}_${settings#*=}
    background rayc tune --space search.yaml --name "$name" --set "$settings"
    wait_until 20 running "$name"
    kill_now "$HEAD_PID"
    kill -INT "$PID"
    read -rt 0.3 <> <(:) || true
    kill -INT "$PID" # who asks twice does not wait
    ended 130
    start_head
    wait_until 20 is "$name" INTERRUPTED
done
background rayc tune --space search.yaml --name alone
wait_until 20 running alone
kill_now "$HEAD_PID"
kill -TERM "$PID"
ended 130
start_head
wait_until 20 is alone INTERRUPTED
touch go
expect 0 rayc tune resume alone
has out "COMPLETED, 3 trials"
[[ $(grep -cx "start alone/0 0" effects) -eq 1 ]] || fail "trial alone/0 began twice"

note "a search program that dies again and again, but gets on"
cat >search.sh <<'TEXT'
for ((answers = 0; answers < 2;)); do
    read -r line || exit 0
    [[ $line == *'"ask"'* ]] || continue
    trial=${line//[^0-9]/}
    echo "{\"trial\": $trial, \"params\": {\"x\": 0.$trial}}"
    answers=$((answers + 1))
done
TEXT
expect 0 rayc tune --space search.yaml --name outside --trials 12 --set "search={algo: external, command: [bash, $WORK/search.sh]}"
has out "COMPLETED, 12 trials"
