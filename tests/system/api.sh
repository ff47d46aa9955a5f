#!/usr/bin/env bash
# api.sh - /api/v1 with curl: lists and items as -o json prints them, output, what changes something, bad input, health;
# and nothing of another user's.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

mkdir -m 700 "$RAYC_STATE_DIR"
rayc-head --state-dir "$RAYC_STATE_DIR" --port 0 --http-port 0 --http-host-name a.test,Rayc.Example.com --http-host-name c.test >"$WORK/head.log" 2>&1 </dev/null &
BACKGROUND+=("$!")
wait_until 20 test -s "$RAYC_STATE_DIR/head.address" -a -s "$RAYC_STATE_DIR/head.http"
HTTP=$(<"$RAYC_STATE_DIR/head.http")
ADMIN=$(sed -n 's/^ *token *= *"\?\([^"]*\)"\?$/\1/p' "$RAYC_STATE_DIR/admin.key")
TOKEN=$ADMIN
rayc-worker --head "$(<"$RAYC_STATE_DIR/head.address")" --num-cpus 2 --dir "$WORK/worker" \
    >"$WORK/worker.log" 2>&1 </dev/null &
BACKGROUND+=("$!")

# value PATH: as in items.0.task_id, of the object in $WORK/out.
value() {
    python3 -c '
import functools, json, sys
root = json.load(open(sys.argv[1]))
print(functools.reduce(lambda at, key: at[int(key)] if isinstance(at, list) else at[key], sys.argv[2].split("."), root))' \
        "$WORK/out" "$1"
}

expect_value() { # PATH VALUE
    [[ $(value "$1") == "$2" ]] || fail "$1 is not $2 in: $(<"$WORK/out")"
}

expect_text() { # WORDS: are somewhere in the answer
    grep -qF -- "$1" "$WORK/out" || fail "no '$1' in: $(<"$WORK/out")"
}

is() { # JOB STATUS
    call 200 GET "/api/v1/jobs/$1"
    [[ $(value status) == "$2" ]]
}

# --- health, and who one is ------------------------------------------------------------------------------------------
for path in startup ready live; do
    [[ $(curl -sS "$HTTP/healthz/$path") == ok ]] || fail "/healthz/$path"
done
TOKEN=rayc_nobody call 401 GET /api/v1/whoami
call 200 GET /api/v1/whoami
expect_value role ADMIN

# --- what was refused, and who listens, is counted -------------------------------------------------------------------
RAYC_TOKEN=rayc_nobody expect 5 rayc whoami
metric() { # NAME-WITH-ITS-LABEL VALUE
    call 200 GET /metrics
    grep -qE "^rayc_$1[^ ]* $2\$" "$WORK/out"
}
wait_until 20 metric 'login_failures_total\{.*door="http"' 1
wait_until 20 metric 'login_failures_total\{.*door="rpc"' 1
wait_until 20 metric sse_clients 0
call 200 POST /api/v1/tokens -d '{"name": "listener"}'
listener=$(value token_id) secret=$(value token)
curl -sSN -H "Authorization: Bearer $secret" "$HTTP/api/v1/events/stream" >"$WORK/stream" 2>&1 &
BACKGROUND+=("$!")
wait_until 20 metric sse_clients 1
call 200 DELETE "/api/v1/tokens/$listener"
wait_until 20 metric sse_clients 0

# --- names that Host may have ----------------------------------------------------------------------------------------
for name in a.test rayc.example.com C.TEST:80 localhost; do
    call 200 GET /api/v1/whoami -H "Host: $name"
done
call 421 GET /api/v1/whoami -H 'Host: evil.test'
call 421 GET /api/v1/whoami -H 'Host: b.a.test'
for names in a/b 'a.test,' '' a.test:80; do
    expect 2 rayc-head --state-dir "$WORK/none" --http-host-name "$names"
    has err "--http-host-name"
done

# --- a port that another program has ---------------------------------------------------------------------------------
expect 7 rayc-head --state-dir "$WORK/taken" --port 0 --http-port "${HTTP##*:}"
has err "is in use by another program"
python3 -c '
import socket, sys, time
listener = socket.socket()
try:
    listener.bind(("127.0.0.1", 8265))
    listener.listen()
except OSError:
    pass # somebody else has it: as good
open(sys.argv[1], "w").close()
time.sleep(1000)' "$WORK/bound" &
BACKGROUND+=("$!")
wait_until 20 test -e "$WORK/bound"
rayc-head --state-dir "$WORK/auto" --port 0 --http-port auto >"$WORK/auto.log" 2>&1 </dev/null &
BACKGROUND+=("$!")
wait_until 20 test -s "$WORK/auto/head.http"
[[ $(<"$WORK/auto/head.http") != *:8265 ]] || fail "two listen at port 8265"
grep -q "in use by another program" "$WORK/auto.log" || fail "it does not say why: $(<"$WORK/auto.log")"

# --- jobs ------------------------------------------------------------------------------------------------------------
call 200 POST /api/v1/jobs -d '{"entrypoint": "echo one; echo two", "submission_id": "short"}'
expect_value submission_id short
call 200 POST /api/v1/jobs -d '{"entrypoint": "exec sleep 1000", "submission_id": "long"}'
wait_until 20 is short SUCCEEDED
wait_until 20 is long RUNNING
call 200 GET /api/v1/jobs/short/logs
[[ $(<"$WORK/out") == $'one\ntwo' ]] || fail "logs: $(<"$WORK/out")"
call 200 GET /api/v1/jobs/short/logs -D "$WORK/headers"
grep -qi '^X-Rayc-Offset: 8' "$WORK/headers" || fail "no offset to go on from: $(<"$WORK/headers")"
call 200 GET '/api/v1/jobs/short/logs?tail=1'
[[ $(<"$WORK/out") == two ]] || fail "the last line: $(<"$WORK/out")"
call 200 GET '/api/v1/jobs/short/logs?offset=4'
[[ $(<"$WORK/out") == two ]] || fail "from the fourth byte: $(<"$WORK/out")"
call 200 GET '/api/v1/tasks?job=short'
call 200 GET "/api/v1/tasks/$(value items.0.task_id)/logs"
[[ $(<"$WORK/out") == $'one\ntwo' ]] || fail "logs of a driver: $(<"$WORK/out")"
expect 0 rayc submit --array 1-2 --submission-id steps -- sh -c 'echo step $RAYC_TASK_INDEX; echo bad >&2'
call 200 GET '/api/v1/tasks?job=steps'
step=$(value items.1.task_id)
call 200 GET "/api/v1/tasks/$step/logs"
[[ $(<"$WORK/out") == $'step 2\nbad' ]] || fail "logs of a short command: $(<"$WORK/out")"
call 200 GET "/api/v1/tasks/$step/logs" -D "$WORK/headers"
grep -qi '^X-Rayc-Offset: 11' "$WORK/headers" || fail "no offset to go on from: $(<"$WORK/headers")"
call 200 GET "/api/v1/tasks/$step/logs?tail=1"
[[ $(<"$WORK/out") == bad ]] || fail "its last line: $(<"$WORK/out")"
call 200 GET "/api/v1/tasks/$step/logs?offset=7"
[[ $(<"$WORK/out") == bad ]] || fail "from the seventh byte: $(<"$WORK/out")"
call 200 DELETE /api/v1/jobs/steps
call 200 POST /api/v1/jobs -d '{"entrypoint": "true", "submission_id": "words", "metadata": {"team": "a b"},
    "runtime_env": {"env_vars": {"X": "1"}}}'
call 200 GET '/api/v1/jobs?filter=submission_id=words'
expect_value items.0.metadata.team 'a b'
call 200 GET /api/v1/jobs/words
expect_value metadata.team 'a b'
expect_value runtime_env.env_vars.X 1
wait_until 20 is words SUCCEEDED
call 200 DELETE /api/v1/jobs/words
call 409 POST /api/v1/jobs -d '{"entrypoint": "echo other", "submission_id": "short"}'
call 409 DELETE /api/v1/jobs/long
call 200 POST /api/v1/jobs/long/stop
wait_until 20 is long STOPPED

# --- why a task does not run -----------------------------------------------------------------------------------------
call 200 POST /api/v1/jobs -d '{"entrypoint": "true", "submission_id": "huge", "entrypoint_num_cpus": 64}'
call 200 GET '/api/v1/tasks?job=huge'
huge=$(value items.0.task_id)
call 200 GET "/api/v1/tasks/$huge/explain"
expect_value why INFEASIBLE
expect_value nodes.0.total 2.0
rayc task explain "$huge" -o json >"$WORK/explained"
python3 - "$WORK/out" "$WORK/explained" <<'PY' || fail "it is not what rayc task explain -o json says"
import json, sys
http, command = (json.load(open(path)) for path in sys.argv[1:])
sys.exit(http != command)
PY
rayc submit --no-wait --submission-id later --after huge:any -- true >/dev/null || fail "a job after another"
call 200 GET '/api/v1/tasks?job=later'
call 200 GET "/api/v1/tasks/$(value items.0.task_id)/explain"
expect_value why AFTER
call 200 GET /api/v1/jobs/huge
number=$(value job_id)
rayc task explain -o json "$(rayc task list --job later -o json | python3 -c 'import json,sys; print(json.load(sys.stdin)["items"][0]["task_id"])')" >"$WORK/out"
expect_value after "$number"
call 404 GET /api/v1/tasks/zzz/explain
call 200 POST /api/v1/jobs/huge/stop
wait_until 20 is later SUCCEEDED
call 200 DELETE /api/v1/jobs/later
call 200 DELETE /api/v1/jobs/huge

# --- lists are those of the command ----------------------------------------------------------------------------------
call 200 GET /api/v1/jobs
rayc job list -o json >"$WORK/list"
python3 - "$WORK/out" "$WORK/list" <<'PY' || fail "the list of jobs is not that of rayc job list -o json"
import json, sys
http, command = (json.load(open(path)) for path in sys.argv[1:])
sys.exit(http["items"] != command["items"] or http["kind"] != command["kind"])
PY
call 200 GET '/api/v1/tasks?filter=state=FINISHED&reverse=1&limit=1'
expect_value items.0.state FINISHED
task=$(value items.0.task_id)
call 200 GET "/api/v1/tasks/$task"
expect_value attempts.0.outcome FINISHED
call 200 GET "/api/v1/tasks/$task/attempts"
expect_value items.0.attempt 1
call 404 GET "/api/v1/tasks/$task/logs?attempt=2"
call 200 GET '/api/v1/tasks?limit=1'
next=$(value next)
call 200 GET "/api/v1/tasks?limit=1&cursor=$next"
expect_value next None
call 200 GET '/api/v1/tasks?sort=-state&limit=1'
expect_value truncated True
expect_value next None
rayc task list --sort -state --limit 1 -o json >"$WORK/list"
[[ $(value items.0.task_id) == "$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["items"][0]["task_id"])' "$WORK/list")" ]] ||
    fail "rayc task list --sort is not the same: $(<"$WORK/list")"
call 400 GET "/api/v1/tasks?sort=state&cursor=$next" && expect_text 'sorted by state has no cursor'
call 400 GET '/api/v1/tasks?sort=nothing' && expect_text 'no column nothing'
call 200 GET /api/v1/nodes/1
expect_value kind Node

# --- bad input is named ----------------------------------------------------------------------------------------------
call 400 GET '/api/v1/tasks?lmit=1' && expect_text "'lmit'"
call 400 GET '/api/v1/tasks?limit=x' && expect_text limit
call 400 GET '/api/v1/tasks?reverse=2' && expect_text reverse
call 400 GET '/api/v1/tasks?filter=nothing=1' && expect_text 'no column nothing'
call 404 GET /api/v1/tasks/zzz && expect_value error.code NOT_FOUND
call 404 GET /api/v1/nothing
call 405 DELETE /api/v1/nodes
call 400 POST /api/v1/users -d '{"name": ' && expect_text 'line 1'
call 400 POST /api/v1/users -d '[]' && expect_text 'JSON object'
call 400 POST /api/v1/users -d '{"name": "ann", "rolle": "USER"}' && expect_text rolle
call 400 POST /api/v1/users -d '{"name": 3}' && expect_text 'name: is not a string'
call 400 POST /api/v1/users -d '{"name": "ann", "jobs_max": -1}' && expect_text jobs_max
call 400 POST /api/v1/jobs -d '{"entrypoint": 3}'
call 400 POST /api/v1/nodes/1/drain -d '{"grace_ms": 5}' && expect_text grace_ms
call 400 POST "/api/v1/tasks/$task/cancel" -d '{"force": 1}' && expect_text force
call 400 POST /api/v1/jobs/short/stop -d 'now' && expect_text 'no body'
call 200 GET /api/v1/nodes/1
expect_value drain None
call 200 GET /api/v1/users
[[ $(value total) == 1 ]] || fail "a refused request has made a user: $(<"$WORK/out")"

# --- users: what is another's is not there ---------------------------------------------------------------------------
call 200 POST /api/v1/users -d '{"name": "ann", "role": "USER", "jobs_max": 1}'
call 200 POST /api/v1/tokens -d '{"user": "ann", "name": "laptop"}'
ANN=$(value token) number=$(value token_id)
TOKEN=$ANN
call 200 GET /api/v1/whoami
expect_value user ann
call 200 GET /api/v1/jobs
expect_value total 0
for path in jobs/short jobs/short/logs "tasks/$task" "tasks/$task/logs" "tasks/$task/explain" "tasks/$task/attempts"; do
    call 404 GET "/api/v1/$path"
done
call 404 POST /api/v1/jobs/short/stop
call 404 DELETE /api/v1/jobs/short
call 404 POST "/api/v1/tasks/$task/cancel"
call 403 POST /api/v1/users -d '{"name": "bob", "role": "USER"}'
call 200 POST /api/v1/jobs -d '{"entrypoint": "exec sleep 1000", "submission_id": "anns"}'
call 429 POST /api/v1/jobs -d '{"entrypoint": "exec sleep 1000", "submission_id": "more"}'
TOKEN=$ADMIN
call 200 GET /api/v1/audits
expect_text USER_PUT
call 200 DELETE "/api/v1/tokens/$number"
TOKEN=$ANN call 401 GET /api/v1/whoami
call 200 DELETE /api/v1/jobs/short
call 404 GET /api/v1/jobs/short
echo "api: all is well"
