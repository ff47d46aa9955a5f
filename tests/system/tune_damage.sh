#!/usr/bin/env bash
# tune_damage: a study whose rows, settings or definition are damaged in the database is told so, by every command that
# reads it: with a sentence, an exit code, and no signal.
# usage: tune_damage.sh BUILD-FOLDER
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

cd "$WORK" || fail "no folder"
cat >"$WORK/s.yaml" <<'YAML'
name: s
metric: loss
mode: min
command: rayc report loss={x} epoch=1
trials: 3
concurrency: 1
seed: 7
scheduler: {type: median}
space:
  x: {uniform: [0, 1]}
  m: {choice: [a, b]}
YAML
expect 0 rayc tune --space "$WORK/s.yaml"
DB=$RAYC_STATE_DIR/rayc.db

# The head that was started for a command ends when it is not needed any more.  Its worker may have come too late to be
# told so.
stopped() {
    local pid
    wait_until 20 gone rayc-head "$RAYC_STATE_DIR"
    pid=$(process_of rayc-worker "$RAYC_STATE_DIR")
    [[ -z $pid ]] || kill -KILL "$pid" 2>/dev/null
    wait_until 20 gone rayc-worker "$RAYC_STATE_DIR"
}
stopped
sqlite3 "$DB" 'PRAGMA wal_checkpoint(TRUNCATE)' >"$WORK/out" || fail "no database"
cp "$DB" "$WORK/good.db"

# damaged SQL [CODE TEXT]: nothing that reads the study crashes; `tune resume` ends with this code (0) and text.
damaged() {
    local command code
    note "$1"
    stopped
    rm -f "$DB"-wal "$DB"-shm
    cp "$WORK/good.db" "$DB"
    sqlite3 "$DB" "$1" || fail "sqlite3: $1"
    rm -rf "$WORK/export"
    for command in 'status s' 'trials s' 'export s --to export' 'resume s --trials 4'; do
        # shellcheck disable=SC2086
        timeout -k 5 60 rayc tune $command >"$WORK/out" 2>"$WORK/err" </dev/null
        code=$?
        ((code < 124)) || fail "$1: tune $command ended with $code"
        if grep -E "bug:|runtime error|Sanitizer" "$WORK/err" "$RAYC_STATE_DIR"/log/* "$RAYC_STATE_DIR"/*.log 2>/dev/null; then
            fail "$1: tune $command"
        fi
    done
    [[ $code -eq ${2:-0} ]] || fail "$1: resume ended with $code"
    [[ -z ${3:-} ]] || has err "$3"
}

damaged "UPDATE study_file SET definition = 'metric: ['" 2 'not valid YAML'
damaged "UPDATE study_file SET definition = NULL" 2 'the file is empty'
damaged "UPDATE study_file SET definition = replace(definition, 'metric: loss', 'metric: other')"
damaged "UPDATE study_file SET definition = replace(definition, '[a, b]', '[a]')" 2 'rows that do not fit'
damaged "UPDATE study_file SET definition = replace(definition, 'median', 'futuristic')" 2 'unknown scheduler'
damaged "UPDATE study_file SET definition = replace(definition, 'space:', 'novel: 3
space:')" 2 'unknown key'
damaged "UPDATE study_file SET settings = ''" 2 'stored settings'
damaged "UPDATE study_file SET settings = '{\"flags\": [], \"command\": null}'"
damaged "UPDATE study_file SET settings = '{\"flags\": [\"x\", \"=\", \"\"], \"command\": null}'" 2 'KEY=VALUE'
damaged "UPDATE study_file SET settings = '{\"flags\": [3], \"command\": null}'" 2 'stored settings'
damaged "UPDATE study_file SET settings = '{\"flags\": [], \"command\": [], \"path\": 3, \"dir\": \"gone\", \"storage\": 4}'" 2 'command: is empty'
damaged "DELETE FROM study_file" 2 'stored settings'
damaged "UPDATE trial SET point = x'00' WHERE number = 1" 2 'rows that do not fit'
damaged "UPDATE trial SET point = zeroblob(65536) WHERE number = 1" 74 'database'
damaged "UPDATE trial SET point = x'000000000000e03f0000000000001c40' WHERE number = 1" 2 'rows that do not fit'
damaged "UPDATE trial SET point = x'000000000000f87f000000000000f87f' WHERE number = 1" 2 'rows that do not fit'
damaged "UPDATE trial SET number = 7 WHERE number = 1" 2 'rows that do not fit'
damaged "UPDATE trial SET state = 77 WHERE number = 1" 74 'database'
damaged "UPDATE trial SET state = 0 WHERE number = 1" 2 'rows that do not fit'
damaged "UPDATE trial SET state = 2, ended = 0 WHERE number = 1"
damaged "UPDATE trial SET ended = -1, value = 9e999, step = -9e999, run = -1, task = -1 WHERE number = 1"
damaged "UPDATE trial SET params = 'x', metrics = '[', lineage = '{\"at\": 3}' WHERE number = 1"
damaged "UPDATE trial SET params = '', metrics = '[1]', lineage = '[{\"at\":[-1,-5],\"donor\":99,\"from\":[1,9]}]'" 2 'rows that do not fit'
damaged "UPDATE trial SET params = NULL, metrics = NULL, checkpoint = NULL, text = NULL, lineage = NULL, state = 1"
damaged "UPDATE trial SET metrics = CAST(x'ff00ff' AS TEXT), text = CAST(x'ff00ff' AS TEXT) WHERE number = 1" 74 'database'
damaged "UPDATE report SET step = 9e999, value = 9e999"
damaged "UPDATE report SET step = NULL, value = NULL, metrics = NULL"
damaged "UPDATE report SET trial = 4000000000, metrics = '[1]', at_ms = -1"
damaged "UPDATE report SET metrics = '{\"loss\": \"text\", \"epoch\": {}}', attempt = -1, number = -1"
damaged "UPDATE study SET state = 99, seed = -1, trials_max = -1, metric = NULL"
damaged "UPDATE study SET decides = 7, session = 12345, maximize = 9"
