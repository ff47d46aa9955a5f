#!/usr/bin/env bash
# zmq: peers that break the rules of the head's ZeroMQ socket: without the key, with another one; frames, versions and
# types that do not exist; results and leases that are old or made up.
# usage: zmq.sh BUILD-FOLDER
# shellcheck source=tests/attacks/lib.sh disable=SC2016,SC2119
. "$(dirname "$0")/lib.sh" "$1"

# --- a head with a key -------------------------------------------------------------------------------------------------

for name in cluster unknown; do
    "$BUILD/tests/make_key" "$WORK/$name.key" || fail "make_key"
done
start_head --key-file "$WORK/cluster.key"
export RAYC_KEY_FILE=$RAYC_STATE_DIR/admin.key
expect 0 rayc status
before=$(rows)
attack_peer mechanism NULL
attack_peer mechanism PLAIN
[[ $(rows) == "$before" ]] || fail "row 2: the database has changed"
expect 0 rayc status
pass 2 "a head with a key shakes hands over CURVE only; after NULL and PLAIN it is closed"

# The member's file but for the pair, which is another one: the stranger knows the head, and has a good token.
pair=$(grep -E '(public|secret)-key' "$WORK/unknown.key")
{ grep -vE '(public|secret)-key' "$RAYC_STATE_DIR/admin.key" && echo "$pair"; } >"$WORK/stranger.key"
grep -q secret-key "$WORK/stranger.key" || fail "no key for the stranger"
chmod 600 "$WORK/stranger.key"
as stranger
for _ in 1 2 3 4 5; do
    expect 5 "${whose[@]}" rayc status
done
for _ in {1..20}; do
    attack_peer mechanism NULL
done
# A line of the log tells of those before it: there may be more of them than lines.
wait_until 20 eval 'attack_peer mechanism NULL; grep -qE "net.refused.*since_start=[2-9][0-9]" "$WORK/head.log"'
[[ $(grep -c net.refused "$WORK/head.log") -lt 20 ]] || fail "row 3: every refusal is a line of the log"
[[ $(rows) == "$before" ]] || fail "row 3: the database has changed"
pass 3 "an unknown key is refused though its token is good; counted, and the log is not flooded"
kill "$HEAD"
wait "$HEAD"

# --- one without, on loopback --------------------------------------------------------------------------------------------

unset RAYC_KEY_FILE
rm -rf "$RAYC_STATE_DIR"
start_head
admin=$(token_in "$RAYC_STATE_DIR/admin.key")
worker=$(token_in "$RAYC_STATE_DIR/worker.key")
start_worker one "$RAYC_STATE_DIR/worker.key"

expect 0 rayc submit --submission-id ended -- sh -c 'echo $((0x$RAYC_TASK_ID)) $RAYC_FENCE'
read -r ended fence <"$WORK/out"
original=$(<"$WORK/out")
background rayc submit --submission-id running -- sleep 600
lease() {
    sql "SELECT t.id||' '||l.token||' '||l.node FROM lease l JOIN task t ON l.first=t.id AND t.state=4"
}
wait_until 20 eval '[[ -n $(lease) ]]'
read -r task token node <<<"$(lease)"
[[ -n $node && -n $fence ]] || fail "no leases: '$task $token $node', '$ended $fence'"
# And one whose first attempt has ended, while the second one runs.
background rayc submit --submission-id retried --max-retries 1 --retry-exit-codes any -- \
    sh -c 'echo $((0x$RAYC_TASK_ID)) $RAYC_FENCE; [ "$RAYC_ATTEMPT" -gt 1 ] && sleep 600; exit 1'
wait_until 20 eval '[[ $(rayc job logs retried | grep -c '^[0-9]') -eq 2 ]]'
read -r retried first_fence <<<"$(rayc job logs retried)"
wait_until 20 eval '[[ $(sql "SELECT state FROM task WHERE id=$retried") == 4 ]]'
before=$(rows)

attack_peer lengths "$admin" "$HEAD"
attack_peer parts "$admin"
[[ $(rows) == "$before" ]] || fail "row 23: the database has changed"
expect 0 rayc status
pass 23 "a frame beyond 16 MiB ends its connection, and no room is made for it; a message of parts is not heard"

attack_peer garbage_greeting
attack_peer versions "$admin"
attack_peer unknown "$admin"
[[ $(rows) == "$before" ]] || fail "row 24: the database has changed"
pass 24 "another magic, version, type or flag: ERR_VERSION or closed, and nothing changes"

# All but the peer's own token is right: what it says is old.
attack_peer replayed "$worker" "$node" "$ended" "$fence"
attack_peer replayed "$worker" "$node" "$retried" "$first_fence"
[[ $(rows) == "$before" ]] || fail "row 25: $(diff <(echo "$before") <(rows))"
expect 0 rayc job logs ended
same out "$original"
pass 25 "a result that is said again, and a lease of before: stale, no row changes"

attack_peer forged "$worker" "$node" "$task" "$token" "$fence"
[[ $(rows) == "$before" ]] || fail "row 26: $(diff <(echo "$before") <(rows))"
expect 0 rayc job get running
has out RUNNING
pass 26 "a made-up result, with a token beside the right one or of another task: stale, no row changes"
