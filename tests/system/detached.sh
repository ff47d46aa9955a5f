#!/usr/bin/env bash
# detached: of a crowd that makes a named actor, each gets the same one.  A detached actor goes on submitting tasks, putting
# values and calling actors when its job has ended, also when its process and the head are killed; what it has submitted ends
# with it.  usage: detached.sh BUILD-FOLDER
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"
calls=$BUILD/tests/detached_calls

expect 0 rayc start --head --num-cpus 4 --port 0
expect 0 "$calls" make -

note "a crowd makes it"
expect 0 "$calls" crowd all

note "its job has ended"
sql_is "ENDED" "SELECT CASE WHEN min(state)>2 THEN 'ENDED' END FROM job" || fail "its job goes on"
expect 0 "$calls" use 1

note "its process is killed"
kill -KILL "$(<"$WORK/out")"
expect 0 "$calls" use 1 # its actor was submitted by the process that died, and ended with it
expect 0 "$calls" use 2

note "what its checkpoint names lives as long as the checkpoint"
expect 0 "$calls" keep a
expect 0 "$calls" keep b
actor=$(<"$WORK/out")
wait_until 30 sql_is 1 "SELECT count(*) FROM objects WHERE object_size>100000 AND state!='FREED'"
expect 0 rayc memory
has out CAPTURED_IN_OBJECT
kill -KILL "$actor"
expect 0 "$calls" kept b

note "the head is killed"
kill -KILL "$(process_of rayc-head "$WORK/state")"
wait_until 30 gone rayc-head "$WORK/state"
expect 0 rayc start --head --num-cpus 0 --port "$(sed 's/.*://' "$WORK/state/head.address")"
expect 0 "$calls" use 1
expect 0 "$calls" use 2
expect 0 "$calls" kept b

note "what it has left ends with it, not with its callers"
expect 0 "$calls" leave "$WORK/left"
left() { compgen -G "$WORK/left.*" >/dev/null; }
wait_until 30 left
must 1 "SELECT count(*) FROM task WHERE state<5 AND id>>40 IN (SELECT id FROM session WHERE root>0)
 AND spec IN (SELECT id FROM spec WHERE name='lasts')"
expect 0 rayc actor kill service
wait_until 30 sql_is 0 "SELECT count(*) FROM task WHERE state<5"
must 0 "SELECT count(*) FROM lease"
ended_too() { ! kill -0 "$(basename "$(compgen -G "$WORK/left.*")" | sed 's/.*\.//')"; }
wait_until 30 ended_too
expect 0 rayc stop
