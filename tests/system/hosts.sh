#!/usr/bin/env bash
# hosts: a head and a worker on two hosts (network namespaces), with an access file; a program runs on the other host,
# and goes on after the network between them was cut for a while.  Skipped where namespaces cannot be made.
# usage: hosts.sh BUILD-FOLDER
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

one=rayc-one-$$ two=rayc-two-$$
remove_hosts() {
    ip netns delete "$one"
    ip netns delete "$two"
} 2>/dev/null
on_one=(ip netns exec "$one") on_two=(ip netns exec "$two")
end_all() {
    local code=$?
    "${on_one[@]}" rayc stop --force >/dev/null 2>&1
    remove_hosts
    (exit $code)
    cleanup
}
trap end_all EXIT

if ! ip netns add "$one" 2>/dev/null || ! ip netns add "$two" 2>/dev/null ||
    ! ip link add veth1 netns "$one" type veth peer name veth2 netns "$two" 2>/dev/null; then
    note "skipped: this machine makes no network namespaces (ip netns add)"
    exit 0
fi
"${on_one[@]}" ip address add 10.99.0.1/24 dev veth1
"${on_two[@]}" ip address add 10.99.0.2/24 dev veth2
"${on_one[@]}" ip link set lo up
"${on_two[@]}" ip link set lo up
"${on_one[@]}" ip link set veth1 up
"${on_two[@]}" ip link set veth2 up

note "a worker joins from another host"
expect 0 "${on_one[@]}" rayc start --head --host 10.99.0.1 --num-cpus 0
key=$RAYC_STATE_DIR/worker.key
address=10.99.0.1:6399
expect 5 "${on_two[@]}" rayc start --address $address --state-dir "$WORK/two" --num-cpus 2
expect 0 "${on_two[@]}" rayc start --address $address --state-dir "$WORK/two" --num-cpus 2 --key-file "$key" --node-name two

note "a program travels to it"
expect 0 "${on_one[@]}" rayc submit parallel_compute --tasks 20 --work-us 1000
has out "sum 2470"
expect 0 "${on_one[@]}" rayc submit -- ip -o -4 address show dev veth2
has out "10.99.0.2"

note "a driver there has an access file of its own, and its ticket nowhere else"
cat >"$WORK/who" <<'EOF'
#!/bin/sh
echo "token=$RAYC_TOKEN file=$(basename "$RAYC_KEY_FILE") mode=$(stat -c %a "$RAYC_KEY_FILE")"
grep -c "rayct_" "$RAYC_KEY_FILE"
rayc whoami
EOF
chmod +x "$WORK/who"
expect 0 "${on_one[@]}" rayc submit -- "$WORK/who"
has out "token= file=access.key mode=600"
has out "admin (USER) at 10.99.0.1:6399"

note "so has a command task, which can submit and measure from there"
cat >>"$WORK/who" <<'EOF'
rayc metric inc seen 2 && rayc submit -- echo "nested of ${RAYC_TASK_INDEX:-a driver}"
EOF
expect 0 "${on_one[@]}" rayc submit --array 1-2 --submission-id many -- "$WORK/who"
"${on_one[@]}" rayc task list --job many -o json >"$WORK/out"
task=$(json 'items[0].task_id')
expect 0 "${on_one[@]}" rayc task logs "$task"
has out "token= file=access.key mode=600"
has out "admin (USER) at 10.99.0.1:6399"
has out "nested of"

note "what is secret in it does not get into an output"
expect 0 "${on_one[@]}" rayc submit -- sh -c 'cat "$RAYC_KEY_FILE"'
has out 'token = "***"'
has out 'secret-key = "***"'
expect 0 "${on_one[@]}" rayc submit --array 1-1 --submission-id shown -- sh -c 'cat "$RAYC_KEY_FILE"'
"${on_one[@]}" rayc task list --job shown -o json >"$WORK/out"
task=$(json 'items[0].task_id')
expect 0 "${on_one[@]}" rayc task logs "$task"
has out 'token = "***"'
has out 'secret-key = "***"'

note "the network is cut, and comes back"
background "${on_one[@]}" rayc submit --submission-id cut parallel_compute --tasks 60 --work-us 100000
wait_until 30 eval "${on_one[*]} rayc task list --job cut --filter name=square --filter state=FINISHED -o json | grep -q square"
"${on_two[@]}" ip link set veth2 down
wait_until 20 eval "${on_one[*]} rayc node list --no-headers | grep -qE 'SUSPECT|DEAD'"
"${on_two[@]}" ip link set veth2 up
ended 0
has out "sum 70210"
expect 0 rayc stop --state-dir "$WORK/two"
expect 0 rayc stop
