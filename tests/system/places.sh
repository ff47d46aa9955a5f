#!/usr/bin/env bash
# Where and when tasks run, with three workers: SPREAD, node affinity, labels, priorities; and what people see of it:
# explain, summary, timeline.  usage: places.sh BUILD_DIR
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"
tasks_of() {
    echo "FROM tasks WHERE submission_id='$1' AND type='NORMAL_TASK'"
}
# refused TEXT OPTION...: a wrong command line, which says so.
refused() {
    local text=$1
    shift
    expect 2 rayc submit "$@" -- true
    has err "$text"
}

own_head
own_worker w1 --num-cpus 2 --labels zone=a,disk=ssd
own_worker w2 --num-cpus 2 --labels zone=b
own_worker w3 --num-cpus 2 --labels zone=b,disk=ssd

note "labels of nodes"
expect 0 rayc node list
has out "zone=a, disk=ssd"
expect 0 rayc node get w3 -o json
[[ $(json labels.zone) == b && $(json 'labels."ray.io/node-id"') == "$(node_of w3)" ]] || fail "node get lacks labels"

note "wrong texts"
refused "strategy 'PACK' must be DEFAULT, SPREAD, node:NODE" --strategy PACK
refused "label 'zone' must be KEY=VALUE" --label zone
refused "label 'zone in a' must be" --label "zone in a"
refused "--priority: 101 is not from -100 to 100" --priority 101
expect 2 rayc-worker --head "$RAYC_ADDRESS" --dir "$WORK/w0/worker" --labels "zone a"
has err "label 'zone a' must be KEY=VALUE"

note "SPREAD goes round"
submit spread --array 1-6 --strategy SPREAD -- sleep 1
expect 0 rayc job wait spread
must "2 2 2" "SELECT group_concat(n,' ') FROM (SELECT count(*) AS n $(tasks_of spread) GROUP BY node_id)"

expect 0 rayc task get "$(sql "SELECT min(task_id) $(tasks_of spread)")" -o json
[[ $(json scheduling.strategy) == SPREAD && $(json scheduling.priority) == 0 ]] || fail "task get lacks scheduling"

note "labels choose nodes"
submit labels --array 1-9 --label zone=b --label "disk not in (hdd|tape)" -- true
submit ssd --array 1-3 --label disk!= --label zone!=b -- true
expect 0 rayc job wait labels
expect 0 rayc job wait ssd
must 0 "SELECT count(*) $(tasks_of labels) AND node_id=$(node_of w1)"
must 3 "SELECT count(*) $(tasks_of ssd) AND node_id=$(node_of w1)"

note "trials of a study, likewise"
printf 'command: echo loss={x}\nmetric: loss\nmode: min\nspace: {x: {uniform: [0, 1]}}\nlabels: [disk=ssd]\n' >"$WORK/search.yaml"
expect 0 rayc tune --space "$WORK/search.yaml" --name placed --trials 3 --label zone=b --label disk=ssd --priority 3 -q
must 3 "SELECT count(*) FROM trials r JOIN tasks t ON t.task_id=r.task_id WHERE r.study='placed' AND t.node_id=$(node_of w3)"
expect 0 rayc tune --space "$WORK/search.yaml" --name bound --trials 2 --strategy "node:$(node_of w1)" -q
must 2 "SELECT count(*) FROM trials r JOIN tasks t ON t.task_id=r.task_id WHERE r.study='bound' AND t.node_id=$(node_of w1)"
expect 0 rayc task get "$(sql "SELECT max(task_id) FROM trials WHERE study='placed'")" -o json
[[ $(json scheduling.priority) == 3 ]] || fail "the priority of a trial"

note "one node or none"
submit there --array 1-5 --strategy "node:$(node_of w3)" -- sleep 0.3
submit soft --array 1-3 --strategy "node:$(node_of w3):soft" -- sleep 0.3
expect 0 rayc job wait there
expect 0 rayc job wait soft
must 8 "SELECT count(*) FROM tasks WHERE submission_id IN ('there','soft') AND node_id=$(node_of w3)"
submit busy --array 1-2 --strategy "node:$(node_of w3)" --max-retries 0 -- sleep 60
wait_until 20 sql_is 2 "SELECT count(*) $(tasks_of busy) AND state='RUNNING'"
submit waits --array 1-1 --strategy "node:$(node_of w3)" -- true
submit leaves --array 1-1 --strategy "node:$(node_of w3):soft" -- true
expect 0 rayc task explain "$(sql "SELECT task_id $(tasks_of waits)")"
has out "The node that it asks for is full."
lost=$(node_of w3)
kill -KILL "${WORKERS[w3]}"
expect 1 rayc job wait waits
must TASK_UNSCHEDULABLE_ERROR "SELECT error_type $(tasks_of waits)"
must 1 "SELECT instr(error_message,'it must run on node $lost, which is gone')>0 $(tasks_of waits)"
expect 0 rayc job wait leaves
must 1 "SELECT count(*) $(tasks_of leaves) AND state='FINISHED' AND node_id<>$lost"

note "labels that no node has are waited for"
submit later --array 1-1 --label zone=c -- true
expect 0 rayc task explain "$(sql "SELECT task_id $(tasks_of later)")"
has out "No node has the labels that it asks for."
own_worker w4 --num-cpus 2 --labels zone=c
expect 0 rayc job wait later
must 1 "SELECT count(*) $(tasks_of later) AND node_id=$(node_of w4)"

note "the higher priority first"
submit all --array 1-2 --label zone=c -- sh -c "until test -e $WORK/go; do sleep 0.1; done" # w4 is full
wait_until 20 sql_is 2 "SELECT count(*) $(tasks_of all) AND state='RUNNING'"
submit low --array 1-6 --label zone=c --priority -1 -- sleep 0.1
submit high --array 1-6 --label zone=c --priority 5 -- sleep 0.1
expect 0 rayc task explain "$(sql "SELECT max(task_id) $(tasks_of low)")"
has out "11 tasks come before it"
touch "$WORK/go"
expect 0 rayc job wait low
expect 0 rayc job wait high
must 1 "SELECT (SELECT max(start_time_ms) $(tasks_of high)) <= (SELECT min(start_time_ms) $(tasks_of low))"

note "summary"
expect 0 rayc summary
has out sleep
expect 0 rayc summary tasks --job waits -o json
[[ $(json 'items[0].state_counts.FAILED') == 1 && $(json 'items[0].total') == 1 ]] || fail "summary tasks"
expect 0 rayc summary jobs -o json
[[ $(json 'items[0].state_counts.SUCCEEDED') -ge 8 ]] || fail "summary jobs"
expect 2 rayc summary apples
has err "summary of what?"

note "timeline"
expect 0 rayc timeline --out "$WORK/trace.json"
has err "open it at https://ui.perfetto.dev"
trace() {
    sqlite3 :memory: "SELECT $1 FROM json_each(CAST(readfile('$WORK/trace.json') AS TEXT),'\$.traceEvents') AS e"
}
[[ $(trace "count(*)") -gt 40 ]] || fail "the trace has $(trace "count(*)") events"
[[ $(trace "sum(e.value->>'ph'='X' AND (e.value->>'dur' IS NULL OR e.value->>'ts' IS NULL OR e.value->>'tid'<1))") == 0 ]] ||
    fail "an event without its time or thread"
[[ $(trace "count(DISTINCT e.value->>'pid')") == 4 ]] || fail "the trace lacks a node"
[[ $(trace "max(e.value->>'tid')") -ge 2 ]] || fail "nothing ran side by side"
# no two attempts overlap in one slot (starts are told in milliseconds)
overlaps="WITH x AS (SELECT e.value->>'pid' AS p, e.value->>'tid' AS t, e.value->>'ts' AS a, e.value->>'ts'+(e.value->>'dur') AS b
 FROM json_each(CAST(readfile('$WORK/trace.json') AS TEXT),'\$.traceEvents') AS e WHERE e.value->>'ph'='X')
 SELECT count(*) FROM x JOIN x y ON x.p=y.p AND x.t=y.t AND x.a<y.a AND y.a<x.b"
[[ $(sqlite3 :memory: "$overlaps") == 0 ]] || fail "two attempts are in one slot at a time"
expect 0 rayc timeline --job spread
[[ $(sqlite3 :memory: "SELECT count(*) FROM json_each(CAST(readfile('$WORK/out') AS TEXT),'\$.traceEvents') e WHERE e.value->>'ph'='X'") == 6 ]] ||
    fail "the trace of one job"
echo "places: ok"
