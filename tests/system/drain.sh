#!/usr/bin/env bash
# Workers are drained, ended with a grace and added under load: nothing is lost, nothing is charged, nothing new begins
# where it should not; with the head killed in between, and away.  usage: drain.sh BUILD_DIR
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

# worker_ends NAME: in order, with 0.
worker_ends() {
    wait_until 30 eval "! kill -0 ${WORKERS[$1]}"
    wait "${WORKERS[$1]}" || fail "$1 ended with $?"
}
tasks_of() {
    echo "FROM task t JOIN spec s ON s.id=t.spec JOIN session e ON e.id=s.session JOIN job j ON j.id=e.job WHERE j.submission='$1'"
}

own_head
own_worker w1 --num-cpus 2 --grace 20
own_worker w2 --num-cpus 2 --grace 20

note "drain and undrain under load"
submit long --array 1-3 -- sleep 4 # two fit a worker: each has one
wait_until 30 sql_is 1 "SELECT count(*)>0 $(tasks_of long) AND t.state=4 AND t.node=$(node_of w1)"
submit load --array 1-6000 -- true
expect 0 rayc node drain w1 --wait
same out "node $(node_of w1): drained"
must 0 "SELECT count(*) FROM lease WHERE node=$(node_of w1)"
expect 0 rayc node list
has out DRAINED
expect 0 rayc node get w1 -o json
[[ $(json drain) == DRAINED ]] || fail "node get does not say DRAINED"
started=$(sql "SELECT count(*) FROM task WHERE node=$(node_of w1)")
own_worker w3 --num-cpus 2 --grace 20
submit load1 --array 1-1000 -- true
wait_until 30 sql_is 1 "SELECT count(*)>20 FROM task WHERE node=$(node_of w3)"
must "$started" "SELECT count(*) FROM task WHERE node=$(node_of w1)"
expect 0 rayc node undrain w1
same out "node $(node_of w1): takes work again"
expect 0 rayc job wait load
expect 0 rayc job wait load1
expect 0 rayc job wait long
submit more --array 1-40 -- sleep 0.05
expect 0 rayc job wait more
must 1 "SELECT count(*)>0 $(tasks_of more) AND t.node=$(node_of w1)"
expect 0 rayc node drain w1 --grace 0
expect 0 rayc node drain w2
submit both --array 1-4 -- sleep 1
expect 0 rayc job wait both
must 0 "SELECT count(*) $(tasks_of both) AND t.node<>$(node_of w3)"
expect 0 rayc node undrain w1
expect 0 rayc node undrain w2
expect 3 rayc node drain nobody

note "only drained nodes could run it: it waits, and is told why"
expect 0 rayc node drain w1 && expect 0 rayc node drain w2 && expect 0 rayc node drain w3
submit waits --array 1-1 --if-infeasible fail -- true
expect 0 rayc task explain "$(sql "SELECT printf('%016x', t.id) $(tasks_of waits)")"
has out "are being drained"
expect 0 rayc node undrain w1 && expect 0 rayc node undrain w2 && expect 0 rayc node undrain w3
expect 0 rayc job wait waits

note "SIGTERM under load: what runs ends, the rest goes elsewhere"
submit long2 --array 1-5 -- sleep 4
wait_until 30 sql_is 1 "SELECT count(*)>0 $(tasks_of long2) AND t.state=4 AND t.node=$(node_of w2)"
submit load2 --array 1-4000 -- true
kill -TERM "${WORKERS[w2]}"
worker_ends w2
must "ended in order" "SELECT reason FROM node WHERE id=$(node_of w2)"
expect 0 rayc job wait load2
expect 0 rayc job wait long2
must 1 "SELECT count(*)>0 $(tasks_of long2) AND t.node=$(node_of w2)"

note "after the grace it is given back, with all that it started; a driver, too"
expect 0 rayc node drain w1 && expect 0 rayc node drain w3
own_worker w4 --num-cpus 1 --grace 1
cat >"$WORK/twice.sh" <<EOF
#!/bin/sh
[ -e "$WORK/\$1" ] && exit 0
sleep 600 &
echo \$! >"$WORK/\$1"
wait
EOF
chmod +x "$WORK/twice.sh"
submit twice --array 1-1 -- "$WORK/twice.sh" child1
submit driver --max-retries 1 -- "$WORK/twice.sh" child2
wait_until 20 test -s "$WORK/child1" -a -s "$WORK/child2"
kill -TERM "${WORKERS[w4]}"
worker_ends w4
for child in child1 child2; do
    wait_until 5 eval "! kill -0 $(<"$WORK/$child")"
done
expect 0 rayc node undrain w1 && expect 0 rayc node undrain w3
expect 0 rayc job wait twice
expect 0 rayc job wait driver
must 2 "SELECT count(*) FROM event WHERE kind='TASK_GIVEN_BACK'"

note "nothing was lost, nothing was charged"
must 0 "SELECT count(*) FROM task WHERE state<>5 OR attempt<>1 OR charged>0"
must 0 "SELECT count(*) FROM attempt"
must 6000 "SELECT count(*) $(tasks_of load)"

note "the head is killed in the middle of a drain"
submit slow --array 1-2 -- sleep 4
wait_until 20 sql_is 2 "SELECT count(*) $(tasks_of slow) AND t.state=4"
expect 0 rayc node drain w1
expect 0 rayc node drain w3
has out "being drained"
kill -9 "$HEAD"
wait "$HEAD" 2>/dev/null
own_head
submit after --array 1-2 -- true
expect 0 rayc node drain w3 --wait
expect 0 rayc node drain w1 --wait
must 2 "SELECT count(*) $(tasks_of slow) AND t.state=5 AND t.attempt=1"
must 0 "SELECT count(*) $(tasks_of after) AND t.node>0"
expect 0 rayc node undrain w1
expect 0 rayc job wait after

note "a worker drains its own node with its own key"
RAYC_KEY_FILE=$RAYC_STATE_DIR/worker.key expect 0 rayc node drain --self --wait --state-dir "$WORK/w1"
same out "node $(node_of w1): drained"
RAYC_KEY_FILE=$RAYC_STATE_DIR/worker.key expect 3 rayc node drain --self --state-dir "$WORK/nobody"

note "without a head the grace holds, too; a second signal ends a worker at once"
own_worker w5 --num-cpus 1 --grace 1
own_worker w6 --num-cpus 1 --grace 600
submit away --array 1-2 -- sleep 600
wait_until 20 sql_is 2 "SELECT count(*) $(tasks_of away) AND t.state=4"
kill -9 "$HEAD"
wait "$HEAD" 2>/dev/null
kill -TERM "${WORKERS[w5]}" "${WORKERS[w6]}"
worker_ends w5
kill -0 "${WORKERS[w6]}" || fail "w6 has not waited"
kill -TERM "${WORKERS[w6]}"
worker_ends w6

note "ok"
