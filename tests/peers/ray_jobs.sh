#!/usr/bin/env bash
# ray_jobs.sh - a head and a worker for ray_jobs_test.py: scripts/test-peers jobs.  PY is a Python with ray[default].
. "$(dirname "$0")/../system/lib.sh" "$1"
shift

TOKEN=rayc_$(head -c 64 /dev/urandom | base64 -w 0 | tr -dc 'a-zA-Z0-9' | head -c 43)
mkdir "$RAYC_STATE_DIR"
chmod 700 "$RAYC_STATE_DIR"

# RAYC_KILL_HEAD runs it, too: kills the head that there is, and starts one on the same ports.
cat >"$WORK/head.sh" <<'TEXT'
port=0 http=0
if [[ -s $RAYC_STATE_DIR/head.pid ]]; then
    kill -KILL "$(<"$RAYC_STATE_DIR/head.pid")"
    address=$(<"$RAYC_STATE_DIR/head.address") http=$(<"$RAYC_STATE_DIR/head.http")
    port=${address##*:} http=${http##*:}
fi
rm -f "$RAYC_STATE_DIR"/head.{address,http,pid}
[[ ${1:-} == end ]] && exit
rayc-head --state-dir "$RAYC_STATE_DIR" --port "$port" --http-port "$http" --pid-file "$RAYC_STATE_DIR/head.pid" \
    >>"$RAYC_STATE_DIR/head.log" 2>&1 </dev/null &
until [[ -s $RAYC_STATE_DIR/head.address && -s $RAYC_STATE_DIR/head.http ]]; do read -rt 0.02 <> <(:); done
TEXT

bash "$WORK/head.sh"
bash "$WORK/head.sh" end
hash=$(python3 -c 'import hashlib, sys; print(hashlib.blake2b(sys.argv[1].encode(), digest_size=32).hexdigest())' "$TOKEN")
sqlite3 "$RAYC_STATE_DIR/rayc.db" "
    INSERT OR IGNORE INTO user(id,name,role,disabled,jobs_max,tasks_max) VALUES(1,'admin',1,0,-1,-1);
    INSERT INTO token(id,user,name,role,hash,created_ms,expires_ms) VALUES(1000,1,'test',1,x'$hash',1,0);"
bash "$WORK/head.sh"
rayc-worker --head "$(<"$RAYC_STATE_DIR/head.address")" --num-cpus 4 --dir "$WORK/worker" \
    >"$WORK/worker.log" 2>&1 </dev/null &
BACKGROUND+=("$!")

export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=$TOKEN
RAY_ADDRESS_HTTP=$(<"$RAYC_STATE_DIR/head.http") RAYC_KILL_HEAD="bash $WORK/head.sh" \
    "$PY" -B "$(dirname "$0")/ray_jobs_test.py" "$@"
