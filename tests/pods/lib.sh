# shellcheck shell=bash
# lib.sh - what tests of images and pods share, beside tests/system/lib.sh: . "$(dirname "$0")/lib.sh" "$1"
#
# Containers, volumes and networks have names that begin with $NAME, and end with the test.  A test needs podman and a
# machine that lets it run a container; else it says what is missing, and is skipped (77).
# shellcheck source=tests/system/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib.sh" "$1"
SOURCE=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
NAME=rayc-test-$$
IMAGE=localhost/rayc:test-$$
export CONTAINERS_CONF=$WORK/containers.conf

skip() {
    echo "$(basename "$0" .sh): skipped: $*"
    rm -rf "$WORK"
    exit 77
}

pods_cleanup() {
    local code=$?
    {
        podman pod ls -q --filter "name=^$NAME" | xargs -r podman pod rm -f -t 0
        podman ps -aq --filter "name=^$NAME" | xargs -r podman rm -f -t 0
        podman volume ls -q --filter "name=^$NAME" | xargs -r podman volume rm
        podman network ls -q --filter "name=^$NAME" | xargs -r podman network rm
        podman rmi "$IMAGE"
    } >/dev/null 2>&1
    (exit "$code")
    cleanup
}

# Limits that a user may set; podman's own are larger than some machines allow.
cat >"$CONTAINERS_CONF" <<'TEXT'
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
TEXT
for program in podman runc conmon busybox tini-static; do
    command -v "$program" >/dev/null || skip "no $program (scripts/setup --test)"
done
trap pods_cleanup EXIT
"$SOURCE/scripts/image" --build "$BUILD" --tag "$IMAGE" >"$WORK/image" 2>"$WORK/err" || fail "scripts/image"
podman run --rm --name "$NAME-probe" --entrypoint /bin/true "$IMAGE" >/dev/null 2>"$WORK/err" ||
    skip "no container runs here: $(tail -n 1 "$WORK/err")"

# As Kubernetes' `restricted` has it: "${contained[@]}" OPTION... IMAGE ARG...
# shellcheck disable=SC2034 # used by those who source this
contained=(podman run --rm --read-only --cap-drop all --security-opt no-new-privileges)

# Pods of the overlay `minikube`, made by scripts/kube-pods.  "claims" is played once, a pod again whenever it is gone.
# The head has one address for ever, as a Service gives it: podman's name server stops answering when pods come and go, and neighbours remember hardware addresses.
# play OPTION OF kube-pods...
play() {
    local given=()
    podman network exists "$NAME" || podman network create --disable-dns "$NAME" >/dev/null || fail "podman network create"
    HEAD_IP=$(podman network inspect --format '{{(index .Subnets 0).Subnet}}' "$NAME" | sed 's|[0-9]*/.*|200|')
    "$SOURCE/scripts/kube-pods" minikube --prefix "$NAME-" --keys "${KEYS:-$WORK/keys}" --image "$IMAGE" \
        --set "RAYC_HEAD=$HEAD_IP:6399" "$@" >"$WORK/pods.yaml" || fail "kube-pods $*"
    [[ "$*" == *"--only rayc-worker"* ]] || given=(--ip "$HEAD_IP" --mac-address 92:d0:c6:0a:29:33) # of the first pod: the head's
    if [[ -n ${RESTART-} ]]; then sed -i "s/restartPolicy: .*/restartPolicy: $RESTART/" "$WORK/pods.yaml"; fi
    podman kube play --network "$NAME" "${given[@]}" "$WORK/pods.yaml" >"$WORK/out" 2>"$WORK/err" || fail "podman kube play: $*"
}
remove() { # POD: at once, as when its machine is gone; and its volumes but the claim, which podman would keep
    podman pod rm -f -t 0 "$NAME-$1" >"$WORK/out" 2>"$WORK/err" || fail "podman pod rm $1"
    podman volume ls -q --filter "name=^$NAME-$1-" | grep -v -- '-state$' | xargs podman volume rm >"$WORK/out" 2>"$WORK/err" ||
        fail "podman volume rm of $1"
}
# "${in_head[@]}" PROGRAM ARG...
in_head=(podman exec "$NAME-rayc-head-0-head")
nodes() { # N: so many are alive
    [[ $("${in_head[@]}" rayc node list --no-headers --filter state=ALIVE | wc -l) == "$1" ]]
}
