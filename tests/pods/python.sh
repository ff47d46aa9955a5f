#!/usr/bin/env bash
# python: the variant of the image with Python: a script is a job with its files, and a trial that reports.
# usage: python.sh BUILD-FOLDER
# It installs a small Debian from the network, which takes minutes: only with RAYC_LONG=1.
if [[ ${RAYC_LONG:-} != 1 ]]; then
    echo "python: skipped: it takes minutes, and the network (RAYC_LONG=1 runs it)"
    exit 77
fi
# shellcheck source=tests/pods/lib.sh
. "$(dirname "$0")/lib.sh" "$1"
command -v mmdebstrap >/dev/null || skip "no mmdebstrap (scripts/setup --test)"

note "the image"
podman rmi "$IMAGE" >"$WORK/out"
"$SOURCE/scripts/image" --python --build "$BUILD" --tag "$IMAGE" >"$WORK/image" 2>"$WORK/err" || fail "scripts/image --python"
read -r _ size _ <"$WORK/image"
((size <= 200000000)) || fail "the image has $size bytes"
echo "image with Python: $size bytes"
expect 0 podman run --rm --user 0 --entrypoint /bin/sh "$IMAGE" -c 'find / -xdev -perm /6000 -type f; cat /var/lib/apt/lists/*_Packages 2>/dev/null | head -n 1'
same out ""
expect 0 "${contained[@]}" "$IMAGE" python3 -c \
    'import os, ssl, sqlite3; print(os.getuid(), ssl.create_default_context().cert_store_stats()["x509_ca"] > 50)'
same out "10001 True"

note "a script with its files, as a job"
mkdir "$WORK/job"
echo "6 7" >"$WORK/job/numbers"
cat >"$WORK/job/main.py" <<'PYTHON'
import os
import sys

import helper

print(helper.product("numbers"), sys.argv[1], os.environ["RAYC_ATTEMPT"])
PYTHON
cat >"$WORK/job/helper.py" <<'PYTHON'
def product(path):
    a, b = open(path).read().split()
    return int(a) * int(b)
PYTHON
chmod -R go=u,go-w "$WORK" # uid 10001 is to read them
job=("${contained[@]}" --tmpfs /tmp -v "$WORK/job:/job:ro" "$IMAGE")
expect 0 "${job[@]}" submit --working-dir /job -- python3 main.py hello
same out "42 hello 1"
expect 3 "${job[@]}" submit -- python3 -c 'import sys; sys.exit(3)'

note "a script as a trial"
cat >"$WORK/job/trial.py" <<'PYTHON'
import subprocess
import sys

x = float(sys.argv[1])
for epoch in range(3):
    subprocess.run(["rayc", "report", f"loss={(x - 2) ** 2 + 1 / (epoch + 1)}", f"epoch={epoch}"], check=True)
PYTHON
printf 'metric: loss\nmode: min\nspace:\n  x: {grid: [0, 1, 2]}\nsearch: {algo: grid}\n' >"$WORK/job/search.yaml"
expect 0 "${job[@]}" rayc tune --space /job/search.yaml -- python3 /job/trial.py '{x}'
has out "best: trial 2, loss = 0.333"
