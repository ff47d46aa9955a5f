#!/usr/bin/env bash
# Kills head, worker and executors with SIGKILL at random moments under load, stops a worker past its lease, and
# compares rayc's results with what the tasks did to a file outside of it.  usage: chaos.sh BUILD_DIR [SECONDS] [SEED]
set -euo pipefail
build=$1 seconds=${2:-12}
RANDOM=${3:-7}
dir=$(mktemp -d)
export RAYC_STATE_DIR=$dir/state RAYC_ADDRESS=ipc://$dir/head.sock
mkdir -p "$RAYC_STATE_DIR"
head_pid='' worker_pid=''

start_head() {
    "$build/bin/rayc-head" --address "$RAYC_ADDRESS" --lease-ms 3000 --suspect-ms 1000 --gone-ms 1000 --orphan-ms 6000 \
        --beat-ms 300 2>>"$dir/head.log" &
    head_pid=$!
}
start_worker() {
    "$build/bin/rayc-worker" --head "$RAYC_ADDRESS" --dir "$dir/worker" --num-cpus 4 2>>"$dir/worker.log" &
    worker_pid=$!
}
end_all() { # called by trap
    kill -CONT "$worker_pid" 2>/dev/null || true
    kill "$head_pid" "$worker_pid" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$dir"
}
trap end_all EXIT
kill_now() { # pid of our own child
    kill -9 "$1"
    wait "$1" 2>/dev/null || true
}
# The executors are the children of the spawner, which is the worker's child.
an_executor() {
    local pids
    mapfile -t pids < <(pgrep -P "$(pgrep -P "$worker_pid" | head -n1)" 2>/dev/null || true)
    [ ${#pids[@]} -eq 0 ] || echo "${pids[RANDOM % ${#pids[@]}]}"
}

start_head
start_worker
"$build/tests/effects" "$dir/effects" 12000 6000 >"$dir/out" 2>&1 &
driver=$!
kills=0
action=4 # the first is always the worker that is stopped past its lease
end=$((SECONDS + seconds))
while kill -0 $driver 2>/dev/null && [ $SECONDS -lt $end ]; do
    sleep "0.$((RANDOM % 6 + 2))"
    case $action in
    0 | 1 | 2) kill_now "$head_pid" && start_head ;;
    3) kill_now "$worker_pid" && start_worker ;;
    4)
        kill -STOP "$worker_pid"
        sleep 4.5
        kill -CONT "$worker_pid"
        ;;
    *)
        pid=$(an_executor)
        [ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || true
        ;;
    esac
    kills=$((kills + 1)) action=$((RANDOM % 8))
done
status=0
timeout 120 tail --pid=$driver -f /dev/null || status=124
[ $status -eq 124 ] || wait $driver || status=$?
cat "$dir/out"
echo "$kills kills and stops, exit $status"
[ $kills -ge 3 ] || status=3 # it ended before anything happened to it: nothing was tested
if [ $status -ne 0 ]; then
    tail -n 20 "$dir/head.log" "$dir/worker.log"
    sqlite3 "$RAYC_STATE_DIR/rayc.db" 'SELECT state,error_type,count(*) FROM tasks GROUP BY 1,2' || true
    exit 1
fi
left=$(sqlite3 -readonly "$RAYC_STATE_DIR/rayc.db" 'SELECT (SELECT count(*) FROM lease), (SELECT count(*) FROM task WHERE state<5)')
[ "$left" = "0|0" ] || { echo "left behind: leases|tasks $left"; exit 1; }
