#!/usr/bin/env bash
# holders: what a person sees of objects: the lists, one of them, who holds which, over HTTP, too, and nothing of others.
# usage: holders.sh BUILD-FOLDER
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

is_ready() { grep -q ready "$WORK/bg.out"; }
# held TYPE REFERENCE: an object is held so, by somebody who is named.
held() {
    expect 0 rayc memory --filter "holder_type=$1" --filter "reference_type=$2" -o json
    [[ $(json total) -ge 1 ]] || fail "no $1 holds an object by $2"
    [[ -n $(json 'items[0].holder_id') ]] || fail "a $1 without an id"
}

expect 2 rayc start --head --object-store-bytes much
has err "--object-store-bytes: 'much' is not a size"
expect 0 rayc start --head --num-cpus 2 --port 0 --object-store-bytes 50M --spill-bytes 1G
expect 0 rayc memory
has err "no objects yet"
mkfifo "$WORK/go"
background "$BUILD/tests/holders" "$WORK/go"
wait_until 60 is_ready

note "lists, and one of them"
expect 0 rayc object list --job @last --sort -object_size
has out "PUT"
expect 0 rayc summary objects
has out "STORED 3"
expect 0 rayc summary actors
has out "ALIVE 1"
expect 0 rayc object list --filter state=STORED -o json
OBJECT=$(json 'items[0].object_id')
expect 0 rayc object get "$OBJECT"
has out "PRIMARY"
expect 0 rayc object get "$OBJECT" -o json
[[ $(json 'nodes[0].node_id') == 1 && $(json object_size) -gt 1000000 ]] || fail "where is it, and how large?"
expect 3 rayc object get 0000990000000001
has err "rayc task get"

note "how full the store of the node is"
store_is_told() { # by its worker's next beat
    expect 0 rayc node get 1 -o json
    [[ $(json object_store_memory) == 52428800 && $(json object_store_used) -gt 3000000 ]]
}
wait_until 20 store_is_told
expect 0 rayc node list
has out "MiB/50.0MiB"
HTTP=http://$(sed 's|.*//||' "$RAYC_STATE_DIR/worker/http.address")
TOKEN=$(rayc token show)
call 200 GET /metrics
grep -qE '^rayc_object_store_memory\{.*Location="MMAP_SHM".* [3-9][0-9]{6}$' "$WORK/out" || fail "no bytes in memory"
grep -qE '^rayc_object_store_num_local_objects\{.* 3$' "$WORK/out" || fail "not 3 values"

note "who holds which"
held DRIVER LOCAL_REFERENCE
held ACTOR LOCAL_REFERENCE
[[ $(json total) == 2 ]] || fail "the actor holds what it has put, and what it has read"
held TASK USED_BY_PENDING_TASK
held OBJECT CAPTURED_IN_OBJECT # what wrap has returned holds what it has put
expect 0 rayc memory
has out " objects, 2.9MiB: "
has out "ACTOR 0000010000000001 (keeper)"
expect 0 rayc memory --group-by job
has out "job "
expect 2 rayc memory --group-by size
has err "node"

note "over HTTP, and as another user"
expect 0 rayc user add other
expect 0 rayc token create --user other --out "$WORK/other.key"
export RAYC_ADDRESS=
RAYC_ADDRESS=$(<"$RAYC_STATE_DIR/head.address")
RAYC_KEY_FILE=$WORK/other.key expect 0 rayc memory -o json
has out '"total":0'
RAYC_KEY_FILE=$WORK/other.key expect 3 rayc object get "$OBJECT"
unset RAYC_ADDRESS
HTTP=$(<"$RAYC_STATE_DIR/head.http")
call 200 GET "/api/v1/objects/$OBJECT"
has out '"nodes":[{"node_id":1,"copy":"PRIMARY"}]'
call 200 GET "/api/v1/memory?filter=holder_type%3DACTOR&total=1"
has out '"total":2'
call 404 GET /api/v1/objects/00000100000000010000

note "what nobody holds any more is in no list"
echo >"$WORK/go"
ended 0
nothing() {
    rayc memory -o json | grep -q '"total":0'
}
wait_until 20 nothing
