#!/usr/bin/env bash
# ray_jobs.sh - a head and a worker for ray_jobs_test.py: scripts/test-peers jobs.  PY is a Python with ray[default].
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/../system/lib.sh" "$1"
shift

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
rayc-head --state-dir "$RAYC_STATE_DIR" --port "$port" --http-port "$http" --pid-file "$RAYC_STATE_DIR/head.pid" \
    >>"$RAYC_STATE_DIR/head.log" 2>&1 </dev/null &
until [[ -s $RAYC_STATE_DIR/head.address && -s $RAYC_STATE_DIR/head.http ]]; do read -rt 0.02 <> <(:); done
exit 0
TEXT

bash "$WORK/head.sh"
TOKEN=$(sed -n 's/^ *token *= *"\?\([^"]*\)"\?$/\1/p' "$RAYC_STATE_DIR/admin.key")
rayc-worker --head "$(<"$RAYC_STATE_DIR/head.address")" --num-cpus 4 --dir "$WORK/worker" \
    >"$WORK/worker.log" 2>&1 </dev/null &
BACKGROUND+=("$!")

export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=$TOKEN
RAY_ADDRESS_HTTP=$(<"$RAYC_STATE_DIR/head.http") RAYC_KILL_HEAD="bash $WORK/head.sh" \
    "$PY" -B "$(dirname "$0")/ray_jobs_test.py" "$@"
