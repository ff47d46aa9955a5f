#!/usr/bin/env bash
# doors: no way in without a token; roles, users that see their own only, revocation, and the rules for key files.
# usage: doors.sh BUILD-FOLDER
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

expect 0 rayc start --head --port 0 --num-cpus 2
address=$(<"$RAYC_STATE_DIR/head.address")
[[ $(stat -c %a "$RAYC_STATE_DIR/admin.key") == 600 && $(stat -c %a "$RAYC_STATE_DIR/worker.key") == 600 ]] ||
    fail "the modes of the access files"
key_of() { # key_of FILE: the environment of somebody on another machine, who has that access file
    whose=(env "RAYC_STATE_DIR=$WORK/elsewhere" "RAYC_ADDRESS=$address" "RAYC_KEY_FILE=$1")
}
user_key() { # user_key NAME ROLE
    expect 0 rayc user add "$1" --role "$2"
    expect 0 rayc token create --user "$1" --name test --out "$WORK/$1.key"
}

note "no token, a wrong one"
RAYC_STATE_DIR=$WORK/elsewhere expect 5 rayc status --address "$address"
has err "RAYC_TOKEN"
RAYC_TOKEN=rayc_wrong expect 5 rayc status --address "$address"

note "who am I"
expect 0 rayc whoami
has out "admin (ADMIN)"
expect 0 rayc token env
has out "RAY_AUTH_TOKEN=rayc_"
user_key ann user
user_key bob user
user_key eye viewer
key_of "$WORK/ann.key" && ann=("${whose[@]}")
key_of "$WORK/bob.key" && bob=("${whose[@]}")
key_of "$WORK/eye.key" && eye=("${whose[@]}")
key_of "$RAYC_STATE_DIR/worker.key" && worker=("${whose[@]}")
expect 0 "${ann[@]}" rayc whoami
has out "ann (USER)"

note "one's own only"
expect 0 "${ann[@]}" rayc submit --submission-id anns -- echo of-ann
same out of-ann
expect 0 "${ann[@]}" rayc job list --no-headers
has out anns
expect 0 "${bob[@]}" rayc job list --no-headers
! grep -q anns "$WORK/out" || fail "bob sees a job of ann's"
expect 3 "${bob[@]}" rayc job get anns
expect 3 "${bob[@]}" rayc job logs anns
expect 3 "${bob[@]}" rayc job stop anns
expect 0 "${eye[@]}" rayc job get anns
expect 125 "${eye[@]}" rayc submit -- true
expect 0 rayc job get anns

note "a job acts for its owner"
expect 0 "${ann[@]}" rayc submit -- rayc whoami
has out "ann (USER)"

note "a worker's token is no user's, and a user's no worker's"
expect 5 "${worker[@]}" rayc job list
expect 125 "${worker[@]}" rayc submit -- true
expect 5 "${ann[@]}" rayc user add eve

note "revocation cuts what is connected"
background "${bob[@]}" rayc submit -- sleep 60
wait_until 20 eval "rayc job list --no-headers | grep -q RUNNING"
expect 0 rayc user disable bob
ended 125
expect 5 "${bob[@]}" rayc status
expect 0 rayc user enable bob
expect 0 "${bob[@]}" rayc status

note "key files"
expect 0 rayc stop
chmod 644 "$RAYC_STATE_DIR/admin.key"
wait_until 20 gone rayc-head "$RAYC_STATE_DIR"
"$1/bin/rayc-head" --state-dir "$RAYC_STATE_DIR" --port 0 2>"$WORK/err" && fail "a key that others can read"
has err "chmod 600"
code=0
"$1/bin/rayc-head" --state-dir "$WORK/new" --host 0.0.0.0 --port 0 --key-file "$WORK/none" 2>"$WORK/err" || code=$?
[[ $code == 78 ]] || fail "a key file that is missing: $code"
has err "$WORK/none"
