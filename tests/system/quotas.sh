#!/usr/bin/env bash
# quotas: how many bytes of objects a user may have, with the head killed and started again in between.
# usage: quotas.sh BUILD-FOLDER
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

expect 0 rayc start --head --num-cpus 2 --port 0
ADDRESS=$(<"$RAYC_STATE_DIR/head.address")
HTTP=$(<"$RAYC_STATE_DIR/head.http")
TOKEN=$(rayc token show)
declare -A SAID=([ann]=0 [bob]=0) FD

# user NAME [OPTION...]: one, and a program of it that does what it is told.
user() {
    expect 0 rayc user add "$@"
    expect 0 rayc token create --user "$1" --out "$WORK/$1.key"
    mkfifo "$WORK/$1.lines"
    exec {fd}<>"$WORK/$1.lines" # stays open between two lines
    FD[$1]=$fd
    who "$1"
    "${AS[@]}" "$BUILD/tests/quotas" "$WORK/$1.lines" >"$WORK/$1.out" 2>"$WORK/$1.err" &
    BACKGROUND+=("$!")
}
who() { AS=(env "RAYC_ADDRESS=$ADDRESS" "RAYC_KEY_FILE=$WORK/$1.key"); }
has_said() { [[ $(wc -l <"$WORK/$1.out") -ge $2 ]]; }

# tell NAME WANTED LINE: its program does it, and says what begins with WANTED; all of it is in $WORK/out.
tell() {
    echo "$3" >&"${FD[$1]}"
    SAID[$1]=$((SAID[$1] + 1))
    wait_until 60 has_said "$1" "${SAID[$1]}"
    tail -n 1 "$WORK/$1.out" >"$WORK/out"
    [[ $(<"$WORK/out") == "$2"* ]] || fail "$1 said '$(<"$WORK/out")' to '$3', not '$2'"
}
used() { # used NAME: bytes, as the user sees them
    who "$1"
    "${AS[@]}" rayc user list -o json >"$WORK/out"
    json "items[0].object_bytes"
}
uses() { [[ $(used "$1") == "$2" ]]; }

expect 2 rayc user add ann --max-object-bytes lots
has err "--max-object-bytes: 'lots' is not a size"
user ann --max-object-bytes 3200000
user bob

note "what is beyond a user's quota is not kept, and told; another user's is"
for _ in 1 2 3; do tell ann "put kept 1048576" put; done
tell ann "put refused -21" put
has out "ann has 3145743 of 3200000 bytes, and this needs 1048581"
has out "rayc user set --max-object-bytes"
tell ann "read refused -21" "read 4"
for _ in 1 2 3 4; do tell bob "put kept" put; done
uses ann 3145743 || fail "ann uses $(used ann)"
expect 0 rayc user list
grep -q "^ann .* 3.1MiB *3.0MiB" "$WORK/out" || fail "ann in the list of users"
grep -q "^bob .* 4.0MiB" "$WORK/out" || fail "bob in the list of users"
call 200 GET /metrics
sed -i 's/,SessionName="[^"]*"//' "$WORK/out"
has out 'rayc_user_object_bytes{User="ann"} 3145743'
has out 'rayc_user_object_bytes{User="bob"} 4194324'
has out 'rayc_user_object_bytes_max{User="ann"} 3200000'
lacks out 'rayc_user_object_bytes_max{User="bob"}'

note "a task whose result is beyond it fails, once"
tell ann "task refused -21" task
who ann
expect 0 "${AS[@]}" rayc task list --filter state=FAILED -o json
[[ $(json "items[0].error_type") == OBJECT_QUOTA && $(json "items[0].attempt") == 1 ]] || fail "how it failed"
tell bob "task kept" task

note "what nobody has any more makes room, also behind a head that was killed"
kill -KILL "$(process_of rayc-head "$RAYC_STATE_DIR")"
wait_until 20 gone rayc-head "$RAYC_STATE_DIR"
expect 0 rayc start --head --num-cpus 0 --port "${ADDRESS##*:}"
tell ann "put refused -21" put
tell ann dropped "drop 1"
tell ann "put kept" put
tell ann "put refused -21" put
tell ann "freed" "free 2"
tell ann "put kept" put
uses ann 3145743 || fail "ann uses $(used ann)"

note "what is there stays when less is allowed"
expect 0 rayc user set ann --max-object-bytes 1M
tell ann "read kept" "read 3"
tell ann "put refused -21" put
expect 0 rayc user set ann --max-object-bytes 0
tell ann "put kept" put

note "a program that runs learns of a quota"
refused() {
    tell bob put put
    grep -q "^put refused -21" "$WORK/out"
}
expect 0 rayc user set bob --max-object-bytes 1M
wait_until 20 refused

note "with their programs all of it goes"
for name in ann bob; do
    echo end >&"${FD[$name]}"
    wait_until 30 uses "$name" 0
done
