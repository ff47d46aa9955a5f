#!/usr/bin/env bash
# dashboards: every query of every dashboard, put to the real Prometheus that reads a real head; alerts; the upload.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"
root=$(realpath "$(dirname "$0")/../..")
boards=("$root"/k8s/components/monitoring/dashboards/rayc-*.json)
for program in promtool prometheus jq curl python3; do
    command -v "$program" >/dev/null || fail "$program is missing; scripts/setup --test installs it"
done

note "the dashboards are what their tables say"
expect 0 "$root/scripts/dashboards" --check
mkdir "$WORK/boards"
expect 0 "$root/scripts/dashboards" "$WORK/boards"
echo >>"$WORK/boards/rayc-tune.json"
expect 1 "$root/scripts/dashboards" --check "$WORK/boards"
has err "rayc-tune.json: is not what scripts/dashboards writes"
[[ $(jq -s 'map(.uid) | unique | length' "${boards[@]}") == "${#boards[@]}" ]] || fail "two dashboards have one uid"
jq -e 'all(.panels[].targets[]?.datasource; .uid == "${datasource}") and .schemaVersion == 39
    and ([.panels[].id] | length == (unique | length))' "${boards[@]}" >/dev/null || fail "not as Grafana reads it"

note "alerts"
expect 0 promtool check rules "$root/k8s/components/monitoring/rayc-alerts.yaml"
expect 0 promtool test rules "$root/tests/monitoring/alerts_test.yaml"
# A test that cannot fail proves nothing.
sed "s|\.\./\.\./k8s|$root/k8s|; s|0+60x13|0+30x13|" "$root/tests/monitoring/alerts_test.yaml" >"$WORK/wrong_test.yaml"
expect 1 promtool test rules "$WORK/wrong_test.yaml"

note "a cluster with something of everything"
expect 0 "$RAYC" start --head --port 17950 --http-port 17951 --num-cpus 4 --num-gpus 1 --resources pool=2
expect 0 "$RAYC" submit --array 1-5 -- true
expect 1 "$RAYC" submit --array 1-2 -- false
expect 0 "$RAYC" submit --no-wait --array 1-1 -- sleep 600
cat >"$WORK/search.yaml" <<TEXT
name: three
metric: loss
mode: min
search: grid
command: bash $WORK/trial.sh
concurrency: 3
space:
  end: {grid: [good, bad, never]}
TEXT
cat >"$WORK/trial.sh" <<'TEXT'
case $RAYC_PARAM_end in
good) rayc report loss=1 ;;
bad) exit 1 ;;
never) sleep 600 ;;
esac
TEXT
background "$RAYC" tune --space "$WORK/search.yaml"
expect 0 "$BUILD/tests/actor_calls" detached "$WORK/detached" # leaves one that is alive

wait_until 20 test -s "$RAYC_STATE_DIR/worker/http.address"
sed -n 's/.*token = "\(.*\)".*/\1/p' "$RAYC_STATE_DIR/admin.key" >"$WORK/token"
worker=$(<"$RAYC_STATE_DIR/worker/http.address")
cat >"$WORK/prometheus.yml" <<YAML
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [$root/k8s/components/monitoring/rayc-alerts.yaml]
scrape_configs:
  - job_name: rayc
    authorization: {credentials_file: $WORK/token}
    static_configs: [{targets: ['127.0.0.1:17951', '${worker#http://}']}]
YAML
prometheus --config.file="$WORK/prometheus.yml" --storage.tsdb.path="$WORK/tsdb" \
    --web.listen-address=127.0.0.1:17952 >"$WORK/prometheus.log" 2>&1 &
BACKGROUND+=($!)
ask() { # expression
    curl -s http://127.0.0.1:17952/api/v1/query --data-urlencode "query=$1" >"$WORK/answer"
}
series() { # expression: has a value
    ask "$1" && jq -e '.data.result | length > 0' "$WORK/answer"
}
wait_until 60 series 'sum(up{job="rayc"}) == 2'
wait_until 30 series 'rayc_tasks_finished_total{State="FAILED",Name="false"} == 2'
expect 1 "$RAYC" submit --array 1-2 -- false

note "every query of every panel"
# As Grafana replaces its variables when "All" is chosen.  What label_values() asks is a count by that label.
jq -r --arg instances "127.0.0.1:17951|${worker#http://}" '(.panels[] | .title as $title | .targets[]? | [$title, .expr]),
    (.templating.list[] | select(.type == "query")
        | [.name, (.definition | sub("label_values\\((?<of>.*), (?<label>\\w+)\\)"; "count by (\(.label)) (\(.of))"))])
    | map(gsub("\\$__rate_interval"; "1m") | gsub("\\$SessionName"; ".*")
        | gsub("\\$Instance"; $instances) | gsub("\\$(JobId|Study)"; ".+")) | @tsv' \
    "${boards[@]}" | sed 's/\\\\/\\/g' >"$WORK/queries"
[[ $(wc -l <"$WORK/queries") -ge 75 ]] || fail "only $(wc -l <"$WORK/queries") queries"
! grep -F '$' "$WORK/queries" || fail "variables that are not replaced"
while IFS=$'\t' read -r title query; do
    ask "$query"
    jq -e '.status == "success"' "$WORK/answer" >/dev/null || fail "$title: $query: $(<"$WORK/answer")"
    wait_until 60 series "$query"
done <"$WORK/queries"
curl -s http://127.0.0.1:17952/api/v1/rules >"$WORK/answer"
jq -e '[.data.groups[].rules[]] | length == 7 and all(.health == "ok" and .state == "inactive")' "$WORK/answer" >/dev/null ||
    fail "rules: $(jq -c '.data.groups[].rules[] | [.name, .health, .state]' "$WORK/answer")"

note "one job only"
expect 0 "$RAYC" job list -o json
ask 'count by (JobId) (rayc_tasks)'
jobs=$(jq -r '[.data.result[].metric.JobId] | length' "$WORK/answer")
one=$(jq -r '.data.result[0].metric.JobId' "$WORK/answer")
[[ $jobs -ge 3 ]] || fail "$jobs jobs have tasks"
query=$(jq -r '.panels[] | select(.title == "Tasks Done by Job" or .title == "Tasks by State") | .targets[0].expr' \
    "$root/k8s/components/monitoring/dashboards/rayc-jobs.json" | tail -n 1 | sed "s/\$JobId/$one/; s/\$[A-Za-z]*/.*/g")
wait_until 20 series "$query"
all=$(ask "sum(rayc_tasks)" && jq -r '.data.result[0].value[1]' "$WORK/answer")
mine=$(ask "sum($query)" && jq -r '.data.result[0].value[1]' "$WORK/answer")
((mine > 0 && mine < all)) || fail "job $one has $mine of $all tasks"

note "the upload"
upload=$root/scripts/upload-dashboard
unset GRAFANA_TOKEN GRAFANA_URL
mkdir "$WORK/grafana"
python3 "$root/tests/monitoring/grafana.py" 17953 a-token "$WORK/grafana" >"$WORK/grafana.out" 2>&1 &
BACKGROUND+=($!)
wait_until 20 grep -q ready "$WORK/grafana.out"
at=(--url http://127.0.0.1:17953/)
echo a-token >"$WORK/grafana.token"

expect 0 "$upload" --dry-run "${at[@]}" --folder shelf
has out "POST http://127.0.0.1:17953/api/dashboards/db"
has out '"folderUid": "shelf"'
[[ -z $(ls "$WORK/grafana") ]] || fail "a dry run sends"
expect 0 "$upload" "${at[@]}" --token-file "$WORK/grafana.token"
has out "http://127.0.0.1:17953/d/raycTuneDashboard/"
for board in "${boards[@]}"; do
    cmp -s <(jq -S .dashboard "$WORK/grafana/$(jq -r .uid "$board").json") <(jq -S . "$board") ||
        fail "what came is not $board"
done
GRAFANA_TOKEN=a-token expect 0 "$upload" "${at[@]}" "${boards[0]}" # replaces it
GRAFANA_TOKEN=another expect 1 "$upload" "${at[@]}"
has err "does not know the token: Invalid API key"
expect 1 "$upload" "${at[@]}"
has err "no token: --token-file FILE or GRAFANA_TOKEN"
GRAFANA_TOKEN=a-token expect 1 "$upload" --url http://127.0.0.1:17953/nowhere
has err "has no /api/dashboards/db"
GRAFANA_TOKEN=a-token expect 1 "$upload" --url http://127.0.0.1:17954
has err "does not answer"
expect 1 "$upload" "${at[@]}" "$WORK/search.yaml"
has err "search.yaml: is no dashboard"
expect 1 "$upload" --url grafana
has err "not an address"
expect 2 "$upload" --url
expect 2 "$upload" --everything

kill -INT "$PID" 2>/dev/null
expect 0 "$RAYC" stop --force
