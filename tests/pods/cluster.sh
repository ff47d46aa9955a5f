#!/usr/bin/env bash
# cluster: head and workers from the manifests, as pods; jobs from inside and from the laptop; pods that are killed, come
# back, are added and leave.  Nothing that was accepted is lost, nothing is done twice that a pod's going did not undo.
# usage: cluster.sh BUILD-FOLDER
# shellcheck source=tests/pods/lib.sh
. "$(dirname "$0")/lib.sh" "$1"
kubectl version --client -o json 2>/dev/null | grep -q kustomizeVersion || skip "no kubectl with Kustomize (1.21 or later)"
compute=$BUILD/examples/parallel_compute

# submitted COMMAND...: one with tasks, by the laptop, in the background; some are with workers.
submitted() {
    background env RAYC_ADDRESS=127.0.0.1:30001 "$@"
    wait_until 30 running 1
}
array() { # COUNT: tasks that wait, two on each worker at a time
    submitted "$RAYC" submit --array "1-$1" --cpus 0.5 -- sleep 0.6
}
finished() { # COUNT: it has ended, with so many
    ended 0
    [[ $(newest state=FINISHED) == "$1" ]] || fail "$(newest state=FINISHED) tasks have finished, not $1"
}
newest() { # FILTER: how many tasks of the newest job it holds for
    "${in_head[@]}" rayc task list --job @last --limit 0 --no-headers --filter "$1" 2>/dev/null | wc -l
}
running() { # N: at least so many of its tasks are with a worker
    local states
    states=$("${in_head[@]}" rayc task list --job @last --limit 0 --no-headers) || return
    (($(grep -cE 'SUBMITTED_TO_WORKER|RUNNING' <<<"$states") >= $1))
}
# refused POD CODE TEXT [OPTION OF kube-pods...]: it ends so, with TEXT in the last line of its log, and no secret.
refused() {
    local pod=$1 container=$NAME-$1-${1:5:-2} code=$2 text=$3
    shift 3
    podman pod exists "$NAME-$pod" && remove "$pod"
    RESTART=Never play --only "$pod" "$@"
    [[ $(timeout 20 podman wait "$container") == "$code" ]] || fail "$pod did not end with $code"
    podman logs "$container" >"$WORK/log" 2>&1
    tail -n 1 "$WORK/log" | grep -qF -- "$text" || fail "the last line of $pod does not say: $text; but $(tail -n 1 "$WORK/log")"
    ! grep -qE 'rayc_[A-Za-z0-9]{43}' "$WORK/log" || fail "a token is in the log of $pod"
}
once() { # COUNT: no task was begun anew
    [[ $(newest attempt=1) == "$1" ]] || fail "only $(newest attempt=1) of $1 tasks were done in one attempt"
}

note "head and workers"
expect 0 podman run --rm --user "$(id -u)" -v "$WORK:/keys" "$IMAGE" keys /keys/keys
export RAYC_KEY_FILE=$WORK/keys/admin.key
play --workers 2 --publish --set "RAYC_HEAD_OPTIONS=--lease-ms 3000 --suspect-ms 1000 --gone-ms 1000"
wait_until 20 nodes 2
for container in head-0-head worker-0-worker; do
    expect 0 podman exec "$NAME-rayc-$container" sh -c 'id -u; grep Cap /proc/1/status; ! touch /usr/x 2>&1'
    [[ $(head -n 1 "$WORK/out") == 10001 ]] || fail "not as rayc"
    has out "Read-only file system"
    ! grep -E 'Cap(Prm|Eff|Bnd|Amb).*[1-9a-f]' "$WORK/out" || fail "capabilities"
done
podman exec "$NAME-rayc-worker-0-worker" ls /etc/rayc/keys >"$WORK/out"
same out worker.key

note "inside"
expect 0 "${in_head[@]}" parallel_compute --tasks 20 --work-us 1000
has out "20 tasks, 0 failed"
expect 0 "${in_head[@]}" rayc submit unstable_task
has out "10 of 10 tasks succeeded"
expect 0 "${in_head[@]}" rayc tune --space /usr/share/rayc/examples/search.yaml --search random --trials 6 -q
has out "6 trials ended"

note "from the laptop, over both ports"
for address in 127.0.0.1:30001 http://127.0.0.1:30265; do
    expect 0 "$RAYC" status --address "$address"
    has out "$NAME-rayc-worker-1"
    expect 0 "$RAYC" submit --address "$address" "$compute" --tasks 10 --work-us 1000
    has out "10 tasks, 0 failed"
done
# shellcheck disable=SC2016 # of the pod
expect 0 env RAYC_TOKEN="$(sed -n 's/^token = "\(.*\)"/\1/p' "$RAYC_KEY_FILE")" RAYC_KEY_FILE= \
    "$RAYC" submit --address http://127.0.0.1:30265 -- sh -c 'echo by-$(id -u)'
same out by-10001
mkdir "$WORK/files" && echo "from the laptop" >"$WORK/files/text"
expect 0 "$RAYC" submit --address http://127.0.0.1:30265 --working-dir "$WORK/files" -- cat text
same out "from the laptop"

note "the head is killed in its pod, which starts it again: what runs is adopted, and the driver goes on"
submitted "$compute" --tasks 10 --work-us 300000
(($(newest state=FINISHED) < 10)) || fail "all had ended before"
kill -KILL "$(podman inspect --format '{{.State.Pid}}' "$NAME-rayc-head-0-head")"
finished 10
has out "10 tasks, 0 failed"
once 10

note "the head's pod is lost, and played again on its volume"
jobs=$("${in_head[@]}" rayc job list --no-headers --limit 0 | wc -l)
array 16
remove rayc-head-0
play --only rayc-head-0 --publish
finished 16
once 16
[[ $("${in_head[@]}" rayc job list --no-headers --limit 0 --filter status=SUCCEEDED | wc -l) == $((jobs + 1)) ]] || fail "jobs were lost"

note "a worker's pod is lost: its tasks are done elsewhere"
array 16
wait_until 20 running 4
remove rayc-worker-1
finished 16
nodes 1 || fail "the node is still there"
(($(newest attempt=1) < 16)) || fail "the pod had no task"

note "workers come and go under load: nothing is lost, and nothing charged"
array 200 # more than can end before the drain, on any machine
play --workers 3 --only rayc-worker-1 --only rayc-worker-2
wait_until 20 nodes 3
expect 0 podman stop -t 30 "$NAME-rayc-worker-0-worker"
[[ $(podman inspect --format '{{.State.ExitCode}}' "$NAME-rayc-worker-0-worker") == 0 ]] || fail "it was killed"
expect 0 "${in_head[@]}" rayc node drain "$NAME-rayc-worker-1" --wait
expect 0 "${in_head[@]}" rayc node undrain "$NAME-rayc-worker-1"
(($(newest state=FINISHED) < 200)) || fail "all had ended before"
finished 200
nodes 2 || fail "the worker has not left"
[[ $(newest retries=0) == 200 ]] || fail "retries were charged"
# shellcheck disable=SC2016 # of the pod
expect 0 podman exec "$NAME-rayc-worker-2-worker" sh -c \
    'rayc node drain --self --wait --address "$RAYC_HEAD" --key-file /etc/rayc/keys/worker.key'

note "bad input"
expect 127 "$RAYC" submit --address http://127.0.0.1:30265 -- no-such-program
has err "no-such-program: No such file or directory"
expect 1 "$SOURCE/scripts/kube-pods" minikube --set RAYC_HAED=other:6399
has err "NAME is one of RAYC_GRACE, RAYC_HEAD,"
expect 1 "$SOURCE/scripts/kube-pods" minikube --only rayc-worker-3
has err "no rayc-worker-3; there are claims, rayc-head-0,"
mkdir "$WORK/none"
expect 0 podman run --rm --user "$(id -u)" -v "$WORK:/keys" "$IMAGE" keys /keys/other
KEYS=$WORK/other refused rayc-worker-0 5 "the head refused the key"
refused rayc-worker-0 2 "rayc-worker: --grace: long is not a number" --set RAYC_GRACE=long
refused rayc-head-0 2 "rayc-head: --lease-ms: many is not a valid value" --set "RAYC_HEAD_OPTIONS=--lease-ms many"
KEYS=$WORK/none refused rayc-head-0 78 "/etc/rayc/keys/cluster.key is missing: mount the Secret rayc-keys"
