#!/usr/bin/env bash
# cli: what a person can type, rightly and wrongly: exit codes, messages, JSON, and what happens when a head is killed.
# usage: cli.sh BUILD-FOLDER
# shellcheck disable=SC2016 # what stands in single quotes is for the job's shell
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

rayc_says_usage() { # TEXT COMMAND...: exit 2, and this text
    local text=$1
    shift
    expect 2 rayc "$@"
    has err "$text"
}

# --- the command line -------------------------------------------------------------------------------------
note "help and mistakes"
expect 0 rayc --help
has out "submit"
expect 2 rayc
has err "Usage: rayc"
expect 0 rayc --version
has out "protocol"
expect 0 rayc version -o json
[[ $(json kind) == Version ]] || fail "version -o json"
for topic in exit-codes env protocol; do
    expect 0 rayc help "$topic"
done
has out "JOB_OPEN"
commands=$(sed -n 's/^ALIAS.*//; s/^COMMAND("\([a-z]*\)", "\([a-z]*\)".*/\1 \2/p' "$(dirname "$0")/../../client/cli/commands.def")
[[ $(wc -l <<<"$commands") -ge 18 ]] || fail "commands.def cannot be read"
while read -r words; do
    read -ra command <<<"$words"
    expect 0 rayc "${command[@]}" --help
    has out "Examples:"
    has out "  rayc "
    expect 0 rayc help "${command[@]}"
    rayc_says_usage "unknown option '--nonsense'" "${command[@]}" --nonsense
done <<<"$commands"
rayc_says_usage "did you mean 'rayc submit'?" submti
rayc_says_usage "did you mean 'rayc job logs'?" job lgos
rayc_says_usage "did you mean 'rayc job list'?" jop list
rayc_says_usage "did you mean 'rayc job logs'?" logs rayc_1
rayc_says_usage "did you mean '--limit'?" job list --limti 3
rayc_says_usage "belongs to 'start'" job list --host x
rayc_says_usage "did you mean 'json'?" job list -o jsno
rayc_says_usage "needs an argument" job list --limit
rayc_says_usage "takes no argument" job list --quiet=3
rayc_says_usage "is not a whole number" job list --limit many
rayc_says_usage "is not a whole number" job list --limit -1
rayc_says_usage "is not a time" job wait --timeout soon x
rayc_says_usage "is not K=V" job list --filter FAILED
rayc_says_usage "did you mean 'rayc help exit-codes'?" help exit-code
rayc_says_usage "Commands of 'rayc job'" job
rayc_says_usage "which job?" job get
rayc_says_usage "one job at a time" job get a b
rayc_says_usage "too much" job list what
expect 2 env RAYC_OUTPUT=xml rayc job list
expect 2 env -u HOME RAYC_STATE_DIR= HOME= rayc start
has err "start what?"

note "submit: mistakes that need no cluster"
rayc_says_usage "which program?" submit
rayc_says_usage "Nothing follows" submit --
rayc_says_usage "--array: '9-1' is not a range" submit --array 9-1 -- true
rayc_says_usage "runs a command" submit --array 1-2 parallel_compute
rayc_says_usage "is not JOB, JOB:ok or JOB:any" submit --after :ok -- true
rayc_says_usage "is not K=V" submit --metadata =v -- true
rayc_says_usage "must be one JSON object" submit --metadata-json '["a"]' -- true
rayc_says_usage "pip is not offered" submit --runtime-env-json '{"pip": ["numpy"]}' -- true
rayc_says_usage "there is no key 'env'" submit --runtime-env-json '{"env": {}}' -- true
rayc_says_usage "is no name of a variable" submit --runtime-env-json '{"env_vars": {"A-B": "1"}}' -- true
rayc_says_usage "is not any, or a list" submit --array 1-2 --retry-exit-codes 1,x -- true
rayc_says_usage "--cpus: 'many' is not a number" submit --cpus many -- true
rayc_says_usage "--memory: '12Q' is not a size" submit --memory 12Q -- true
rayc_says_usage "resources" submit --resources moon -- true
rayc_says_usage "--env: '=x' is not K=V" submit --env =x -- true
rayc_says_usage "is not set here" submit --env RAYC_TEST_UNSET -- true
rayc_says_usage "--env-file: cannot read" submit --env-file "$WORK/none" -- true
rayc_says_usage "--submission-id" submit --submission-id 'a b' -- true
rayc_says_usage "--stdin: cannot read" submit --stdin "$WORK/none" -- true
expect 127 rayc submit no_such_program
has err "/examples"
expect 127 rayc submit parallel_compte
has err "did you mean 'parallel_compute'?"
expect 127 rayc submit ./no_such_program
echo text >"$WORK/text"
expect 126 rayc submit "$WORK/text"
has err "is not executable"
expect 126 rayc submit "$WORK/"
has err "is not a file"
expect 2 rayc submit /bin/true
has err "rayc submit -- /bin/true"
printf '#!/bin/sh\n' >"$WORK/script" && chmod +x "$WORK/script"
expect 2 rayc submit "$WORK/script"
has err "is a script"
head -c 100 "$BUILD/examples/parallel_compute" >"$WORK/half" && chmod +x "$WORK/half"
expect 2 rayc submit "$WORK/half"
has err "damaged"
expect 2 rayc submit --no-wait -- true
has err "rayc start --head"

# --- no cluster -------------------------------------------------------------------------------------------
note "without a cluster"
expect 0 rayc job list
same err "no jobs yet"
expect 0 rayc job list -o json
[[ $(json total) == 0 ]] || fail "an empty list as JSON"
expect 0 rayc node list
expect 0 rayc task list
expect 0 rayc tune list
same err "no studies yet"
expect 3 rayc job get @last
expect 4 rayc status
has err "rayc start --head"
expect 0 rayc stop
has err "nothing to stop"
expect 4 rayc status --address 127.0.0.1:9
expect 4 rayc status --address 127.0.0.1:9 -o json
[[ $(json error.code) == UNREACHABLE ]] || fail "error.code"
expect 125 rayc submit --address 127.0.0.1:9 -- true
expect 2 rayc status --address 'a b'
[[ ! -e $RAYC_STATE_DIR/rayc.db ]] || fail "a question has made a database"

# --- embedded ---------------------------------------------------------------------------------------------
note "an embedded cluster"
expect 0 rayc submit -- echo hello
same out hello
same err ""
expect 7 rayc submit -- sh -c 'exit 7'
has err "exit status 7"
expect 137 rayc submit -- sh -c 'kill -9 $$'
has err "killed by signal 9"
expect 0 rayc submit -- printf '%s|' 'a b' '*' '$HOME'
same out 'a b|*|$HOME|'
B=2 expect 0 rayc submit --env A=1 --env B -- sh -c 'echo $A$B$RAYC_TEST_SECRET'
same out 12
printf '# comment\nC=3\n\nD=with space\n' >"$WORK/env"
expect 0 rayc submit --env-file "$WORK/env" -- sh -c 'echo "$C$D"'
same out "3with space"
mkdir "$WORK/folder" && echo carried >"$WORK/folder/file"
expect 0 rayc submit --working-dir "$WORK/folder" -- cat file
same out carried
(cd "$WORK" && expect 0 rayc submit -- pwd && same out "$WORK") || exit 1
echo input >"$WORK/input"
expect 0 rayc submit --stdin "$WORK/input" -- cat
same out input
expect 0 rayc submit parallel_compute --tasks 4 --work-us 100
has out "3 -> 9"
expect 0 rayc submit "$BUILD/examples/parallel_compute" --tasks 2 --work-us 100
mkdir "$WORK/programs" && cp "$BUILD/examples/parallel_compute" "$WORK/programs/mine"
RAYC_PROGRAMS=$WORK/none:$WORK/programs expect 0 rayc submit mine --tasks 2 --work-us 100
expect 125 rayc submit --cpus 10000 -- true
has err "nearest node"
expect 0 rayc submit --no-logs -- echo hidden
same out ""
expect 3 rayc submit -o json -- sh -c 'echo to-stderr; exit 3'
[[ $(json kind) == JobResult && $(json exit_code) == 3 ]] || fail "JobResult"
has err to-stderr

note "an array"
expect 0 rayc submit --array 3-12 -- sh -c 'test $RAYC_TASK_INDEX -ge 3 && test $RAYC_TASK_INDEX -le 12'
expect 1 rayc submit --name steps --array 1-20 -- sh -c 'echo out-$RAYC_TASK_INDEX; test $RAYC_TASK_INDEX != 7'
has err "1 of 20 tasks failed"
expect 0 rayc task list --job @last --filter index=7 --no-headers
task=$(cut -d' ' -f1 "$WORK/out")
expect 0 rayc task logs "$task"
same out out-7
expect 0 rayc task get "$task"
has out "exit status 1"
expect 0 rayc task get "$task" -o json
[[ $(json state) == FAILED && $(json 'attempts[0].exit_status') == 1 ]] || fail "task get -o json"
expect 0 rayc task explain "$task"
has out "It has ended."
expect 0 rayc task list --job @last --limit 5
has err "showing 5 of 20 tasks"
expect 0 rayc task list --job @last -o json
[[ $(json total) == 20 && $(json 'items[19].index') == 20 ]] || fail "task list -o json"
expect 2 rayc task list --filter nosuch=1
has err "there is no column nosuch"
expect 3 rayc task get ffffffffffffffff
expect 3 rayc task logs 12345678

note "output beyond a mebibyte"
expect 0 rayc submit --submission-id large --array 1-1 -- sh -c 'head -c 3000000 /dev/zero | tr "\0" x'
expect 0 rayc task list --job large -o json
expect 0 rayc task logs "$(json 'items[0].task_id')"
[[ $(wc -c <"$WORK/out") -eq 3000000 ]] || fail "the log is not all of the output"
expect 0 rayc task cancel "$task"
has err "had ended before"

note "afterwards, from the state folder"
wait_until 20 gone rayc-head "$RAYC_STATE_DIR"
expect 0 rayc job list
has out SUCCEEDED
has out FAILED
expect 0 rayc job list --filter status=FAILED -o json
[[ $(json 'items[0].name') == steps && $(json 'items[0].driver_exit_code') == 1 ]] || fail "job list -o json"
id=$(json 'items[0].submission_id')
expect 0 rayc job get "${id:0:9}"
has out "$id"
expect 0 env COLUMNS=80 rayc job list
while IFS= read -r line; do
    ((${#line} <= 80)) || fail "the table is wider than COLUMNS: $line"
done <"$WORK/out"
expect 2 rayc job get rayc_
has err "several begin so"
expect 0 rayc submit --name evil -- printf 'a\033[31mb\n'
expect 0 rayc submit --name "$(printf 'x\033[31m\ny')" -- true
expect 0 rayc job list --color never
lacks out $'\033'
has out 'x\x1b[31m\ny'
expect 1 rayc job wait "$id"
expect 0 rayc job logs @last
same out ""

note "Ctrl-C detaches"
background rayc submit -- sh -c 'echo begun; while test ! -e "$0"; do sleep 0.02; done; echo over' "$WORK/go"
wait_until 20 grep -q begun "$WORK/bg.out"
kill -INT "$PID"
ended 130
has err "rayc job logs -f"
has err "rayc job stop"
background rayc job logs -f @last
wait_until 20 grep -q begun "$WORK/bg.out"
touch "$WORK/go"
ended 0
has out over
expect 0 rayc job wait @last

note "an embedded head is killed: who waits starts it again"
background rayc submit -- sh -c 'echo begun; while test ! -e "$0"; do sleep 0.02; done; echo over' "$WORK/revived"
wait_until 20 grep -q begun "$WORK/bg.out"
head=$(process_of rayc-head "$RAYC_STATE_DIR")
kill -KILL "$head"
another_head() {
    local now
    now=$(process_of rayc-head "$RAYC_STATE_DIR")
    [[ -n $now && $now != "$head" ]]
}
wait_until 20 another_head
touch "$WORK/revived"
ended 0
same out $'begun\nover'

note "one command after the other, while the cluster of the one before ends"
for pause in 0.30 0.32 0.34 0.36 0.38 0.40 0.45 0.50; do
    expect 0 rayc submit -- true
    read -rt $pause <> <(:) || true # about when an idle embedded head ends
    expect 0 rayc job logs @last
done

note "two at once have one cluster"
wait_until 20 gone rayc-head "$RAYC_STATE_DIR"
background rayc submit -- sh -c 'while test ! -e "$0"; do sleep 0.02; done; echo first' "$WORK/second"
expect 0 rayc submit -- sh -c 'touch "$0"; echo second' "$WORK/second"
same out second
ended 0
same out first

# --- lasting ----------------------------------------------------------------------------------------------
note "a lasting cluster"
wait_until 20 gone rayc-head "$RAYC_STATE_DIR"
rayc_says_usage "start what?" start
rayc_says_usage "give one of them" start --head --address a:1
rayc_says_usage "are of the head" start --address a:1 --port 3
rayc_says_usage "larger than 65535" start --head --port 99999
rayc_says_usage "--num-cpus" start --head --num-cpus x
export RAYC_STATE_DIR=$WORK/lasting
expect 0 rayc start --head --port 0 --num-cpus 2
has out "rayc stop"
expect 75 rayc start --head --port 0
has err "pid $(<"$RAYC_STATE_DIR/head.pid")"
expect 0 rayc status
has out ALIVE
expect 0 rayc status -o json
[[ $(json 'nodes[0].resources_total.CPU') == 2* ]] || fail "status -o json"
expect 0 rayc submit --no-wait -o json -- echo later
id=$(json submission_id)
[[ -n $id ]] || fail "--no-wait prints no submission_id"
expect 0 rayc job wait "$id"
expect 0 rayc job logs "$id"
same out later
expect 0 rayc submit --submission-id twice -- echo one
expect 0 rayc submit --submission-id twice -- echo one
same out one
expect 7 rayc submit --submission-id twice -- echo two
expect 0 rayc submit --no-wait -- sleep 1000
expect 124 rayc job wait --timeout 0.1 @last
has err "has not ended in time"
expect 0 rayc job stop @last
has out STOPPED
expect 0 rayc job stop @last
has err "had ended before"
expect 130 rayc job wait @last

note "why a task waits"
expect 0 rayc submit --no-wait --submission-id large --cpus 64 -- true
expect 0 rayc task list --job large --no-headers
task=$(cut -d' ' -f1 "$WORK/out")
expect 0 rayc task explain "$task"
has out "needs CPU 64, has 2 of 2 free (too small)"
expect 0 rayc task explain "$task" -o json
[[ $(json why) == INFEASIBLE ]] || fail "explain -o json"
expect 0 rayc task cancel "$task"
expect 125 rayc job wait large
expect 125 rayc submit --cpus 64 --if-infeasible fail -- true
expect 0 rayc submit --no-wait --submission-id full --array 1-3 -- sh -c 'while test ! -e "$0"; do sleep 0.02; done; test $RAYC_TASK_INDEX != 2 -o -e "$0.2"' "$WORK/room"
running() { rayc task list --job full --filter state=RUNNING --no-headers | wc -l | grep -qx 2; }
wait_until 20 running
expect 0 rayc task list --job full --filter index=3 --no-headers
expect 0 rayc task explain "$(cut -d' ' -f1 "$WORK/out")"
has out "needs CPU 1, has 0 of 2 free"
touch "$WORK/room"
expect 1 rayc job wait full

note "retry and cancel"
expect 0 rayc submit --no-wait --submission-id two --array 1-2 -- sh -c 'test $RAYC_TASK_INDEX = 2 || exit 9; while test ! -e "$0"; do sleep 0.02; done' "$WORK/two"
in_state() { rayc task list --job two --filter "index=$1" --filter "state=$2" --no-headers | grep -q .; }
wait_until 20 in_state 1 FAILED
wait_until 20 in_state 2 RUNNING
expect 0 rayc task list --job two --filter index=1 --no-headers
task=$(cut -d' ' -f1 "$WORK/out")
expect 0 rayc task retry "$task" -o json
[[ $(json retry_of) == "$task" && $(json task_id) != "$task" ]] || fail "task retry -o json"
expect 0 rayc task list --job two --filter index=2 --no-headers
task=$(cut -d' ' -f1 "$WORK/out")
expect 7 rayc task retry "$task"
has err "has not ended"
expect 0 rayc task explain "$task"
has out "It is running."
expect 0 rayc task cancel --force "$task"
has out "is cancelled"
expect 1 rayc job wait two
expect 1 rayc task retry "$task"

note "the head is killed, and started again"
head=$(<"$RAYC_STATE_DIR/head.pid")
port=$(sed 's/.*://' "$RAYC_STATE_DIR/head.address")
background rayc submit -- sh -c 'echo before; while test ! -e "$0"; do sleep 0.02; done; echo after' "$WORK/again"
wait_until 20 grep -q before "$WORK/bg.out"
kill -KILL "$head"
wait_until 20 grep -q "does not answer" "$WORK/bg.err"
expect 0 rayc start --head --port "$port" --num-cpus 0
wait_until 20 grep -q "answers again" "$WORK/bg.err"
touch "$WORK/again"
ended 0
same out $'before\nafter'

note "stop"
cp "$RAYC_STATE_DIR/head.pid" "$WORK/head.pid"
echo "$$" >"$RAYC_STATE_DIR/head.pid"
expect 7 rayc stop
has err "not stopped"
cp "$WORK/head.pid" "$RAYC_STATE_DIR/head.pid"
expect 0 rayc stop
has out "stopped"
gone rayc-head "$RAYC_STATE_DIR" || fail "the head lives on"
expect 0 rayc stop
has err "nothing to stop"
expect 0 rayc job list --filter submission_id=twice
has out twice
wait_until 20 gone rayc-head "$RAYC_STATE_DIR"

note "a key"
export RAYC_STATE_DIR=$WORK/keyed
expect 0 rayc start --head --host 127.0.0.1 --port 0 --num-cpus 0
has out "--key-file"
[[ $(stat -c %a "$RAYC_STATE_DIR/cluster.key") == 600 ]] || fail "the mode of the key"
address=$(<"$RAYC_STATE_DIR/head.address")
expect 5 rayc status --address "$address" --state-dir "$WORK/other"
has err "--key-file"
expect 5 rayc status --address "$address" --state-dir "$WORK/other" --key-file "$RAYC_STATE_DIR/cluster.key"
has err "is the key of a head"
expect 5 rayc start --address "$address" --state-dir "$WORK/other"
expect 125 rayc submit --address "$address" --state-dir "$WORK/other" -- true
expect 5 rayc status --address "$address" --key-file "$WORK/none"
background rayc submit -- echo at-last
wait_until 20 grep -q "no worker has joined yet" "$WORK/bg.err"
expect 0 rayc start --address "$address" --state-dir "$WORK/other" --key-file "$RAYC_STATE_DIR/worker.key" --node-name far
ended 0
same out at-last
RAYC_KEY_FILE=$RAYC_STATE_DIR/admin.key expect 0 rayc submit --address "$address" -- echo keyed
same out keyed
expect 0 rayc node list
has out far
expect 0 rayc stop --state-dir "$WORK/other"
expect 0 rayc stop

note "a state folder that cannot be used"
sqlite3 "$RAYC_STATE_DIR/rayc.db" 'PRAGMA user_version=99'
expect 8 rayc job list
has err "newer"
expect 8 rayc start --head --port 0
expect 125 rayc submit -- true
has err "use the newer rayc"
no_worker() { ! pgrep -f "^rayc-worker.*$RAYC_STATE_DIR/"; }
wait_until 5 no_worker # it was started with the head
printf 'this is no database, but long enough to be one%080d' 0 >"$RAYC_STATE_DIR/rayc.db"
expect 74 rayc job list
expect 74 rayc start --head --port 0
chmod 644 "$RAYC_STATE_DIR/cluster.key"
expect 5 rayc start --head --port 0 --host 127.0.0.1
expect 1 rayc start --head --state-dir /proc/none

note "--block"
export RAYC_STATE_DIR=$WORK/block
background rayc start --head --port 0 --num-cpus 1 --block
wait_until 20 grep -q "^worker" "$WORK/bg.out"
expect 0 rayc submit -- echo blocked
kill -TERM "$PID"
ended 0
gone rayc-head "$RAYC_STATE_DIR" || fail "the head lives on"
gone rayc-worker "$RAYC_STATE_DIR" || fail "the worker lives on"

note "ok"
