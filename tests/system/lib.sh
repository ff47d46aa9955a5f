# shellcheck shell=bash
# lib.sh - what system tests share.  Source it with the build folder: . "$(dirname "$0")/lib.sh" "$1"
#
# Each test has a folder of its own, $WORK, with the state folder in it; at its end everything it has started is ended,
# by process id.  Nothing waits by sleeping: wait_until asks again and again, and fails after a bound.
set -uo pipefail

BUILD=$(realpath "$1")
RAYC=$BUILD/bin/rayc
WORK=$(mktemp -d "${TMPDIR:-/tmp}/rayc-test.XXXXXX")
export RAYC_STATE_DIR=$WORK/state XDG_CONFIG_HOME=$WORK/config
export PATH=$BUILD/bin:$PATH LC_ALL=C.UTF-8 TERM=dumb
export RAYC_CONNECT_MS=700
unset RAY_ADDRESS RAYC_ADDRESS RAYC_KEY_FILE RAYC_TOKEN RAYC_TOKEN_FILE RAYC_OUTPUT RAYC_PROGRAMS RAYC_LOG COLUMNS XDG_STATE_HOME
BACKGROUND=()

fail() {
    echo "FAILED $(basename "$0"): $*" >&2
    for file in "$WORK"/out "$WORK"/err; do
        [[ -s $file ]] && sed "s|^|  $(basename "$file"): |" "$file" >&2
    done
    exit 1
}

# Processes of this test, whose command line names its folder.
own_processes() {
    pgrep -f -- "$WORK" | grep -vx "$$" || true
}

cleanup() {
    local code=$? dir pid
    trap - EXIT
    for pid in "${BACKGROUND[@]}"; do
        kill -KILL "$pid" 2>/dev/null
    done
    for dir in "$WORK" "$WORK"/*/; do
        [[ -e $dir/head.lock || -e $dir/worker.pid ]] && "$RAYC" stop --force --state-dir "$dir" >/dev/null 2>&1
    done
    for pid in $(own_processes); do
        kill -KILL "$pid" 2>/dev/null
    done
    [[ $code -eq 0 ]] && rm -rf "$WORK" || echo "kept: $WORK" >&2
    exit "$code"
}
trap cleanup EXIT

# wait_until SECONDS COMMAND...: until the command succeeds.
wait_until() {
    local until=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < until)) || fail "waited in vain for: $*"
        read -rt 0.02 <> <(:) || true
    done
}

# expect CODE COMMAND...: runs it, with its output in $WORK/out and $WORK/err, and checks its exit code.
expect() {
    local wanted=$1 code
    shift
    timeout -k 5 60 "$@" >"$WORK/out" 2>"$WORK/err" </dev/null
    code=$?
    [[ $code -eq $wanted ]] || fail "'$*' ended with $code, not $wanted"
}

# has out|err TEXT: the output of the last expect has it.
has() {
    grep -qF -- "$2" "$WORK/$1" || fail "std$1 lacks: $2"
}

lacks() {
    ! grep -qF -- "$2" "$WORK/$1" || fail "std$1 has: $2"
}

# same out|err TEXT: it is exactly this.
same() {
    [[ $(<"$WORK/$1") == "$2" ]] || fail "std$1 is not: $2"
}

# json PATH: a value of the JSON in $WORK/out ("items[0].status"), by sqlite3.
json() {
    sqlite3 :memory: "SELECT json_extract(CAST(readfile('$WORK/out') AS TEXT), '\$.$1')" || fail "std out is no JSON"
}

# background COMMAND...: its process id is in $PID; its output in $WORK/bg.out and $WORK/bg.err.
# Job control gives it a process group of its own, and lets it have SIGINT.
background() {
    set -m
    "$@" >"$WORK/bg.out" 2>"$WORK/bg.err" </dev/null &
    PID=$!
    set +m
    BACKGROUND+=("$PID")
}

# ended CODE: the background process ends, in time, with this exit code.
ended() {
    local code
    wait_until 60 eval "! kill -0 $PID"
    wait "$PID"
    code=$?
    cp "$WORK/bg.out" "$WORK/out"
    cp "$WORK/bg.err" "$WORK/err"
    [[ $code -eq $1 ]] || fail "the background process ended with $code, not $1"
}

# process_of PROGRAM DIR: the pid of rayc-head or rayc-worker of a state folder.
process_of() {
    pgrep -f -- "(^|/)$1 .*$2(/| |\$)" | head -n 1
}

# alive PROGRAM DIR
alive() {
    [[ -n $(process_of "$1" "$2") ]]
}

gone() {
    ! alive "$1" "$2"
}

note() {
    echo "$(basename "$0" .sh): $*"
}

# call STATUS METHOD PATH [CURL OPTION...]: asks the head at $HTTP as $TOKEN; the body of the answer is in $WORK/out.
call() {
    local wanted=$1 method=$2 path=$3 got
    shift 3
    got=$(curl -sS -g -o "$WORK/out" -w '%{http_code}' -X "$method" -H "Authorization: Bearer $TOKEN" \
        "$@" "$HTTP$path" 2>"$WORK/err") || fail "$method $path: $(<"$WORK/err")"
    [[ $got == "$wanted" ]] || fail "$method $path $* answered $got, not $wanted: $(<"$WORK/out")"
}

# sql QUERY: of the database of this test; sql_is WANTED QUERY: does it give that?; must WANTED QUERY: it does.
sql() {
    sqlite3 -readonly -cmd ".timeout 5000" "$RAYC_STATE_DIR/rayc.db" "$1"
}
sql_is() {
    [[ $(sql "$2") == "$1" ]]
}
must() {
    sql_is "$1" "$2" || fail "$2 gives $(sql "$2"), not $1"
}

# submit ID OPTION...: a job that is not waited for.
submit() {
    expect 0 rayc submit --no-wait -q --submission-id "$@"
}

# own_head: a head with a socket in $WORK, which is then RAYC_ADDRESS; its pid is in $HEAD.
own_head() {
    export RAYC_ADDRESS=ipc://$WORK/head.sock
    [[ -d $RAYC_STATE_DIR ]] || mkdir -m 700 "$RAYC_STATE_DIR"
    rayc-head --address "$RAYC_ADDRESS" --gone-ms 1000 2>>"$WORK/head.log" &
    HEAD=$!
    BACKGROUND+=("$HEAD")
}

# own_worker NAME OPTION...: a worker of that head, with a folder of its own, until it has joined; its pid is in ${WORKERS[NAME]}.
declare -A WORKERS
own_worker() {
    local name=$1
    shift
    rayc-worker --head "$RAYC_ADDRESS" --dir "$WORK/$name/worker" --name "$name" "$@" 2>>"$WORK/$name.log" &
    # shellcheck disable=SC2034 # tests read it
    WORKERS[$name]=$!
    BACKGROUND+=("$!")
    wait_until 20 sql_is 1 "SELECT count(*) FROM node WHERE name='$name' AND state=1"
}
node_of() { # NAME: its number; the newest, if it came back
    sql "SELECT max(id) FROM node WHERE name='$1'"
}
