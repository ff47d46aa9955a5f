#!/usr/bin/env bash
# What a package leaves out is what git leaves out: random folders and rules, each path asked of both.
set -euo pipefail
build=$1
seeds=${2:-40}
command -v git >/dev/null || { echo "ignore: needs git" >&2; exit 1; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export GIT_CONFIG_NOSYSTEM=1 HOME=$dir XDG_CONFIG_HOME=$dir LC_ALL=C

git init -q --template= "$dir"
hidden=0
for ((seed = 1; seed <= seeds; seed++)); do
    "$build/tests/packed" make "$seed" "$dir/$seed"
    "$build/tests/packed" all "$dir/$seed" | sort >"$dir/all"
    git -C "$dir/$seed" -c core.quotePath=false check-ignore --no-index -z --stdin \
        < <(tr '\n' '\0' <"$dir/all") 2>/dev/null | tr '\0' '\n' | sort >"$dir/git" || true
    "$build/tests/packed" hidden "$dir/$seed" | sort >"$dir/ours"
    if ! diff "$dir/git" "$dir/ours" >"$dir/diff"; then
        echo "seed $seed: < git alone leaves out, > rayc alone:" >&2
        head -20 "$dir/diff" >&2
        path=$(sed -n 's/^[<>] //p' "$dir/diff" | head -1)
        while [[ $path == */* ]]; do
            path=${path%/*}
            echo "$path/.gitignore:" >&2
            cat -A "$dir/$seed/$path/.gitignore" >&2 2>/dev/null || true
        done
        cat -A "$dir/$seed/.gitignore" >&2
        exit 1
    fi
    hidden=$((hidden + $(wc -l <"$dir/ours")))
    rm -rf "${dir:?}/$seed"
done
[[ $hidden -gt 1000 ]] || { echo "only $hidden paths were left out in all" >&2; exit 1; }
echo "ignore: $seeds folders, $hidden paths left out"
