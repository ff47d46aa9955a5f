#!/usr/bin/env bash
# mistakes: what a program does wrong is told, at once and in words that say what would be right.
# usage: mistakes.sh BUILD-FOLDER
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh" "$1"

expect 0 rayc start --head --num-cpus 2 --port 0
expect 0 "$BUILD/tests/mistakes"
cp "$WORK/out" "$WORK/told"

# NAME, code of rayc.h, what the text says
while read -r name code text; do
    line=$(grep "^$name " "$WORK/told") || fail "$name was not told"
    [[ $line == "$name $code "*"$text"* ]] || fail "told: $line"
    sed -i "/^$name /d" "$WORK/told"
done <<'TABLE'
no_ref           -11 the reference is zero
unknown_ref      -11 the head knows no such task
dropped_ref      -11 the reference was dropped
index_of_none    -11 the reference was dropped
put_ref          -13 a reference cannot be put: it stands for a value already; wrap it in an array
arg_of_none      -11 the reference was dropped
nested_none      -13 argument 0 is a reference to nothing
get_nan          -13 the time-out is nan
get_negative     -13 the time-out is -3
cancel_none      -11 the reference is zero
cancel_how       -13 how is 77: it must be 0, RAYC_FORCE, RAYC_ALONE or both
broken_value     -13 the value is not one whole msgpack value
bad_utf8         -13 the value is not one whole msgpack value
buffer_huge      -7  4 GiB - 1 are the most
no_buffer        -13 there is no buffer: it was put or returned before
cpus_negative    -13 option cpus is -1: it must be a number from 0 on
cpus_nan         -13 option cpus is nan
cpus_infinite    -13 option cpus is inf
gpus_half        -13 over 1 it must be whole
retries          -13 option max_retries is -2
priority         -13 priority '101' must be from -100 to 100
resource_cpu     -13 'CPU' has an option of its own
returns          -13 option returns is 2000
no_defaults      -13 start from rayc_defaults()
wrong_kind       -33 task echo: argument 0 is a string, read as an integer
no_ref_arg       -33 argument 0 is an integer, read as a reference
no_actor_arg     -33 argument 0 is an integer, read as an actor
return_far       -30 it returns 1 value, and value 5 was set
save_in_task     -33 rayc_actor_save() is for methods of actors
no_method        -11 the actor is a loner, which has no method loner.fly
no_class         -36 the program has no RAYC_ACTOR(stranger): is it the same build?
no_actor         -13 the handle is zero
handle_of_none   -13 the handle is zero
name_taken       -12 an actor that is not dead has this name in this namespace
name_unknown     -11 no actor that is not dead has this name
name_null        -13 an actor is found by its name, which is empty
kill_none        -13 the handle is zero
actor_nan        -13 option cpus is nan
actor_memory     -13 option memory_bytes is 18446744073709551615: 2^60 is the most
no_group         -30 the actor has no concurrency group 'io'
call_retries     -13 option max_task_retries is -9
waits_for_itself -30 the actor waits for a call of itself
method_of_another -11 the actor is a loner, which has no method other.nothing
method_without_arg -33 task loner.ask_itself: argument 0 is read, but there are 0
constructor_without_arg -36 task other: argument 0 is read, but there are 0
cancel_call_by_force -13 a call of an actor cannot be cancelled with force: cancel it without, or kill the actor
call_of_killed   -36 RAY_KILL: it was killed
call_of_dropped  -11 the handle was dropped
constructor_waits -36 this would wait for ever: builder
task_exits       -31 its process ended with exit status 7 before the task did
init_in_task     -30 this process runs tasks: they can use rayc without rayc_init()
fork_of_task     -30 the child was told -16
init_twice       -12 rayc_init() was called before: a process has one cluster at a time
fork             -16 a fork of the one that called rayc_init(): it must call that, too
no_args          -33 task echo: argument 0 is read, but there are 0
args_null        -13 the list of arguments is NULL
function_null    -13 the function is NULL
refs_null        -13 there is no room for the references
string_null      -33 argument 0 is nil, read as an integer
bytes_null       -13 argument 0 has a size but no data
argv_empty       -13 argv is empty: its first string is the program to run
input_null       -13 its input has a size but no data
wait_null        -13 the list of references is NULL
get_all_null     -13 the list of references is NULL
free_null        -13 the list of references is NULL
history_null     -13 there is no function to tell the attempts to
put_buffer_null  -13 there is no buffer
before_init      -16 rayc_init() has not been called
after_shutdown   -16 rayc_init() has not been called, or rayc_shutdown() has
TABLE
[[ ! -s $WORK/told ]] || fail "not in the table: $(<"$WORK/told")"

note "who may not"
expect 0 rayc token create --role viewer --out "$WORK/viewer.key"
ADDRESS=$(<"$RAYC_STATE_DIR/head.address")
RAYC_ADDRESS=$ADDRESS RAYC_KEY_FILE=$WORK/viewer.key expect 1 "$BUILD/tests/mistakes"
has err "-19 a token of role VIEWER may not do this"
sed 's/"rayc_[^"]*"/"rayc_0000000000000000000000000000000000000000000"/' "$WORK/viewer.key" >"$WORK/wrong.key"
chmod 600 "$WORK/wrong.key"
RAYC_ADDRESS=$ADDRESS RAYC_KEY_FILE=$WORK/wrong.key expect 1 "$BUILD/tests/mistakes"
has err "-20 no token, or one that is unknown"

note "an option that there is not: the compiler says so"
printf '#include <rayc.h>\nrayc_options options = { .cpuss = 1 };\n' >"$WORK/unknown.c"
expect 1 cc -fsyntax-only -I "$(dirname "$0")/../../client" "$WORK/unknown.c"
has err "cpuss"
