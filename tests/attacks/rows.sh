#!/usr/bin/env bash
# rows: every attack of the table in docs/security.md is tried by the test that the table names, and the other way round.
# usage: rows.sh BUILD-FOLDER
set -euo pipefail
cd "$(dirname "$0")"

told=$(sed -nE 's/^\| ([0-9]+) \|.*\(\.\.\/tests\/attacks\/([a-z]+\.sh)\) \|$/\2 \1/p' ../../docs/security.md | sort)
tried=$(grep -oE '^pass [0-9]+ ' ./*.sh | sed -E 's/^\.\/([a-z]+\.sh):pass ([0-9]+) $/\1 \2/' | sort)
[[ -n $told ]] || { echo "docs/security.md has no table of attacks" >&2 && exit 1; }
if [[ $told != "$tried" ]]; then
    echo "docs/security.md (<) and tests/attacks (>) differ:" >&2
    diff <(echo "$told") <(echo "$tried") >&2
    exit 1
fi
echo "$(wc -l <<<"$told") attacks"
