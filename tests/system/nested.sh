#!/usr/bin/env bash
# Tasks that submit tasks: a chain longer than the CPUs, a wide tree, and a cancel that takes a whole tree along.  What is
# killed in the middle: nested_kill.sh.  usage: nested.sh BUILD_DIR
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"
TREE=$BUILD/examples/tree

running() { # at least so many tasks of the newest job run
    (($(sql "SELECT count(*) FROM task WHERE state=4 AND id>>40 IN (SELECT id FROM session WHERE nested>0)") >= $1))
}

expect 0 rayc start --head --num-cpus 1 --port 0

note "a chain of 50 tasks, of which each waits for the next, on one CPU"
expect 0 "$TREE" 50 1
same out "1 leaves"

note "a wide tree"
expect 0 "$TREE" 2 30
same out "900 leaves"
sql_is 0 "SELECT count(*) FROM task WHERE parent IS NULL AND id>>40 IN (SELECT id FROM session WHERE nested>0)" ||
    fail "a task of an executor has no parent"

note "a cancel takes all along that was submitted"
background "$TREE" 400 1
wait_until 30 running 5
ROOT=$(sql "SELECT printf('%016x',max(id)) FROM task WHERE parent IS NULL")
expect 0 rayc task cancel --force "$ROOT"
ended 1
wait_until 30 sql_is 0 "SELECT count(*) FROM task WHERE state<5"
LEASES=$(sql "SELECT count(*) FROM lease")
[[ $LEASES -eq 0 ]] || fail "$LEASES leases are left"
(($(sql "SELECT count(*) FROM task WHERE failure IS NOT NULL AND cancelled>=4") >= 5)) || fail "the tree was not cancelled"

expect 0 rayc stop
