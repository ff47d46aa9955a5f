#!/usr/bin/env bash
# files: key files that are missing, that others can read or write, or that lead out of their folder; names and links
# that lead out of a job's folders.
# usage: files.sh BUILD-FOLDER
# shellcheck source=tests/attacks/lib.sh disable=SC2016,SC2119
. "$(dirname "$0")/lib.sh" "$1"

refused() { # ROW TEXT COMMAND...: a daemon that ends with 78 or 5, one line that has the text, and does not listen
    local row=$1 text=$2 code=0
    shift 2
    timeout 20 "$@" >"$WORK/out" 2>"$WORK/err" </dev/null || code=$?
    [[ $code == 78 || $code == 5 ]] || fail "row $row: '$*' ended with $code"
    grep -qF -- "$text" "$WORK/err" || fail "row $row: '$*' does not say: $text"
    [[ $(grep -c error "$WORK/err") -eq 1 ]] || fail "row $row: not one line"
}
head_with() { # KEY-FILE
    echo rayc-head --state-dir "$WORK/new" --host 127.0.0.1 --port 0 --key-file "$1"
}

read -ra command <<<"$(head_with "$WORK/none")"
refused 8 "$WORK/none" "${command[@]}" --host 0.0.0.0
mkdir "$WORK/folder.key"
read -ra command <<<"$(head_with "$WORK/folder.key")"
refused 8 "$WORK/folder.key" "${command[@]}" --host 0.0.0.0
[[ ! -e $WORK/new/head.address ]] || fail "row 8: it listens"
pass 8 "told to use a key file that is missing or cannot be read, a head ends with 78, and one line says which"

key=$WORK/keys/cluster.key
mkdir -m 700 "$WORK/keys"
"$BUILD/tests/make_key" "$key" || fail "make_key"
read -ra command <<<"$(head_with "$key")"
for mode in 604 640 620 602 666; do
    chmod "$mode" "$key"
    [[ $mode == 640 && $EUID -ne 0 ]] || refused 39 "chmod 600" "${command[@]}"
done
chmod 600 "$key"
if ((EUID == 0)); then
    chown 65534 "$key"
    refused 39 "belongs to another user" "${command[@]}"
    chown 0 "$key"
fi
mkdir "$WORK/outside" "$WORK/mount" "$WORK/mount/..2026"
ln -s "$key" "$WORK/outside/link.key"
read -ra command <<<"$(head_with "$WORK/outside/link.key")"
refused 39 "leaves its folder" "${command[@]}"
mkfifo -m 600 "$WORK/keys/fifo.key"
read -ra command <<<"$(head_with "$WORK/keys/fifo.key")"
refused 39 "not a regular file" "${command[@]}"
read -ra command <<<"$(head_with /dev/zero)"
refused 39 "not a regular file" "${command[@]}"
# As Kubernetes mounts secrets: links within the mount.
cp "$key" "$WORK/mount/..2026/cluster.key"
ln -s ..2026 "$WORK/mount/..data"
ln -s ..data/cluster.key "$WORK/mount/cluster.key"
start_head --key-file "$WORK/mount/cluster.key"
RAYC_KEY_FILE=$RAYC_STATE_DIR/admin.key expect 0 rayc status
kill "$HEAD"
wait "$HEAD"
pass 39 "a key file that others can read or write, of another user, that is no file or a link out of its folder is refused; a mount of links within passes"

rm -rf "$RAYC_STATE_DIR"
start_head
start_worker one "$RAYC_STATE_DIR/worker.key"
admin=$(token_in "$RAYC_STATE_DIR/admin.key")
echo secret-of-the-machine >"$WORK/shadow"
for name in ../../shadow /etc/shadow .. . 'a/../../shadow'; do
    rayc submit --submission-id "$name" -- true >"$WORK/out" 2>"$WORK/err" </dev/null
    rayc job logs "$name" >>"$WORK/out" 2>"$WORK/err" </dev/null
    lacks out secret-of-the-machine
done
attack_http paths "$admin"
# What an attempt leaves in its folder, it does not have the daemons open.
cat >"$WORK/leaves.sh" <<TEXT
cd "\$RAYC_SCRATCH" && ln -s "$WORK/shadow" output && ln -s "$WORK/shadow" log && mkfifo stdout && ln -s "$WORK" folder
echo done
TEXT
expect 0 rayc submit --submission-id leaves -- sh "$WORK/leaves.sh"
expect 0 rayc job logs leaves
same out "done"
wait_until 20 eval '[[ -z $(find "$WORK/one/scratch" -mindepth 1) ]]'
[[ -s $WORK/shadow && -d $WORK/keys ]] || fail "row 13: cleaning up followed a link"
# A folder that is to be packed: a FIFO is not opened or waited for, and left out; a link out of it is not followed.
mkdir "$WORK/packed"
echo 'true' >"$WORK/packed/run.sh"
mkfifo "$WORK/packed/fifo"
expect 0 timeout 30 rayc submit --submission-id fifo --working-dir "$WORK/packed" -- ls
expect 0 rayc job logs fifo
same out run.sh
ln -s "$WORK/shadow" "$WORK/packed/out-of-it"
expect 2 timeout 30 rayc submit --working-dir "$WORK/packed" -- cat out-of-it
has err "a link that leads out of the folder"
lacks out secret-of-the-machine
expect 0 rayc status
pass 13 "a name that leads out, a link, a FIFO or a device: refused or not followed, and nothing hangs"
