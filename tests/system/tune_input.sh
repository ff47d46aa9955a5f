#!/usr/bin/env bash
# tune_input: whatever is wrong with a search.yaml is told with file, line, column and field, and changes nothing.
# usage: tune_input.sh BUILD-FOLDER
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

cd "$WORK" || fail "no folder"

# refused LINE TEXT...: the file on stdin is refused at this line, with all these texts.
refused() {
    local line=$1 text
    shift
    cat >"$WORK/s.yaml"
    expect 2 rayc tune check "$WORK/s.yaml"
    has err "s.yaml:$line:"
    for text in "$@"; do has err "$text"; done
    expect 2 rayc tune --space "$WORK/s.yaml"
    [[ ! -e $RAYC_STATE_DIR/rayc.db ]] || fail "a bad file has started a cluster"
}
# space LINE-OF-THE-SPACE TEXT...: a space in an otherwise good file.
space() {
    local texts=("$@")
    { printf 'metric: loss\nmode: min\ncommand: ["true"]\ntrials: 3\nspace:\n'; cat; } | refused "${texts[@]}"
}

note "YAML itself"
refused 2 <<<$'metric: loss\n\tmode: min'
refused 2 "metric" "already" <<<$'metric: loss\nmetric: acc\ncommand: "true"'
refused 2 "line 1" <<<'metric: [loss'
refused 2 <<<$'a: &a\n  b: *a\nmetric: loss'

note "keys"
refused 3 "trails" "trials" <<<$'metric: loss\nmode: min\ntrails: 3\ncommand: "true"\nspace: {x: {uniform: [0, 1]}}'
refused 2 "mode" "min" <<<$'metric: loss\nmode: minimum\ncommand: "true"\ntrials: 3\nspace: {x: {uniform: [0, 1]}}'
refused 1 "metric" "at most 128 bytes" <<<"metric: $(printf 'm%.0s' $(seq 257))"$'\nmode: min\ncommand: "true"\ntrials: 3\nspace: {x: {uniform: [0, 1]}}'
refused 4 "trials" <<<$'metric: loss\nmode: min\ncommand: "true"\ntrials: -3\nspace: {x: {uniform: [0, 1]}}'
refused 3 "x1" "x" <<<$'metric: loss\nmode: min\ncommand: "run {x1}"\ntrials: 3\nspace: {x: {uniform: [0, 1]}}'
refused 5 "tep" "tpe" <<<$'metric: loss\nmode: min\ncommand: "true"\ntrials: 3\nsearch: tep\nspace: {x: {uniform: [0, 1]}}'
refused 5 "gp" "not due" <<<$'metric: loss\nmode: min\ncommand: "true"\ntrials: 3\nsearch: gp\nspace: {x: {uniform: [0, 1]}}'

note "spaces"
space 6 "space.x" "choice" <<<'  x: {choice: []}'
space 6 "space.x.uniform" <<<'  x: {uniform: [1, 0]}'
space 6 "space.lr.loguniform" "0" <<<'  lr: {loguniform: [0, 1]}'
space 6 "space.q.quniform" "divide" <<<'  q: {quniform: [0, 1, 0.3]}'
space 6 "unifrom" "uniform" <<<'  x: {unifrom: [0, 1]}'
space 7 "when" <<<$'  a: {choice: [1, 2]}\n  b: {uniform: [0, 1], when: {c: 1}}'
refused 4 "grid" <<<$'metric: loss\nmode: min\ncommand: "true"\nspace: {x: {uniform: [0, 1]}}\nsearch: grid'
refused 5 "constraint" <<<$'metric: loss\nmode: min\ncommand: "true"\nspace: {x: {choice: [1, 2]}}\nconstraints: ["x > 5"]\ntrials: 3'

note "check shows the space"
cat >"$WORK/shown.yaml" <<'TEXT'
metric: loss
mode: min
command: echo 1
trials: 3
space:
  opt: {choice: [sgd, "a, b", ""]}
  size: {int: [1, 4], when: {opt: sgd}}
constraints: ["size <= 2"]
TEXT
expect 0 rayc tune check "$WORK/shown.yaml" --cpus 2 --storage "$WORK"
has out 'opt   one of sgd, "a, b", ""'
has out "size  integer 1 to 4, when opt = sgd"
has out "size: 6 points, of which 4 meet the constraints"
has out "runs: 3 trials, as many at a time as the cluster has room for, 2 CPU each"

note "flags are keys, and are told as such"
cat >"$WORK/good.yaml" <<'TEXT'
metric: loss
mode: min
command: echo {x}
trials: 3
space:
  x: {uniform: [0, 1]}
TEXT
expect 0 rayc tune check "$WORK/good.yaml"
expect 2 rayc tune --space "$WORK/good.yaml" --trials many
has err "trials"
expect 2 rayc tune --space "$WORK/good.yaml" --trails 3
has err "did you mean '--trials'"
expect 2 rayc tune --space "$WORK/good.yaml" --constraints '["x > 5"]'
has err "good.yaml: --constraints: none"
expect 2 rayc tune --space "$WORK/good.yaml" --set serach=tpe
has err "search"
expect 3 rayc tune --space "$WORK/nowhere.yaml"
has err "nowhere.yaml"
expect 2 rayc tune
has err "--space"
expect 2 rayc tune lsit
has err "rayc tune list"
expect 2 rayc report loss=1
has err "trial"
