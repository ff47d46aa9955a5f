#!/usr/bin/env bash
# metrics: the real promtool and Prometheus read /metrics of a head that has run tasks, and of a worker.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"
[[ $(type -p promtool) && $(type -p prometheus) ]] || fail "scripts/setup --test installs what is missing"

expect 0 "$RAYC" submit --array 1-20 -- true
background "$BUILD/bin/rayc-head" --state-dir "$RAYC_STATE_DIR" --port 17602 --http-port 17603
head=$PID
wait_until 20 test -s "$RAYC_STATE_DIR/head.http"
sed -n 's/.*token = "\(.*\)".*/\1/p' "$RAYC_STATE_DIR/admin.key" >"$WORK/token"

read_page() { # file, header...
    curl -sf -H "Authorization: Bearer $(<"$WORK/token")" "${@:2}" http://127.0.0.1:17603/metrics >"$1"
}

# What promtool does not like are Ray's own words.
read_page "$WORK/out" || fail "no page"
promtool check metrics <"$WORK/out" 2>&1 | grep -Ev "'snake_case'|node_cpu_count|node_mem_total" >"$WORK/err"
[[ ! -s $WORK/err ]] || fail "promtool complains"
has out "rayc_build_info{"
read_page "$WORK/out" -H 'Accept: application/openmetrics-text' || fail "no page"
[[ $(tail -n 1 "$WORK/out") == '# EOF' ]] || fail "OpenMetrics has no end"
[[ $(curl -s -o "$WORK/out" -w '%{http_code}' http://127.0.0.1:17603/metrics) == 401 ]] || fail "no token is needed"
lacks out rayc_

# The worker asks the head whose token it is; what a WORKER token may not read is refused.
background "$BUILD/bin/rayc-worker" --head 127.0.0.1:17602 --dir "$RAYC_STATE_DIR/worker" --num-cpus 2 --http-port 17605
wait_until 20 test -s "$RAYC_STATE_DIR/worker/http.address"
wait_until 20 curl -sf http://127.0.0.1:17605/healthz/ready
for path in startup live; do
    curl -sf "http://127.0.0.1:17605/healthz/$path" >/dev/null || fail "/healthz/$path"
done
worker_page() { # header...
    curl -sf -H "Authorization: Bearer $(<"$WORK/token")" "$@" http://127.0.0.1:17605/metrics
}
session="SessionName=\"$(<"$RAYC_STATE_DIR/cluster.id")\""
worker_page >"$WORK/out" || fail "no page of the worker"
! grep -v '^#' "$WORK/out" | grep -qvF "$session}" || fail "a sample does not name the cluster"
read_worker() { # file, header...; without what all samples have
    worker_page "${@:2}" | sed "s/,\?$session//; s/{}//" >"$1"
}
read_worker "$WORK/out"
promtool check metrics <"$WORK/out" 2>&1 | grep -Ev "'snake_case'|node_cpu_count|node_mem_total" >"$WORK/err"
[[ ! -s $WORK/err ]] || fail "promtool complains"
has out 'Component="worker"'
has out rayc_node_mem_total
token=$(sed -n 's/.*token = "\(.*\)".*/\1/p' "$RAYC_STATE_DIR/worker.key")
[[ $(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $token" http://127.0.0.1:17605/metrics) == 403 ]] ||
    fail "a worker's token reads metrics"
[[ $(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer x" http://127.0.0.1:17605/metrics) == 401 ]] ||
    fail "anybody's token reads metrics"

# A script's own metrics: its job is not its to claim, and what it counted stays when it is killed.
export RAYC_ADDRESS=127.0.0.1:17602
expect 0 "$RAYC" submit --submission-id counting -- bash -c "
    $RAYC metric inc images 3 -l split=train --help-text 'Images read.' && $RAYC metric inc images 2 -l split=train &&
    $RAYC metric observe step_seconds 0.3 --bounds 0.1,1 && $RAYC metric set map50_score 0.5"
expect 137 "$RAYC" submit --submission-id killed -- bash -c "$RAYC metric inc images 7 && kill -9 \$\$"
expect 2 "$RAYC" submit -- "$RAYC" metric inc pending_tasks 1
expect 3 "$RAYC" metric inc images 1
shows_own() { # the page has all of it
    read_worker "$WORK/out" && grep -qF 'rayc_images_total{JobId="counting",split="train"} 5' "$WORK/out" &&
        grep -qF 'rayc_images_total{JobId="killed"} 7' "$WORK/out" &&
        grep -qF 'rayc_step_seconds_bucket{JobId="counting",le="1.0"} 1' "$WORK/out"
}
wait_until 20 shows_own
has out 'rayc_map50_score{JobId="counting"} 0.5'
promtool check metrics <"$WORK/out" 2>&1 | grep -Ev "'snake_case'|node_cpu_count|node_mem_total" >"$WORK/err"
[[ ! -s $WORK/err ]] || fail "promtool complains"

# By librayc: what was counted before a kill -9 stays, and the retry goes on; a name of rayc's is refused by name.
expect 0 "$RAYC" submit --submission-id c "$BUILD/tests/counts"
has out "'pending_tasks': this metric is of rayc's own"
shows() { # lines: the page has all of them
    local line
    read_worker "$WORK/out" || return 1
    for line in "$@"; do
        grep -qxF "$line" "$WORK/out" || return 1
    done
}
counted=('rayc_c_images_total{JobId="c",split="train"} 8' 'rayc_c_step_seconds_bucket{JobId="c",le="0.1"} 1'
    'rayc_c_step_seconds_bucket{JobId="c",le="1.0"} 2' 'rayc_c_step_seconds_count{JobId="c"} 2')
wait_until 20 shows "${counted[@]}" 'rayc_c_ended{JobId="c"} 1'

# KubeRay's names, from the search of its demonstration: each epoch of each trial has been counted.
expect 0 "$RAYC" tune --space "$(dirname "$0")/../../examples/yolo_search.yaml" --name yolo --trials 3 --csv "$WORK/trials.csv"
epochs=$(python3 -c 'import csv, sys; print(sum(int(row["epoch"]) for row in csv.DictReader(sys.stdin)))' <"$WORK/trials.csv")
trained() {
    read_worker "$WORK/out" && [[ $(sed -n 's/^rayc_training_iterations_total{.*} //p' "$WORK/out") == "$epochs" &&
        $(grep -c '^rayc_map50_score{JobId=".*",trial="[0-2]"} 0[.]' "$WORK/out") == 3 ]]
}
wait_until 20 trained

# What counters say does not go down when the worker is killed, either, and starts again.
saved() { # the worker's file, which may be a second old, has all
    grep -B 1 ^training_iterations "$RAYC_STATE_DIR/worker/metrics" | grep -q " $epochs 0$"
}
wait_until 20 saved
kill -KILL "$PID"
wait_until 20 gone rayc-worker "$RAYC_STATE_DIR"
background "$BUILD/bin/rayc-worker" --head 127.0.0.1:17602 --dir "$RAYC_STATE_DIR/worker" --num-cpus 2 --http-port 17605
wait_until 20 curl -sf http://127.0.0.1:17605/healthz/ready
shows "${counted[@]}" 'rayc_images_total{JobId="killed"} 7' || fail "the worker's end has made a counter fall"
[[ $(sed -n 's/^rayc_training_iterations_total{.*} //p' "$WORK/out") == "$epochs" ]] || fail "training_iterations fell"
promtool check metrics <"$WORK/out" 2>&1 | grep -Ev "'snake_case'|node_cpu_count|node_mem_total" >"$WORK/err"
[[ ! -s $WORK/err ]] || fail "promtool complains"

cat >"$WORK/prometheus.yml" <<YAML
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: rayc
    authorization: {credentials_file: $WORK/token}
    static_configs: [{targets: ['127.0.0.1:17603', '127.0.0.1:17605']}]
YAML
prometheus --config.file="$WORK/prometheus.yml" --storage.tsdb.path="$WORK/tsdb" \
    --web.listen-address=127.0.0.1:17604 >"$WORK/prometheus.log" 2>&1 &
BACKGROUND+=($!)
series() { # expression: has a value
    [[ $(curl -s http://127.0.0.1:17604/api/v1/query --data-urlencode "query=$1" |
        jq '.data.result | length') -gt 0 ]]
}
wait_until 60 series 'up{job="rayc",instance="127.0.0.1:17603"} == 1'
wait_until 20 series 'up{job="rayc",instance="127.0.0.1:17605"} == 1'
for query in rayc_build_info 'sum(rayc_jobs)' rayc_pending_tasks 'rayc_sqlite_commit_seconds_count > 0' \
    'rayc_sqlite_wal_bytes > 0' process_resident_memory_bytes rayc_cluster_active_nodes \
    rayc_node_disk_free rayc_node_cpu_utilization 'rayc_images_total{JobId="killed"} == 7'; do
    wait_until 20 series "$query"
done

# A token may be good although the head, which knows it, is away.
kill -KILL "$head"
wait_until 20 gone rayc-head "$RAYC_STATE_DIR"
head_is_away() { # what the worker was told of the token holds for two seconds
    [[ $(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $(<"$WORK/token")" http://127.0.0.1:17605/metrics) == 503 ]]
}
wait_until 20 head_is_away
