# shellcheck shell=bash disable=SC2016,SC2034,SC2120
# lib.sh - what attacks share, beyond what system tests share (tests/system/lib.sh): a head and a worker, users with
# tokens, and what the database says.  Each attack is a row of the table in docs/security.md; its check ends with
# `pass ROW TEXT`, and rows.sh looks for it there.
# shellcheck source=tests/system/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib.sh" "$1"
export RAYC_CONNECT_MS=5000
ATTACKS=$(realpath "$(dirname "${BASH_SOURCE[0]}")")

pass() { # ROW TEXT
    echo "PASS row $1: ${*:2}"
}

# start_head [OPTION...]: HEAD is its pid, ADDRESS and HTTP where it listens.
start_head() {
    mkdir -p "$RAYC_STATE_DIR"
    chmod 700 "$RAYC_STATE_DIR"
    rm -f "$RAYC_STATE_DIR"/head.{address,http}
    rayc-head --state-dir "$RAYC_STATE_DIR" --port 0 --http-port 0 "$@" >>"$WORK/head.log" 2>&1 </dev/null &
    HEAD=$!
    BACKGROUND+=("$HEAD")
    wait_until 20 test -s "$RAYC_STATE_DIR/head.address" -a -s "$RAYC_STATE_DIR/head.http"
    HTTP=$(<"$RAYC_STATE_DIR/head.http")
    ADDRESS=$(<"$RAYC_STATE_DIR/head.address")
    PORT=${ADDRESS##*:}
}

# start_worker NAME KEY-FILE [OPTION...]: WORKER is its pid; its folder is $WORK/NAME; and it has joined.
start_worker() {
    local name=$1 key=$2
    shift 2
    RAYC_KEY_FILE=$key rayc-worker --head "$ADDRESS" --dir "$WORK/$name" --num-cpus 2 "$@" \
        >"$WORK/$name.log" 2>&1 </dev/null &
    WORKER=$!
    BACKGROUND+=("$WORKER")
    nodes=$((${nodes:-0} + 1))
    wait_until 20 eval '[[ $(sql "SELECT count(*) FROM node") == "$nodes" ]]'
}

token_in() { # FILE: the token of an access file
    sed -n 's/^ *token *= *"\?\([^"]*\)"\?$/\1/p' "$1"
}

# user_new NAME ROLE: a user with a token, in $WORK/NAME.key and in the variable NAME.
user_new() {
    expect 0 rayc user add "$1" --role "$2"
    expect 0 rayc token create --user "$1" --name test --out "$WORK/$1.key"
    printf -v "$1" '%s' "$(token_in "$WORK/$1.key")"
}

as() { # NAME: "${whose[@]}" goes before a command of somebody on another machine, who has that access file
    whose=(env "RAYC_STATE_DIR=$WORK/elsewhere" "RAYC_ADDRESS=$ADDRESS" "RAYC_KEY_FILE=$WORK/$1.key")
}

sql() { # SELECT...
    sqlite3 -readonly "$RAYC_STATE_DIR/rayc.db" "$1"
}

# All rows of jobs, tasks, leases and nodes, whatever else goes on.
rows() {
    local table
    for table in job session spec task lease attempt node user token; do
        echo "-- $table" && sql "SELECT * FROM $table"
    done
}

# attack NAME ARGUMENT...: one of peers.py, or of requests.py; whose last line says what was wrong.
attack_peer() {
    expect 0 timeout 60 python3 -B "$ATTACKS/peers.py" "$PORT" "$@"
}
attack_http() {
    expect 0 timeout 60 python3 -B "$ATTACKS/requests.py" "$HTTP" "$@"
}
