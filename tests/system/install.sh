#!/usr/bin/env bash
# install: what is installed is enough for a user's own project, built with pkg-config and with CMake.
# usage: install.sh BUILD-FOLDER
set -euo pipefail

build=$(realpath "$1")
source=$(realpath "$(dirname "$0")/../..")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
cmake --install "$build" --prefix "$prefix" >"$work/install.log"

libdir=$(dirname "$(find "$prefix" -name librayc.so)")
export PKG_CONFIG_PATH=$libdir/pkgconfig LD_LIBRARY_PATH=$libdir PATH=$prefix/bin:$PATH
export RAYC_STATE_DIR=$work/state
unset RAYC_ADDRESS
"$prefix/bin/rayc" version

if [[ $(type -p scdoc) ]]; then
    for page in man1/rayc.1 man1/rayc-submit.1 man3/rayc.3 man5/search.yaml.5 man7/rayc.7 man8/rayc-head.8 man8/rayc-worker.8; do
        test -s "$prefix/share/man/$page" || { echo "install: no $page" >&2; exit 1; }
    done
fi

# The examples' project, outside the tree: nothing but the installed files can help it.
cp -r "$source/examples/outside" "$work/outside"
programs=("$work/outside/hello.c")
read -ra flags < <(pkg-config --cflags --libs rayc)
cc -std=c11 -Wall -Wextra -Werror -o "$work/with-pkg-config" "${programs[@]}" "${flags[@]}"
"$work/with-pkg-config"

read -ra flags < <(pkg-config --cflags --libs --static rayc)
cc -std=c11 -Wall -Wextra -Werror -o "$work/static" "${programs[@]}" "${flags[@]/#-lrayc/-l:librayc.a}"
if ldd "$work/static" | grep librayc; then
    echo "install: the static program needs librayc.so" >&2
    exit 1
fi
"$work/static"

cmake -S "$work/outside" -B "$work/outside/build" >"$work/cmake.log"
cmake --build "$work/outside/build" >>"$work/cmake.log"
"$work/outside/build/hello"

# The CMake package.
mkdir "$work/package"
cat >"$work/package/CMakeLists.txt" <<'TEXT'
cmake_minimum_required(VERSION 3.22)
project(outside C)
find_package(rayc 0.1 REQUIRED CONFIG)
add_executable(hello ../outside/hello.c)
target_link_libraries(hello PRIVATE rayc::rayc)
TEXT
cmake -S "$work/package" -B "$work/package/build" -DCMAKE_PREFIX_PATH="$prefix" >>"$work/cmake.log"
cmake --build "$work/package/build" >>"$work/cmake.log"
"$work/package/build/hello"

# Installed examples are found by name, and run with nothing but PATH; searches with commands and with C tasks, too.
unset LD_LIBRARY_PATH PKG_CONFIG_PATH
"$prefix/bin/rayc" submit parallel_compute --tasks 4 --work-us 100
examples=$(dirname "$(find "$prefix" -name yolo_search.yaml)")
cd "$work"
for name in search yolo_search pbt tictactoe; do
    rayc tune --space "$examples/$name.yaml" --trials 2 -q
done
echo "install: ok"
