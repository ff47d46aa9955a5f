#!/usr/bin/env bash
# scripts: what a person types on a Minikube, from nothing to nothing, against stand-ins for minikube, podman and the API
# server (standin/): neither can be had on a machine without a network.  The head, its workers and what runs are real.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/../system/lib.sh" "$1"
root=$(realpath "$(dirname "$0")/../..")
REAL_KUBECTL=$(command -v kubectl) || { echo "scripts: skipped: no kubectl" && exit 77; }
export REAL_KUBECTL STANDIN=$WORK/standin RAYC_IMAGE=rayc:test XDG_CONFIG_HOME=$WORK/config TIMEOUT=20 CPUS=2
unset RAYC_CONTEXT RAYC_OVERLAY NODES MINIKUBE_PROFILE WORKERS DOCKER_HOST
mkdir "$STANDIN"
PATH=$root/tests/pods/standin:$PATH
cd "$WORK" || exit
at() { expect "$1" "$root/scripts/$2" "${@:3}"; }
calls() { grep -c -- "$1" "$STANDIN/calls"; }
all=(install-prerequisites setup-minikube install-rayc check-status exec-head admin-key proxy open-dashboard setup-monitoring
    clean-monitoring run-benchmark cleanup)

note "help, dry runs and wrong words change nothing"
for script in "${all[@]}"; do
    at 0 "$script" --help
    has out "usage: scripts/$script"
    case $script in exec-head | admin-key) ;; *) at 2 "$script" --no-such-option ;; esac
    case $script in
    install-prerequisites | open-dashboard) at 0 "$script" --dry-run ;;
    *) at 0 "$script" --dry-run && has out "would" ;;
    esac
done
[[ ! -e $STANDIN/calls ]] || ! grep -E '(^| )(start|apply|delete|scale|create|load|build) ' "$STANDIN/calls" || fail "a dry run did something"

note "what is not there is told"
touch "$STANDIN/unreachable"
at 1 install-rayc
has err "no cluster at kubectl's context 'rayc': scripts/setup-minikube"
at 0 cleanup --yes
has out "nothing to remove"
rm "$STANDIN/unreachable"
at 1 exec-head
has err "no rayc in namespace 'rayc' of 'rayc': scripts/install-rayc"
MEMORY=999999999 at 1 setup-minikube
has err "MiB free"
CPUS=many at 1 setup-minikube
has err "CPUS=many"
RAYC_OVERLAY=mars at 1 install-rayc
has err "RAYC_OVERLAY=mars"
touch "$STANDIN/no-driver"
CPUS=64000 MEMORY=64 at 1 setup-minikube
has err "each node of Minikube is to get 64000"
MEMORY=64 at 1 setup-minikube
has err "With podman it wants sudo without a password, or MINIKUBE_ROOTLESS=true"
rm "$STANDIN/no-driver" "$STANDIN/calls"
TASKS=0 at 1 run-benchmark
has err "'0' is not a number"
at 1 install-rayc --env-file "$WORK/none"
has err "cannot be read"
at 1 cleanup
has err "say --yes"

note "a Minikube, rayc on it; and all of it once more, which does nothing anew"
RAYC_IMAGE=mine:1 at 1 install-rayc --only-image
has err "RAYC_IMAGE=mine:1: podman has no such image"
MEMORY=64 at 0 setup-minikube
MEMORY=64 at 0 setup-minikube
has out "runs already"
[[ $(calls 'minikube start') == 1 ]] || fail "started twice"
at 0 install-rayc --only-image
echo "export WANDB_API_KEY='very-secret'" >.env
at 0 install-rayc --rebuild --dry-run
has out "would run: podman build"
touch "$STANDIN/loads-nothing"
at 1 install-rayc
has err "Minikube has not taken the image docker.io/library/rayc:test-"
rm "$STANDIN/loads-nothing" "$STANDIN/calls"
at 0 install-rayc
at 0 install-rayc
has out "image rayc:test: built already"
has out "loaded already"
has out "keys: those that are there"
for once in 'image load' 'create secret generic rayc-keys'; do
    [[ $(calls "$once") == 1 ]] || fail "not once: $once"
done
first=$(<"$STANDIN/images")
[[ $first =~ ^docker.io/library/rayc:test-[0-9a-f]{12}$ ]] || fail "loaded as $first, which no pod without a registry means"
grep -qE "^ +image: ${first#docker.io/library/}\$" "$STANDIN/applied.yaml" || fail "pods want another image than the one that is loaded"
[[ $(calls "very-secret") == 0 ]] || fail "a secret in a command line"
grep -q ": $(printf very-secret | base64)\$" "$STANDIN/all.yaml" || fail ".env has not become a secret"
echo 5 >"$STANDIN/statefulset.rayc-worker"
at 0 install-rayc --rebuild
[[ $(calls 'podman build') == 1 ]] || fail "not built again"
grep -qE "^ +image: rayc:test-" "$STANDIN/applied.yaml" || fail "no image of that name"
! grep -q "${first#docker.io/library/}" "$STANDIN/applied.yaml" ||
    fail "pods would go on with the image of before"
awk '/^---/ { kind = "" } /^kind:/ { kind = $2 } /^  replicas:/ && kind == "StatefulSet" { print $2 }' "$STANDIN/applied.yaml" | sort >"$WORK/out"
same out "$(printf '1\n5')"
[[ $(calls 'scale statefulset') == 0 ]] || fail "for a moment there would be fewer workers"
echo 3 >"$STANDIN/statefulset.rayc-worker"
touch "$STANDIN/never-ready"
at 1 install-rayc
has err "rayc-head is not ready after 20 s"
at 1 check-status
has err "rayc-head is not ready"
rm "$STANDIN/never-ready"

note "a real head behind it: status, keys, benchmark, monitoring"
export STANDIN_HEAD=127.0.0.1:17970 RAYC_ADDRESS=127.0.0.1:17970
background "$BUILD/bin/rayc-head" --state-dir "$RAYC_STATE_DIR" --port 17970
wait_until 10 test -s "$RAYC_STATE_DIR/head.address"
cp "$RAYC_STATE_DIR/admin.key" "$STANDIN/secret.rayc-keys"
at 0 check-status
has out "17970"
at 0 exec-head rayc whoami
has out admin
at 0 admin-key
[[ $(stat -c %a "$XDG_CONFIG_HOME/rayc/admin.key") == 600 ]] || fail "admin.key can be read by others"
cmp "$XDG_CONFIG_HOME/rayc/admin.key" "$RAYC_STATE_DIR/admin.key" || fail "another key"
TASKS=8 WORK_MS=5 REPEATS=3 WORKERS="1 2" RESULTS=$WORK/results at 0 run-benchmark
has out "efficiency"
jq -e '.runs | length == 2 and .[0].speedup == 1 and .[1].workers == 2 and .[1].median_s > 0' "$WORK/results/comparison.json" >"$WORK/out" ||
    fail "comparison.json: $(<"$WORK/results/comparison.json")"
jq -e '.workers == 2 and .tasks == 8 and (.seconds | length == 3)' "$WORK/results/2_workers.json" >"$WORK/out" || fail "2_workers.json"
[[ $(<"$STANDIN/statefulset.rayc-worker") == 3 ]] || fail "the workers are not as many as before"
at 0 setup-monitoring
at 0 setup-monitoring
STANDIN_IP=127.99.99.99 at 1 open-dashboard
has err "cannot be reached from here: scripts/proxy"
expect 0 "$RAYC" token list --no-headers --filter name=prometheus
[[ $(wc -l <"$WORK/out") == 1 ]] || fail "not one token of Prometheus"
grep -q '^rayc_' "$STANDIN/secret.rayc-metrics" || fail "Prometheus has no token"
at 0 clean-monitoring
at 0 clean-monitoring
expect 0 "$RAYC" token list -o json --filter name=prometheus
[[ $(json 'items[0].revoked') == 20* ]] || fail "the token of Prometheus still works"
[[ ! -e $STANDIN/secret.rayc-metrics ]] || fail "the secret of Prometheus is still there"

note "cleanup, also of what hangs or is half gone"
touch "$STANDIN/hangs"
at 0 cleanup --yes
[[ $(calls 'delete pods --all --force') == 1 ]] || fail "what hangs was not ended"
at 0 cleanup --yes
at 0 cleanup --yes --minikube
at 0 cleanup --yes --minikube
[[ ! -e $STANDIN/minikube ]] || fail "the Minikube is still there"

note "the Makefile knows them"
expect 0 make -C "$root" -n deploy check-status exec-head proxy dashboard monitoring clean-monitoring benchmark delete clean
for script in "${all[@]}"; do
    [[ $script == admin-key ]] || grep -q "scripts/$script" "$root/Makefile" || fail "Makefile lacks $script"
done
