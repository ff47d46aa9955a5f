#!/usr/bin/env bash
# image: what scripts/image builds is small, the same each time, and harmless; its roles run, and say what they lack.
# usage: image.sh BUILD-FOLDER
# shellcheck source=tests/pods/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

refused() { # CODE TEXT OPTION... ROLE: a container that ends so, with TEXT in the last line of its log
    local code=$1 text=$2
    shift 2
    expect "$code" "${contained[@]}" "$@"
    tail -n 1 "$WORK/err" | grep -qF -- "$text" || fail "the last line does not say: $text"
    no_secrets "$WORK/err"
}
no_secrets() { # FILE
    ! grep -qE 'rayc_[A-Za-z0-9]{43}' "$1" || fail "a token is in the log"
    ! grep -qFf "$WORK/secret-keys" "$1" || fail "a secret key is in the log"
}
start() { # SUFFIX OPTION... ROLE: a container that stays
    local suffix=$1
    shift
    "${contained[@]}" -d --name "$NAME-$suffix" "$@" >"$WORK/out" 2>"$WORK/err" || fail "podman run $*"
}
ready() { # SUFFIX PORT: of the head's or the worker's HTTP, asked from inside
    wait_until 30 podman exec "$NAME-$1" wget -qO- "http://127.0.0.1:$2/healthz/ready"
}

note "the image"
read -r _ size _ id <"$WORK/image"
((size <= 60000000)) || fail "the image has $size bytes"
echo "image: $size bytes"
"$SOURCE/scripts/image" --build "$BUILD" --tag "$IMAGE" >"$WORK/out" || fail "scripts/image"
has out "$id"
expect 0 podman run --rm --user 0 --entrypoint /bin/sh "$IMAGE" -c 'find / -xdev -perm /6000; find / -xdev -perm -2 ! -type l ! -path "/tmp" ! -path "/dev*" ! -path "/proc*"'
same out ""
expect 0 "${contained[@]}" "$IMAGE" sh -c 'id; rayc version; ! touch /usr/x'
has out "uid=10001(rayc) gid=10001(rayc)"
has out "rayc "
has err "Read-only file system"
expect 0 "${contained[@]}" "$IMAGE" submit parallel_compute --tasks 10 --work-us 100
expect 0 "${contained[@]}" "$IMAGE" rayc tune --space /usr/share/rayc/examples/search.yaml --trials 3 -q

note "keys"
keys=(-e RAYC_KEYS=/keys/keys -v "$NAME-keys:/keys:ro")
expect 0 "${contained[@]}" -v "$NAME-keys:/var/lib/rayc" "$IMAGE" keys /var/lib/rayc/keys
expect 0 "${contained[@]}" -v "$NAME-keys:/var/lib/rayc" "$IMAGE" sh -c \
    'rayc-pod keys other && cp -r other mixed && cp keys/cluster.key mixed'
"${contained[@]}" "${keys[@]}" "$IMAGE" cat /keys/keys/{cluster,admin,worker}.key |
    sed -nE 's/.*(secret-key|token) = "(.*)"/\2/p' >"$WORK/secret-keys"
[[ $(wc -l <"$WORK/secret-keys") == 5 ]] || fail "the keys that were made"

note "bad input"
refused 2 "'nonsense' is neither a role nor a program" "$IMAGE" nonsense
has err "usage: rayc-pod"
refused 2 "usage" "$IMAGE" keys
refused 78 "/etc/rayc/keys/cluster.key is missing: mount the Secret rayc-keys" "$IMAGE" head
refused 78 "/etc/rayc/keys/worker.key is missing" "$IMAGE" worker
refused 73 "/var/lib/rayc cannot be written by uid 10001" "${keys[@]}" --tmpfs /var/lib/rayc:mode=755 "$IMAGE" head
refused 73 "/var/lib/rayc cannot be written by uid 10001" --tmpfs /var/lib/rayc:mode=755 "$IMAGE" all
refused 78 "is of another head" "${keys[@]}" -e RAYC_KEYS=/keys/mixed "$IMAGE" head

note "a head and a worker that finds it by name"
expect 0 podman network create "$NAME"
start head "${keys[@]}" --network "$NAME" -v "$NAME-state:/var/lib/rayc" -e RAYC_KEY_FILE=/keys/keys/admin.key "$IMAGE" head
start worker "${keys[@]}" --network "$NAME" -e "RAYC_HEAD=$NAME-head:6399" -e RAYC_NODE_NAME=one "$IMAGE" worker
ready head 8265
ready worker 8266
expect 0 podman exec "$NAME-head" rayc node list --no-headers
has out one
expect 0 podman exec "$NAME-head" rayc submit -- sh -c 'echo by-$(id -u)'
same out by-10001
refused 75 "another head is using this state folder" "${keys[@]}" -v "$NAME-state:/var/lib/rayc" "$IMAGE" head
refused 78 "cluster.key is missing" -v "$NAME-state:/var/lib/rayc" "$IMAGE" head

refused 5 "the head refused the key" "${keys[@]}" --network "$NAME" -e "RAYC_HEAD=$NAME-head:6399" -e RAYC_KEYS=/keys/other \
    "$IMAGE" worker

note "killed, the head comes back on its volume"
expect 0 podman kill "$NAME-head"
wait_until 20 eval "! podman container exists $NAME-head"
start head "${keys[@]}" --network "$NAME" -v "$NAME-state:/var/lib/rayc" -e RAYC_KEY_FILE=/keys/keys/admin.key "$IMAGE" head
ready head 8265
expect 0 podman exec "$NAME-head" rayc job list --no-headers
has out SUCCEEDED
for suffix in head worker; do
    podman logs "$NAME-$suffix" >"$WORK/log" 2>&1
    no_secrets "$WORK/log"
    expect 0 podman stop -t 20 "$NAME-$suffix"
done

note "all in one container"
start all --network "$NAME" "$IMAGE" all --num-cpus 2
ready all 8265
expect 0 podman exec "$NAME-all" rayc submit parallel_compute --tasks 10 --work-us 100
has out "10 tasks, 0 failed"
podman exec "$NAME-all" rayc token show >"$WORK/token" || fail "rayc token show"
address=$(podman inspect --format "{{(index .NetworkSettings.Networks \"$NAME\").IPAddress}}" "$NAME-all")
# Whoever has the token, from another container, over HTTP.
expect 0 env "RAYC_TOKEN=$(<"$WORK/token")" "${contained[@]}" --network "$NAME" -e RAYC_TOKEN \
    -e "RAYC_ADDRESS=http://$address:8265" "$IMAGE" submit parallel_compute --tasks 10 --work-us 100
has out "10 tasks, 0 failed"
expect 0 podman stop -t 20 "$NAME-all"
