#!/usr/bin/env bash
# examples: those of tasks and actors do what examples/README.md says, and it names all that there are.
# usage: examples.sh BUILD-FOLDER
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"
EXAMPLES=$(dirname "$0")/../../examples

for file in "$EXAMPLES"/*.c "$EXAMPLES"/*.yaml; do
    grep -qF "\`$(basename "$file")\`" "$EXAMPLES/README.md" || fail "examples/README.md does not name $(basename "$file")"
done

note "tree"
expect 0 "$BUILD/examples/tree"
same out "64 leaves"

note "actors"
expect 0 "$BUILD/examples/actors"
same out "y = 3.00 x + 1.00 after 800 steps"

note "monte_carlo_pi: its progress is shown while it runs, and rises"
expect 0 "$BUILD/examples/monte_carlo_pi" 4 50000000
sed -n 's/ *\([0-9]*\) % thrown/\1/p' "$WORK/out" >"$WORK/progress"
sort -nc "$WORK/progress" || fail "the progress falls"
[[ $(tail -n 1 "$WORK/progress") == 100 ]] || fail "not all darts are counted"
has out "pi is about 3.14"
expect 2 "$BUILD/examples/monte_carlo_pi" 0
has err usage
