#!/usr/bin/env bash
# neighbours: two workers of one machine, whose executors have the same uid, leave each other's alone; what hides is still gone.
# usage: neighbours.sh BUILD-FOLDER
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

if [[ $(id -u) -ne 0 ]]; then
    note "skipped: only root's workers run executors as other users"
    exit 0
fi
chmod 711 "$WORK"
own_head
for side in one two; do
    mkdir -m 711 "$WORK/$side" "$WORK/$side/worker"
    own_worker $side --num-cpus 1 --labels side=$side --uid-base 300000
done

note "what ends on one side ends nothing on the other"
submit long --max-retries 0 --array 1-1 --label side=two -- sh -c "until test -e $WORK/end; do sleep 0.05; done"
wait_until 20 sql_is RUNNING "SELECT state FROM tasks WHERE submission_id='long' AND type='NORMAL_TASK'"
hidden() { pgrep -u 300001 -f "sleep 612$"; }
nothing_hidden() { ! hidden; }
for _ in 1 2 3; do
    expect 0 rayc submit -q --label side=one -- sh -c 'setsid sleep 612 & id -u'
    same out 300001
    wait_until 20 nothing_hidden
done
touch "$WORK/end"
expect 0 rayc job wait long
