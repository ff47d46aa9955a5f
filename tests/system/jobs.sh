#!/usr/bin/env bash
# jobs: files go along, jobs follow others, run again, are deleted; also when head and worker are killed in between.
# usage: jobs.sh BUILD-FOLDER
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

# Only the head: the worker lives on.
restart_head() { expect 0 rayc start --head --num-cpus 0 --port "${ADDRESS##*:}"; }
state_is() { # JOB STATE
    rayc job get "$1" -o json >"$WORK/out" 2>/dev/null && [[ $(json status) == "$2" ]]
}
is_gone() { ! rayc job get "$1" >/dev/null 2>&1; }
kill_head() {
    kill -KILL "$(process_of rayc-head "$RAYC_STATE_DIR")"
    wait_until 20 gone rayc-head "$RAYC_STATE_DIR"
}
expect 0 rayc start --head --num-cpus 2 --port 0
ADDRESS=$(<"$RAYC_STATE_DIR/head.address")

note "a folder goes along, without what is left out"
mkdir -p "$WORK/project/src" "$WORK/module/lib" "$WORK/project/.git"
echo '*.log' >"$WORK/project/.gitignore"
echo '/data' >"$WORK/project/.raycignore"
touch "$WORK/project/.git/x" "$WORK/project/a.log" "$WORK/project/data"
printf '#!/bin/sh\nls -A; echo "$A|$B"; basename "$(dirname "$(pwd)")"\n' >"$WORK/project/run.sh"
chmod 755 "$WORK/project/run.sh"
expect 0 rayc submit --working-dir "$WORK/project" \
    --runtime-env-json '{"env_vars": {"A": "1", "B": "${HOME}-${NOT_SET}"}}' --metadata who=me -- ./run.sh
has out run.sh
has out "1|$HOME-"
lacks out a.log
lacks out data
expect 0 rayc job get @last -o json
[[ $(json metadata) == *who* ]] || fail "no metadata"
[[ $(json runtime_env) == *'"A":"*****"'* ]] || fail "variables are not masked: $(json runtime_env)"

note "an array and a module, too"
echo here >"$WORK/project/file"
expect 0 rayc submit --working-dir "$WORK/project" --array 1-3 --submission-id cats -- cat file
expect 0 rayc task list --job cats
cat >"$WORK/env.yaml" <<TEXT
working_dir: $WORK/project
py_modules: [$WORK/module]
excludes: ["*.sh"]
env_vars: {PYTHONPATH: /mine}
TEXT
expect 0 rayc submit --runtime-env "$WORK/env.yaml" -- sh -c 'ls; echo "$PYTHONPATH" | tr : "\n" | while read -r d; do ls -d "$d/module" || :; done; echo "$PYTHONPATH"'
lacks out run.sh
has out /module
has out :/mine
{ head -c 1048576 "$WORK/env.yaml" && head -c 1048576 /dev/zero | tr '\0' '#' && echo && echo 'nonsense: 1'; } >"$WORK/long.yaml"
expect 2 rayc submit --runtime-env "$WORK/long.yaml" -- true
has err "larger than 1 MiB"

note "tasks of a program inherit them"
expect 0 rayc submit --working-dir "$WORK/project" --runtime-env-json '{"env_vars": {"INHERITED": "41"}}' "$BUILD/tests/inherits"
has out "look: 42"

note "a job that waits says for what"
expect 0 rayc submit --no-wait --submission-id wide --cpus 100 -- true
expect 0 rayc submit --no-wait --submission-id behind --after wide -- true
expect 0 rayc job get wide
has out "needs CPU 100"
expect 0 rayc job get behind
has out "rayc job get 0"
expect 0 rayc job stop wide
expect 0 rayc job get wide
lacks out "needs CPU"
expect 0 rayc job delete wide

note "what is no package fails the job, and says why"
mkdir "$WORK/large"
truncate -s 600M "$WORK/large/weights"
expect 125 rayc submit --working-dir "$WORK/large" -- true
has err "weights (600.0 MiB)"
ln -s /etc "$WORK/large/etc" && rm "$WORK/large/weights"
expect 2 rayc submit --working-dir "$WORK/large" -- true
has err "leads out of the folder"

note "jobs follow others, through a kill of the head"
expect 0 rayc submit --no-wait --submission-id one -- sh -c "until [ -e '$WORK/go' ]; do sleep 0.1; done"
expect 0 rayc submit --no-wait --submission-id two --after one -- true
expect 0 rayc submit --no-wait --submission-id three --after two:ok --after one:any -- true
wait_until 20 state_is one RUNNING
expect 0 rayc job get two -o json
[[ $(json status) == PENDING ]] || fail "two does not wait"
kill_head
restart_head
state_is two PENDING || fail "two has forgotten what it waits for"
touch "$WORK/go"
wait_until 30 state_is three SUCCEEDED
state_is two SUCCEEDED || fail "three came before two"
expect 3 rayc submit --submission-id bad -- sh -c 'exit 3'
expect 125 rayc submit --submission-id next --after bad -- true
has err "job bad ended FAILED"
expect 0 rayc submit --after bad:any -- true
expect 125 rayc submit --after nobody -- true
has err "nobody is not a job"

note "a job runs again, with one log"
cat >"$WORK/flaky.sh" <<TEXT
echo try \$RAYC_ATTEMPT
[ \$RAYC_ATTEMPT -ge 3 ]
TEXT
expect 0 rayc submit --max-retries 3 --submission-id flaky -- sh "$WORK/flaky.sh"
expect 0 rayc job logs flaky
has out "try 1"
has out "[rayc: the job runs again]"
has out "try 3"
expect 0 rayc submit --no-wait --submission-id moved --max-retries 2 -- sh -c "echo \$RAYC_ATTEMPT >>'$WORK/moved'; [ \$RAYC_ATTEMPT -ge 2 ] || while :; do sleep 0.1; done"
wait_until 20 test -s "$WORK/moved"
kill -KILL "$(process_of rayc-worker "$RAYC_STATE_DIR")"
wait_until 20 gone rayc-worker "$RAYC_STATE_DIR"
background rayc start --address "$(<"$RAYC_STATE_DIR/head.address")" --num-cpus 2 --block
wait_until 60 state_is moved SUCCEEDED
expect 0 rayc submit --no-wait --submission-id slow --timeout 1 -- sleep 100
wait_until 30 state_is slow FAILED
[[ $(json message) == *"longer than its limit"* ]] || fail "slow: $(json message)"

note "errors have Ray's types"
expect 127 rayc submit --submission-id missing -- /nowhere/program
error_is() { # JOB ERROR
    state_is "$1" FAILED || fail "$1 has not failed"
    [[ $(json error_type) == "$2" ]] || fail "$1: $(json error_type)"
}
error_is missing JOB_ENTRYPOINT_COMMAND_START_ERROR
error_is bad JOB_ENTRYPOINT_COMMAND_ERROR

note "what has ended is submitted again, after a kill of the head, too"
echo first >"$WORK/project/file"
expect 0 rayc submit --submission-id nightly --working-dir "$WORK/project" --env SECRET=s3cret --metadata who=me \
    -- sh -c 'cat file; echo "$SECRET"'
kill_head
restart_head
echo second >"$WORK/project/file"
expect 0 rayc job retry nightly
same out "$(printf 'first\ns3cret')" # the files and the environment of then
has err "job nightly runs again as rayc_"
expect 0 rayc job retry --no-wait --submission-id nightly-2 -o json nightly
[[ $(json retry_of) == nightly && $(json submission_id) == nightly-2 && $(json again) == 0 ]] || fail "job retry -o json"
wait_until 30 state_is nightly-2 SUCCEEDED
[[ $(json metadata) == *who* && $(json entrypoint) == *SECRET* ]] || fail "nightly-2 is another job"
expect 0 rayc job retry --no-wait --submission-id nightly-2 -o json nightly # said again: it is there
[[ $(json again) == 1 ]] || fail "nightly-2 was made twice"
expect 7 rayc job retry --submission-id nightly nightly
expect 3 rayc job retry -o json bad
[[ $(json retry_of) == bad && $(json exit_code) == 3 ]] || fail "job retry -o json, to its end"
expect 0 rayc job retry cats
expect 0 rayc task list --job @last -o json
[[ $(json total) == 3 ]] || fail "the array has $(json total) tasks"
expect 0 rayc job retry --no-logs next # what it followed is over: it does not wait again
HTTP=$(<"$RAYC_STATE_DIR/head.http") TOKEN=$(rayc token show)
call 200 POST /api/v1/jobs/nightly/retry
[[ $(json retry_of) == nightly && $(json submission_id) == rayc_* ]] || fail "POST retry"
call 200 POST /api/v1/jobs/nightly/retry -d '{"submission_id": "nightly-3"}'
wait_until 30 state_is nightly-3 SUCCEEDED
call 400 POST /api/v1/jobs/nightly/retry -d '{"submission_id": "?"}'
call 400 POST /api/v1/jobs/nightly/retry -d '{"name": "x"}'
call 404 POST /api/v1/jobs/nobody/retry
expect 125 rayc job retry nobody

note "what runs on the cluster is a bearer of its own, until it has ended"
cat >"$WORK/ask.sh" <<TEXT
echo "\$RAYC_TOKEN" >'$WORK/ticket'
curl -sS -H "Authorization: Bearer \$RAYC_TOKEN" $HTTP/api/v1/whoami
curl -sS -H "Authorization: Bearer \$RAYC_TOKEN" $HTTP/api/v1/jobs -d '{"entrypoint": "true", "submission_id": "from-there"}'
TEXT
expect 0 rayc submit -- sh "$WORK/ask.sh"
has out '"role":"USER","token_id":null'
has out '"submission_id":"from-there"'
wait_until 30 state_is from-there SUCCEEDED
[[ $(<"$WORK/ticket") == rayct_* ]] || fail "the job has no ticket"
TOKEN=$(<"$WORK/ticket") call 401 GET /api/v1/whoami

note "what cannot be submitted again says why, and nothing is made"
expect 0 rayc submit --no-wait --submission-id busy -- sleep 100
expect 7 rayc job retry --submission-id lost busy
has err "has not ended"
call 409 POST /api/v1/jobs/busy/retry
expect 0 rayc job stop busy
expect 0 "$BUILD/examples/parallel_compute" --tasks 2
expect 0 rayc job list --limit 1 -o json
outside=$(json "items[0].submission_id")
expect 2 rayc job retry --submission-id lost "$outside"
has err "started outside of the cluster"
mkdir "$WORK/kept"
mv "$RAYC_STATE_DIR"/programs/* "$WORK/kept"
expect 125 rayc job retry --submission-id lost nightly
has err "submit the job anew, with its files"
mv "$WORK"/kept/* "$RAYC_STATE_DIR/programs"
is_gone lost || fail "a job was made"

note "what has ended can be deleted, and stays so"
expect 0 rayc submit --no-wait --submission-id runs -- sleep 100
wait_until 20 state_is runs RUNNING
expect 7 rayc job delete runs
has err "has not ended"
expect 0 rayc job stop runs
state_is flaky SUCCEEDED || fail "flaky has not succeeded"
number=$((16#$(json job_id)))
test -s "$RAYC_STATE_DIR/logs/job-$number.log" || fail "flaky has no log"
expect 0 rayc job delete flaky
is_gone flaky || fail "flaky is there"
wait_until 20 test ! -e "$RAYC_STATE_DIR/logs/job-$number.log"
kill_head
restart_head
is_gone flaky || fail "flaky is back"
expect 0 rayc stop

note "what no job needs leaves the head, and may come again"
stored() { find "$RAYC_STATE_DIR/programs" -type f | wc -l; }
stored_is() { [[ $(stored) == "$1" ]]; }
rm -rf "$RAYC_STATE_DIR/programs"
rayc-head --state-dir "$RAYC_STATE_DIR" --port 0 --http-port 0 --package-keep 3 >"$WORK/head.log" 2>&1 </dev/null &
head=$!
wait_until 20 test -s "$RAYC_STATE_DIR/head.address" -a -s "$RAYC_STATE_DIR/head.http"
export RAYC_ADDRESS
RAYC_ADDRESS=$(<"$RAYC_STATE_DIR/head.address")
background rayc start --address "$RAYC_ADDRESS" --num-cpus 2 --block
HTTP=$(<"$RAYC_STATE_DIR/head.http") TOKEN=$(rayc token show)
package=/api/packages/gcs/_ray_pkg_1.zip
echo swept >"$WORK/project/file" # no kept job has this
for i in 1 2; do
    call 200 PUT "$package" -T "$WORK/env.yaml"
    call 200 GET "$package"
    stored_is 1 || fail "of the package there are $(stored) files"
    expect 0 rayc submit --submission-id "kept$i" --working-dir "$WORK/project" -- cat file
    wait_until 20 stored_is 1 # the package of Ray's client is gone, that of the job is not
    call 404 GET "$package"
    expect 0 rayc job delete "kept$i"
    wait_until 20 stored_is 0
done
call 200 PUT "$package" -T "$WORK/env.yaml"
rm "$RAYC_STATE_DIR"/programs/*
call 404 POST /api/jobs/ -d '{"entrypoint": "true", "submission_id": "lost",
    "runtime_env": {"working_dir": "gcs://_ray_pkg_1.zip"}}'
has out "send it first"
is_gone lost || fail "a job is accepted whose files are lost"

note "a program that has not submitted anything yet sends itself again to a head that has forgotten it"
rm -f "$RAYC_STATE_DIR"/programs/*
mkfifo "$WORK/line"
exec 9<>"$WORK/line"
background "$BUILD/tests/waits" "$WORK/line"
wait_until 20 grep -q ready "$WORK/bg.out"
kill -KILL "$head"
wait "$head" 2>/dev/null || true
rm "$RAYC_STATE_DIR"/programs/*
rayc-head --state-dir "$RAYC_STATE_DIR" --port "${RAYC_ADDRESS##*:}" --package-keep 3 >"$WORK/head.log" 2>&1 </dev/null 9>&- &
head=$!
wait_until 20 stored_is 1
echo >&9
ended 0
has out "double: 42"
kill -TERM "$head"
