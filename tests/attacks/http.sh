#!/usr/bin/env bash
# http: requests that break the rules of the head's HTTP port: without a token, for another name, from another site's
# page, for paths that lead out, as two requests in one; too slow ones; and texts that somebody could take for code.
# usage: http.sh BUILD-FOLDER
# shellcheck source=tests/attacks/lib.sh disable=SC2016,SC2119
. "$(dirname "$0")/lib.sh" "$1"

mkdir "$WORK/jobs-run-here" && cd "$WORK/jobs-run-here" || exit 1
start_head --http-host-name rayc.example --http-host-name other.example
admin=$(token_in "$RAYC_STATE_DIR/admin.key")
start_worker one "$RAYC_STATE_DIR/worker.key"

attack_http no_token "$admin"
[[ -z $(sql "SELECT * FROM job") ]] || fail "row 1: a job was made"
pass 1 "without a token 401, always in the same words, and no job"

attack_http hosts "$admin"
pass 9 "a Host that is a stranger's name: 421 for every method; addresses, localhost and names of --http-host-name pass"

attack_http cross_site "$admin"
[[ -z $(sql "SELECT * FROM job") ]] || fail "row 10: a job was made"
pass 10 "from another site's page 403; no cookie is taken or set"

attack_http user_agents "$admin"
pass 11 "User-Agent decides nothing"

# What the head opens meanwhile: nothing outside of its folder, of files that are none of a library's.
expect 0 rayc submit --submission-id kept -- true
if ((EUID == 0)); then # nobody else may trace a head
    strace -f -qq -e trace=%file -p "$HEAD" -o "$WORK/opened" &
    tracer=$!
    BACKGROUND+=("$tracer")
    wait_until 20 grep -q '^TracerPid:[[:space:]]*[1-9]' "/proc/$HEAD/status"
    attack_http paths "$admin"
    expect 0 rayc job logs kept # this is seen, so the trace works
    kill -INT "$tracer"
    wait "$tracer"
    grep -q "$RAYC_STATE_DIR" "$WORK/opened" || fail "row 12: strace saw nothing"
else
    note "not root: what row 12 opens is not traced"
    attack_http paths "$admin"
    : >"$WORK/opened"
fi
# Of each call its name and path; what is resumed after a switch of threads was seen when it began.
sed -nE 's/^[0-9]+ +([a-z0-9_]+)\([^"]*"([^"]*)".*/\1 \2/p' "$WORK/opened" >"$WORK/paths"
! grep -E '\.\.|passwd|%2e|etc/' "$WORK/paths" >"$WORK/err" || fail "row 12: the head looked at these"
! grep '^open' "$WORK/paths" | grep -vE " ($RAYC_STATE_DIR|/proc|/sys|/usr|/lib|/dev)" >"$WORK/err" ||
    fail "row 12: the head opened these"
pass 12 "a path that leads out is no path: 404, and no file is opened"

attack_http fields "$admin"
# The worker says in its log what is wrong with the archive: the name of a file in it.
wait_until 30 grep -q 'package.*forged log line' "$WORK/one.log"
expect 0 rayc job list
! grep -q $'[\x01-\x09\x0b-\x1f]' "$WORK/out" || fail "row 14: the command prints control characters"
grep -q $'\u202e' "$WORK/out" && fail "row 14: the command prints a change of direction"
! grep -q '^forged' "$WORK/out" "$WORK/head.log" "$WORK/one.log" || fail "row 14: a line was forged"
! grep -q $'\x1b' "$WORK/head.log" "$WORK/one.log" || fail "row 14: an escape sequence is in the log"
pass 14 "markup, escape sequences and line ends are text: escaped in JSON, in logs and by the command"

[[ -z $(find "$WORK" -name OWNED) ]] || fail "row 15: a text was run"
for binary in bin/rayc bin/rayc-head bin/rayc-worker lib/librayc.so; do
    nm -D --undefined-only "$BUILD/$binary" >"$WORK/out" || fail "row 15: $binary cannot be read"
    ! grep -wE 'system|popen|wordexp' "$WORK/out" || fail "row 15: $binary"
done
pass 15 "no text reaches a shell that was not said to be a command: system() and popen() are in no binary"

jobs=$(sql "SELECT count(*) FROM job")
attack_http urls "$admin"
[[ $(sql "SELECT count(*) FROM job") == "$jobs" ]] || fail "row 16: a job was made, whose files somebody may yet fetch"
pass 16 "a URL in a field is fetched by nobody"

attack_http slow "$admin" 1000
expect 0 rayc submit -- true
pass 21 "a thousand connections that drip, heads or bodies, are cut; the head serves others meanwhile"

jobs=$(sql "SELECT count(*) FROM job")
attack_http smuggled "$admin"
[[ $(sql "SELECT count(*) FROM job") == "$jobs" ]] || fail "row 22: a job was made or deleted"
pass 22 "what could be two requests is refused, and its connection closed"

for table in job task user token; do
    sql "SELECT 1 FROM $table LIMIT 1" >/dev/null || fail "row 30: the table $table is gone"
done
[[ $(sql "SELECT count(*) FROM job WHERE metadata LIKE '%DROP TABLE%'") -gt 0 ]] || fail "row 30: the text was not kept"
expect 0 rayc user add "sql" --role user
expect 2 rayc user add "x' OR 1=1 --" --role user
expect 3 rayc job get "x' OR '1'='1"
expect 0 rayc job list --filter "name=x' OR '1'='1" -o json
[[ $(json total) == 0 || $(json 'items[0]') == "" ]] || fail "row 30: a filter is SQL"
pass 30 "SQL in a field is text: only bound parameters"
