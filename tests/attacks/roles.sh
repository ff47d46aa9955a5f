#!/usr/bin/env bash
# roles: a worker's token used as a user's, a worker as another worker, a user at what is another user's; and tokens that
# are revoked while their owner is connected.
# usage: roles.sh BUILD-FOLDER
# shellcheck source=tests/attacks/lib.sh disable=SC2016,SC2119
. "$(dirname "$0")/lib.sh" "$1"

start_head
worker=$(token_in "$RAYC_STATE_DIR/worker.key")
start_worker one "$RAYC_STATE_DIR/worker.key"
user_new ann user
user_new bob user
as ann
background "${whose[@]}" rayc submit --submission-id secret-of-ann -- sleep 600
expect 0 "${whose[@]}" rayc submit --submission-id secret-of-ann-too -- true
lease() {
    sql "SELECT t.id||' '||l.token||' '||l.node FROM lease l JOIN task t ON l.first=t.id AND t.state=4"
}
wait_until 20 eval '[[ -n $(lease) ]]'
read -r task token node <<<"$(lease)"
job=$(sql "SELECT id FROM job WHERE submission='secret-of-ann'")
[[ -n $token && -n $job ]] || fail "no lease"
refusals() { # of the audit
    sql "SELECT count(*) FROM audit WHERE code=-19"
}

before=$(rows)
had=$(refusals)
attack_peer worker_says "$worker" "$job" "$task"
attack_peer user_says "${bob:?}" "$node" "$task" "$token"
[[ $(rows) == "$before" ]] || fail "row 4: $(diff <(echo "$before") <(rows))"
(($(refusals) >= had + 10)) || fail "row 4: $(refusals) refusals in the audit, $had before"
pass 4 "a worker's token that submits, stops, cancels or watches: ERR_FORBIDDEN, and a line of the audit; likewise a user's that works"

expect 0 rayc token create --name second --role worker --out "$WORK/second.key"
second=$(token_in "$WORK/second.key")
key=$(sql "SELECT key FROM node WHERE id=$node")
rows_of_nodes() {
    rows | sed '/^-- token/,$d'
}
before=$(rows_of_nodes)
attack_peer other_node "$second" "$node" "$key" "$task" "$token"
[[ $(rows_of_nodes) == "$before" ]] || fail "row 5: $(diff <(echo "$before") <(rows_of_nodes))"
pass 5 "a worker that claims to be another one is refused, and its results are not taken: the token says who it is"

attack_peer user_of_other "$bob" "$job" "$task"
as bob
for command in "job get secret-of-ann" "job logs secret-of-ann" "job stop secret-of-ann" "job delete secret-of-ann" \
    "task get $(printf %016x "$task")" "task cancel $(printf %016x "$task")" "task logs $(printf %016x "$task")"; do
    read -ra words <<<"$command"
    expect 3 "${whose[@]}" rayc "${words[@]}"
done
for command in "job list" "task list" "task list --filter state=RUNNING"; do
    read -ra words <<<"$command"
    expect 0 "${whose[@]}" rayc "${words[@]}" -o json
    lacks out secret-of-ann
    lacks out "$(printf %016x "$task")"
done
# The beginning of a name finds nothing either, and nobody is told of the several that begin so.
expect 3 "${whose[@]}" rayc job get secret
lacks err secret-of-ann
attack_http user_of_other "$bob" secret-of-ann "$(printf %016x "$task")"
expect 0 rayc job get secret-of-ann
has out RUNNING
pass 6 "what is another user's is answered as what is not there, over both ports; lists do not have it"

expect 0 rayc token create --user bob --name open --out "$WORK/open.key" -o json
background timeout 60 python3 -B "$ATTACKS/peers.py" "$PORT" connected "$(token_in "$WORK/open.key")" 1 "$WORK/ready-user"
user_peer=$PID
background timeout 60 python3 -B "$ATTACKS/peers.py" "$PORT" connected "$second" 2 "$WORK/ready-worker"
worker_peer=$PID
expect 0 "${whose[@]}" rayc submit --submission-id of-bob --no-wait -- sleep 600
background timeout 60 python3 -B "$ATTACKS/requests.py" "$HTTP" streams "$(token_in "$WORK/open.key")" of-bob "$WORK/ready-http"
http_client=$PID
wait_until 20 test -e "$WORK/ready-user" -a -e "$WORK/ready-worker" -a -e "$WORK/ready-http"
for name in open second; do
    expect 0 rayc token revoke "$(sql "SELECT id FROM token WHERE name='$name'")"
done
wait "$user_peer" || fail "row 7: a user's connection goes on after its token was revoked: $(<"$WORK/bg.out")"
wait "$worker_peer" || fail "row 7: a worker's connection goes on after its token was revoked: $(<"$WORK/bg.err")"
wait "$http_client" || fail "row 7: events or a tail go on after the token was revoked: $(<"$WORK/bg.err")"
attack_http revoked "$(token_in "$WORK/open.key")"
pass 7 "a token that is revoked: its connections are cut, and it opens no other"
