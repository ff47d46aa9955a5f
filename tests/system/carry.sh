#!/usr/bin/env bash
# carry: large values between nodes on three hosts (network namespaces): arguments and results, a driver on a host without
# a node, and the node that gives is killed in the middle.  Skipped where namespaces cannot be made.
# usage: carry.sh BUILD-FOLDER
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"
PROGRAM=$BUILD/tests/carry
hosts=(one two three)
declare -A WORKER

on() { # on HOST COMMAND...: runs it there
    ip netns exec "rayc-$1-$$" "${@:2}"
}
end_all() {
    local code=$? host
    for host in "${hosts[@]}"; do
        ip netns pids "rayc-$host-$$" | xargs -r kill -KILL
        ip netns delete "rayc-$host-$$"
    done 2>/dev/null
    (exit $code)
    cleanup
}
trap end_all EXIT

# Three hosts on one wire, a bridge that host one has.
make_hosts() {
    local host n=0
    for host in "${hosts[@]}"; do
        ip netns add "rayc-$host-$$" || return 1
        on "$host" ip link set lo up
    done
    on one ip link add wire type bridge && on one ip address add 10.98.0.1/24 dev wire && on one ip link set wire up || return 1
    for host in two three; do
        n=$((n + 1))
        ip link add "to-$host" netns "rayc-one-$$" type veth peer name eth netns "rayc-$host-$$" || return 1
        on one ip link set "to-$host" master wire up
        on "$host" ip address add 10.98.0.$((n + 1))/24 dev eth
        on "$host" ip link set eth up
    done
}
if ! make_hosts 2>/dev/null; then
    note "skipped: this machine makes no network namespaces (ip netns add)"
    exit 0
fi

start_worker() { # start_worker HOST
    ip netns exec "rayc-$1-$$" rayc-worker --head 10.98.0.1:6399 --dir "$WORK/$1" --key-file "$RAYC_STATE_DIR/worker.key" \
        --num-cpus 2 --labels "host=$1" --name "$1" --object-store-bytes 300000000 --log-file "$WORK/$1.log" &
    WORKER[$1]=$!
    BACKGROUND+=("$!")
}
nodes() { [[ $(on one rayc node list --no-headers | grep -c ALIVE) -eq $1 ]]; }
says() { grep -q "$1" "$WORK/bg.out"; }
received() { # received BYTES: so much has come to host one since $before
    (($(on one cat /sys/class/net/to-two/statistics/rx_bytes) > before + $1))
}
# On host one, which has a node; on host three, as if it had none.
driver=(ip netns exec "rayc-one-$$" env RAYC_STORE="$WORK/one/store.sock" RAYC_ADDRESS=10.98.0.1:6399
    RAYC_KEY_FILE="$RAYC_STATE_DIR/admin.key" "$PROGRAM")
pipeline=("${driver[@]:0:${#driver[@]}-1}" "$BUILD/examples/pipeline")
away=(ip netns exec "rayc-three-$$" env RAYC_STATE_DIR="$WORK/away" RAYC_ADDRESS=10.98.0.1:6399
    RAYC_KEY_FILE="$RAYC_STATE_DIR/admin.key" "$PROGRAM")

expect 0 rayc-head --make-keys "$RAYC_STATE_DIR"
ip netns exec "rayc-one-$$" rayc-head --host 10.98.0.1 --key-file "$RAYC_STATE_DIR/cluster.key" --gone-ms 1000 2>"$WORK/head.log" &
BACKGROUND+=("$!")
wait_until 10 test -s "$RAYC_STATE_DIR/head.address"
for host in "${hosts[@]}"; do
    start_worker "$host"
done
wait_until 20 nodes 3

note "arguments and results go from node to node, also those that a task gets itself"
expect 0 "${driver[@]}" across
has out "across: right"

note "a driver on a host without a node gets and puts large values"
expect 0 "${away[@]}" away
has out "away: right"

note "examples/pipeline.c: stages on all nodes"
expect 0 "${pipeline[@]}" 12 1024
has out "12 frames, "
for node in 1 2 3; do
    [[ $(on one rayc task list --job @last --filter node_id=$node --no-headers | wc -l) -ge 4 ]] || fail "no stage ran on node $node"
done

on two tc qdisc add dev eth root tbf rate 400mbit burst 256kb limit 4mb
for polls in driver away; do
    note "who asks again and again for a moment gets in the end what comes slowly: $polls"
    before=$(on one cat /sys/class/net/to-two/statistics/rx_bytes)
    declare -n program=$polls
    expect 0 "${program[@]}" polled 30
    has out "polled: right"
    received 45000000 && fail "it was sent twice"
done
note "a node that gives is killed in the middle: another one has a copy"
before=$(on one cat /sys/class/net/to-two/statistics/rx_bytes)
background "${driver[@]}" moved 60
wait_until 30 says begun
wait_until 30 received 5000000
kill -KILL "${WORKER[two]}"
wait "${WORKER[two]}" 2>/dev/null
ended 0
has out "moved: right"

note "a value that only a dead node had fails who needs it, with the reason"
start_worker two
wait_until 20 nodes 3
before=$(on one cat /sys/class/net/to-two/statistics/rx_bytes)
background "${driver[@]}" lost 60
wait_until 30 says begun
wait_until 30 received 5000000
kill -KILL "${WORKER[two]}"
wait "${WORKER[two]}" 2>/dev/null
ended 0
has out "lost: -39"
has out "all copies"

note "the head knows of the copy"
export GO=$WORK/go
mkfifo "$GO"
background "${driver[@]}" held
wait_until 30 says ready
two_copies() { on one rayc object list -o json | grep -q '"copies":2'; }
wait_until 10 two_copies
echo >"$GO"
ended 0
