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

note "keys that are given: made before, taken at each start, replaced by a restart"
keys=$WORK/keys state=$WORK/given
start_given() { # a head with these keys; its process id is in $HEAD
    rayc-head --state-dir "$state" --host 127.0.0.1 --port 0 --key-file "$keys/cluster.key" --access-dir "$keys" \
        2>"$WORK/head.err" &
    HEAD=$!
    BACKGROUND+=("$HEAD")
    wait_until 20 test -s "$state/head.address"
    key_of "$keys/admin.key"
    whose+=("RAYC_ADDRESS=$(<"$state/head.address")")
}
end_given() {
    kill "$HEAD"
    wait "$HEAD" || fail "the head ended with $?"
}
refused_given() { # refused_given TEXT [OPTION...]: 78, and one line that says so
    local text=$1
    shift
    expect 78 rayc-head --state-dir "$state" --host 127.0.0.1 --port 0 --key-file "$keys/cluster.key" \
        --access-dir "$keys" "$@"
    has err "$text"
    [[ $(wc -l <"$WORK/err") == 1 ]] || fail "not one line"
}
expect 0 rayc-head --make-keys "$keys"
[[ $(stat -c %a "$keys"/*.key | sort -u) == 600 && $(ls "$keys") == $'admin.key\ncluster.key\nworker.key' ]] ||
    fail "the keys that were made"
start_given
[[ ! -e $state/admin.key && ! -e $state/member.key ]] || fail "the head has made keys of its own"
expect 0 "${whose[@]}" rayc whoami
has out "admin (ADMIN)"
expect 0 "${whose[@]}" rayc token create --role worker --name worker.key --out "$WORK/stays.key"
end_given
cp "$keys/admin.key" "$WORK/old.key"
rm "$keys/admin.key"
refused_given "there is no such file"
expect 0 rayc-head --make-keys "$keys"
start_given
expect 0 "${whose[@]}" rayc whoami
key_of "$WORK/old.key"
expect 5 "${whose[@]}" "RAYC_ADDRESS=$(<"$state/head.address")" rayc whoami
key_of "$WORK/stays.key"
expect 5 "${whose[@]}" "RAYC_ADDRESS=$(<"$state/head.address")" rayc job list # a worker's, but not revoked
has err "worker"
end_given
cp "$WORK/old.key" "$keys/admin.key"
start_given
expect 5 "${whose[@]}" rayc whoami
grep -q "it was revoked" "$WORK/head.err" || fail "the head does not say that the token was revoked"
end_given

note "keys that are given, and bad"
chmod 644 "$keys/worker.key"
refused_given "chmod 600"
chmod 600 "$keys/worker.key"
if ((EUID == 0)); then
    chown 65534 "$keys/worker.key"
    refused_given "belongs to another user"
    chown 0 "$keys/worker.key"
fi
expect 0 rayc-head --make-keys "$WORK/other"
refused_given "is of another head" --key-file "$WORK/other/cluster.key"
expect 78 rayc-head --make-keys /proc/rayc
