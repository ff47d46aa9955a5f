#!/usr/bin/env bash
# tune: a study as a user meets it, with no cluster and with one: run, look, stop, resume, export; trials that go wrong.
# usage: tune.sh BUILD-FOLDER
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

cd "$WORK" || fail "no folder"

cat >"$WORK/objective.sh" <<'TEXT'
# Reports x * x three times; knows nothing of its parameters but the environment.
for step in 1 2 3; do
    rayc report loss="$(awk -v x="$RAYC_PARAM_x" -v s=$step 'BEGIN { print x * x / s }')" epoch=$step || exit $?
done
TEXT
cat >"$WORK/search.yaml" <<TEXT
name: square
metric: loss
mode: min
command: bash objective.sh
trials: 6
concurrency: 2
seed: 7
space:
  x: {uniform: [-4, 4]}
  opt: {choice: [sgd, adam]}
TEXT

note "with no cluster"
expect 0 rayc tune --space search.yaml --csv trials.csv
has out "study square: COMPLETED, 6 trials"
has out "best: trial"
[[ $(wc -l <trials.csv) -eq 7 && $(head -n 1 trials.csv) == x,opt,loss,epoch ]] || fail "trials.csv: $(head -n 2 trials.csv)"
expect 7 rayc tune --space search.yaml --name square
has err "square"
expect 0 rayc tune --space search.yaml --trials 1
has err "this one is square-2"
expect 0 rayc tune list -o json
[[ $(json 'items[1].name') == square && $(json 'items[1].state') == COMPLETED ]] || fail "tune list"
expect 0 rayc tune status square
has out "COMPLETED"
expect 0 rayc tune trials square -o json
[[ $(json 'trials[5].state') == TERMINATED && $(json 'study.metric') == loss ]] || fail "tune trials"
expect 0 rayc tune best @last -o json
awk -v v="$(json value)" 'BEGIN { exit !(v >= 0 && v < 16) }' || fail "best value"
expect 0 rayc tune export square --to exported
for file in trials.csv study.json history.svg parallel.svg trial_00000/params.json trial_00000/result.json trial_00000/progress.csv; do
    [[ -s exported/$file ]] || fail "export has no $file"
done
[[ $(wc -l <exported/trial_00000/result.json) -eq 3 ]] || fail "result.json has not the three reports"
cmp -s trials.csv exported/trials.csv || fail "two exports differ"

note "more trials for a study that has ended"
expect 0 rayc tune resume square --trials 8
has out "8 trials"
expect 3 rayc tune resume nothing
has err "no study nothing"

note "a script that knows nothing of rayc: its last line is its metric"
expect 0 rayc tune --space search.yaml --name plain --trials 4 -- awk 'BEGIN {{ print "working"; print 2 * {x} * {x} }}'
has out "4 trials"
expect 0 rayc tune --space search.yaml --name pairs --trials 3 -- echo "loss={x} other=3"
expect 0 rayc tune trials pairs -o json
[[ $(json 'trials[0].metrics.other') == 3* ]] || fail "the other metric is lost"
expect 0 rayc tune --space search.yaml --name stdout --trials 2 --metrics '{from: stdout, regex: "([a-z]+) is ([-0-9.e]+)"}' -- \
    printf 'loss is %s\n' '{x}'

note "the file descriptor, and JSON"
cat >"$WORK/fd.sh" <<'TEXT'
echo '{"loss": 0.5, "inner": {"a": 1}, "note": "text"}' >&"$RAYC_REPORT_FD"
read -r answer <&"$RAYC_REPORT_FD"
[ "$answer" = ok ] || exit 9
echo 'not a report' >&"$RAYC_REPORT_FD"
read -r answer <&"$RAYC_REPORT_FD"
case $answer in error*) ;; *) exit 8 ;; esac
TEXT
expect 0 rayc tune --space search.yaml --name fd --trials 2 -- sh "$WORK/fd.sh"
has out "2 trials"

note "trials that go wrong: the study is kept, and says which trial and why"
fails() { # NAME TEXT COMMAND...
    local name=$1 text=$2
    shift 2
    expect 1 rayc tune --space search.yaml --name "$name" --trials 2 --concurrency 1 -- "$@"
    has err "$text"
    expect 0 rayc tune trials "$name" -o json
    [[ $(json 'trials[1].state') == ERROR && $(json 'study.state') == FAILED ]] || fail "$name is kept wrongly"
}
fails silent "loss" true
fails other "ended without loss" sh -c 'rayc report accuracy=0.5'
fails missing "no-such-command" no-such-command
fails exits "exited with 3" sh -c 'echo unhappy; exit 3'
fails killed "killed by SIGKILL" sh -c 'kill -9 $$'
expect 1 rayc tune --space search.yaml --name infinite --trials 2 -- sh -c 'rayc report loss=inf'
has err "not finite"
fails long '"aaaa' sh -c 'head -c 200000 /dev/zero | tr "\0" a; echo 5'
expect 1 rayc tune --space search.yaml --name log --trials 1 -- sh -c 'echo boo; exit 3'
has err "tune/log/trial_00000/output.log"
expect 0 rayc tune --space search.yaml --name half --trials 2 -- sh -c 'case $RAYC_TRIAL_ID in */0) exit 3 ;; esac; echo 3'
has out "1 of them failed"
has err "the first that failed is trial 0: trial 0: sh exited with 3"
expect 0 rayc tune trials half --filter state=ERROR -o json
[[ $(json 'trials[0].trial') == 0 && -z $(json 'trials[1].trial') ]] || fail "the filter of tune trials"
expect 0 rayc tune best half
has out "  opt  "
expect 0 rayc tune --space search.yaml --name back --trials 1 -- sh -c 'rayc report loss=1 epoch=2 && (rayc report loss=0 epoch=1; [ $? = 2 ])'
expect 0 rayc tune trials back -o json
[[ $(json 'trials[0].value') == 1* ]] || fail "a step that went back was taken"
expect 0 rayc tune --space search.yaml --name nan --trials 2 --concurrency 1 -- sh -c 'if [ $RAYC_TRIAL_ID = nan/0 ]; then rayc report loss=nan; else rayc report loss=1; fi'
expect 0 rayc tune best nan -o json
[[ $(json trial) == 1 ]] || fail "NaN was taken for the best"

note "a scheduler stops trials"
cat >"$WORK/long.sh" <<'TEXT'
for epoch in $(seq 1 27); do
    rayc report loss="$(awk -v x="$RAYC_PARAM_x" -v e=$epoch 'BEGIN { print x * x + 1 / e }')" epoch=$epoch || exit 0
done
TEXT
expect 0 rayc tune --space search.yaml --name asha --trials 8 --set 'scheduler={type: asha, resource: epoch, min: 1, max: 27, eta: 3, brackets: 1}' -- bash "$WORK/long.sh"
expect 0 rayc tune trials asha -o json
grep -q '"pruned": *true' "$WORK/out" || fail "nothing was stopped early"

note "on a cluster that runs; stopped and resumed"
wait_until 20 gone rayc-worker "$RAYC_STATE_DIR" # of the cluster that has just ended
expect 0 rayc start --head --num-cpus 2 --port 0
cat >"$WORK/slow.sh" <<'TEXT'
for epoch in $(seq 1 1000); do rayc report loss=$epoch epoch=$epoch || exit 0; sleep 0.05; done
TEXT
background rayc tune --space search.yaml --name slow --trials 4 -- bash "$WORK/slow.sh"
slow_reports() { rayc tune trials slow -o json >"$WORK/out" && [[ -n $(json 'trials[1].step') ]]; }
wait_until 20 slow_reports
expect 0 rayc tune stop slow
ended 130
expect 0 rayc tune status slow -o json
[[ $(json state) == STOPPED ]] || fail "the study is not STOPPED"
expect 0 rayc tune --space search.yaml --name again --trials 3
has out "COMPLETED, 3 trials"

note "a demand that no node meets: it says so while it waits, and Ctrl-C ends it"
background rayc tune --space search.yaml --name large --cpus 64
says_why() { grep -q "no node is large enough for one, even when idle (64 CPU" "$WORK/bg.err"; }
wait_until 20 says_why
kill -INT "$PID"
ended 130
