#!/usr/bin/env bash
# actors: what a program may expect of actors, also when their process, their worker or the head is killed.
# usage: actors.sh BUILD-FOLDER
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

expect 0 rayc start --head --num-cpus 4 --port 0
calls=$BUILD/tests/actor_calls

for story in order deaths retries kills ends constructor concurrency limits mistakes names circles; do
    note "$story"
    expect 0 "$calls" $story "$WORK/$story"
done

note "what people see of one"
expect 0 "$calls" detached "$WORK/detached"
expect 0 rayc actor list --filter name=keeper --filter state=ALIVE -o json
keeper=$(jq -r '.items[0].actor_id' "$WORK/out")
job=$(jq -r '.items[0].submission_id' "$WORK/out")
expect 0 rayc actor get keeper
has out "$keeper"
logged() { rayc actor logs keeper | grep -q "one is told"; }
wait_until 10 logged
expect 0 "$calls" found "$WORK/detached"
expect 3 rayc actor logs keeper # only a living one has its name
expect 0 rayc actor logs --tail 1 "$keeper"
has out "one is told"
expect 0 rayc job get "$job" -o json
[[ $(jq .tasks.failed "$WORK/out") == 0 ]] || fail "an actor that was killed is a failed task: $(<"$WORK/out")"

[[ $(<"$WORK/ends") == "told 1"* ]] || fail "the destructor said: $(<"$WORK/ends")"

# said N: the story has told the pids of N processes of its actor; the newest is in $actor.
said() {
    mapfile -t pids < <(sed -n 's/^pid //p' "$WORK/bg.out")
    actor=${pids[-1]:-}
    ((${#pids[@]} >= $1))
}

note "each state"
background "$BUILD/tests/actor_states" "$WORK/states"
in_states() {
    [[ $(rayc actor list -o json | jq -r '.items[]|"\(.name)=\(.state)"' | grep -E "^($1)=" | sort | xargs) == "$2" ]]
}
wait_until 30 in_states "unready|pending|alive|restarting|dead|unschedulable" \
    "alive=ALIVE dead=DEAD pending=PENDING_CREATION restarting=RESTARTING unready=DEPENDENCIES_UNREADY unschedulable=DEAD"
touch "$WORK/states"
ended 0
wait_until 30 in_states "unready|pending|alive|restarting" "alive=DEAD pending=DEAD restarting=DEAD unready=DEAD"

note "its process, its worker and the head are killed"
background "$calls" survives "$WORK/survives"
wait_until 30 said 1
kill -KILL "$actor"
wait_until 30 said 2
kill -KILL "$(process_of rayc-worker "$WORK/state")"
wait_until 30 gone rayc-worker "$WORK/state"
expect 0 rayc start --address "$(<"$WORK/state/head.address")" --num-cpus 4 --state-dir "$WORK/other" --key-file "$WORK/state/worker.key"
wait_until 60 said 3
kill -KILL "$(process_of rayc-head "$WORK/state")"
wait_until 30 gone rayc-head "$WORK/state"
expect 0 rayc start --head --num-cpus 0 --port "$(sed 's/.*://' "$WORK/state/head.address")"
touch "$WORK/survives"
ended 0
