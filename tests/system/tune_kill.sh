#!/usr/bin/env bash
# tune_kill: kill -9 of the driver, the head, the worker and the trial, at random moments of a study, then resume: no
# acknowledged report is lost, no trial with a checkpoint starts from its beginning, and the suggestions are those of
# the same seed without kills.  SEED, KILLS: of the moments.
# usage: tune_kill.sh BUILD-FOLDER
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

cd "$WORK" || fail "no folder"
RANDOM=${SEED:-$((RANDOM))}
SEED=$RANDOM KILLS=${KILLS:-8} TRIALS=8 EPOCHS=6
echo "tune_kill: SEED=$SEED"

# Each line of effects.log is appended by one write: starts with the epoch it starts from, and acknowledged epochs.
cat >"$WORK/train.sh" <<'TEXT'
epoch=0
if [ -n "$RAYC_CHECKPOINT" ]; then read -r epoch <"$RAYC_CHECKPOINT/epoch"; fi
echo "start $RAYC_TRIAL_ID $epoch" >>"$EFFECTS"
while [ $epoch -lt $EPOCHS ]; do
    epoch=$((epoch + 1))
    sleep 0.02
    echo $epoch >"$RAYC_CHECKPOINT_DIR/epoch"
    rayc report loss="$(awk -v x="$RAYC_PARAM_x" -v y="$RAYC_PARAM_y" -v e=$epoch 'BEGIN { printf "%.12g", x * x + y + 1 / e }')" \
        epoch=$epoch --checkpoint "$RAYC_CHECKPOINT_DIR" || exit $?
    echo "told $RAYC_TRIAL_ID $epoch" >>"$EFFECTS"
done
TEXT
space() { # NAME
    cat <<TEXT
name: $1
metric: loss
mode: min
command: bash train.sh
trials: $TRIALS
concurrency: 1
seed: 11
search: {algo: tpe, startup: 3}
retry: {max_failures: 1000, backoff: 10ms}
checkpoint: {keep: 1}
env: {EFFECTS: $WORK/$1.log, EPOCHS: "$EPOCHS"}
space:
  x: {uniform: [-4, 4]}
  y: {loguniform: [0.001, 1]}
TEXT
}
params_of() { sqlite3 "$RAYC_STATE_DIR/rayc.db" "SELECT t.params FROM trial t JOIN study s ON s.id=t.study WHERE s.name='$1' ORDER BY t.number"; }

# A cluster of known processes: short patience, so that what was killed is given up soon.
export RAYC_ADDRESS=ipc://$WORK/head.sock
mkdir -p "$RAYC_STATE_DIR"
start_head() {
    rayc-head --address "$RAYC_ADDRESS" --state-dir "$RAYC_STATE_DIR" --lease-ms 3000 --suspect-ms 1000 --gone-ms 1000 \
        --beat-ms 300 2>>"$WORK/head.log" &
    HEAD_PID=$!
    BACKGROUND+=("$HEAD_PID")
}
start_worker() {
    rayc-worker --head "$RAYC_ADDRESS" --dir "$WORK/worker" --num-cpus 1 2>>"$WORK/worker.log" &
    WORKER_PID=$!
    BACKGROUND+=("$WORKER_PID")
}
kill_now() {
    kill -KILL "$1" 2>/dev/null || return 0
    wait "$1" 2>/dev/null
    killed=$((killed + 1))
}
start_head
start_worker
note "without kills"
space quiet >quiet.yaml
expect 0 rayc tune --space quiet.yaml
params_of quiet >quiet.params
[[ $(sort -u quiet.params | wc -l) -eq $TRIALS ]] || fail "the quiet study has not $TRIALS points"

note "with kills"
space loud >loud.yaml
background rayc tune --space loud.yaml
told() { grep -c '^told' loud.log 2>/dev/null || true; }
more_than() { [[ $(told) -gt $1 ]]; }
over() { ! kill -0 "$PID" 2>/dev/null; }
resume() { background rayc tune resume loud; }
killed=0
for ((i = 0; i < KILLS; i++)); do
    before=$(told)
    wait_until 60 eval "more_than $((before + RANDOM % 3)) || over"
    if over; then
        wait "$PID" && break
        wait_until 30 eval 'rayc tune status loud' # a driver that met a dying cluster has given up
        resume
        continue
    fi
    case $((RANDOM % 4)) in
    0) kill_now "$PID" && resume ;;
    1) kill_now "$HEAD_PID" && start_head ;;
    2) kill_now "$WORKER_PID" && start_worker ;;
    3) pid=$(pgrep -f -- "^bash train.sh" | head -n 1) && kill -KILL "$pid" && killed=$((killed + 1)) ;;
    esac
done
while ! { over && wait "$PID"; }; do
    if over; then resume; fi
    wait_until 90 over
done
[[ $killed -gt 0 ]] || fail "nothing was killed"
cp bg.out out
cp bg.err err

note "$killed kills; what is left"
expect 0 rayc tune status loud -o json
[[ $(json state) == COMPLETED && $(json trials) == "$TRIALS" ]] || fail "the study is $(json state) with $(json trials) trials"
params_of loud >loud.params
cmp -s quiet.params loud.params || fail "the kills changed the suggestions: $(diff quiet.params loud.params)"
sqlite3 "$RAYC_STATE_DIR/rayc.db" "SELECT 'told loud/' || r.trial || ' ' || CAST(r.step AS INTEGER) FROM report r JOIN study s ON s.id=r.study WHERE s.name='loud' ORDER BY r.id" >rows
sort -u loud.log | grep '^told' | while read -r line; do
    grep -qxF -- "$line" rows || fail "an acknowledged report is lost: $line"
done || exit 1
# A start after an acknowledged epoch starts at that epoch, at least: each was acknowledged with its checkpoint.
awk '/^told/ { last[$2] = $3 } /^start/ && $3 < last[$2] { print "trial " $2 " started at " $3 " after " last[$2]; bad = 1 } END { exit bad }' \
    loud.log >back || fail "$(cat back)"
