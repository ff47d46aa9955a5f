# The programs: what a user runs.  A part that has no main.c yet is left out.
file(GLOB client_sources CONFIGURE_DEPENDS client/*.c)
set(librayc_objects ${client_sources})
add_library(rayc_objects OBJECT ${client_sources})
target_link_libraries(rayc_objects PUBLIC rayc_proto PkgConfig::libzmq PkgConfig::libczmq PkgConfig::jansson)
target_compile_definitions(rayc_objects PRIVATE RAYC_BIN_DIR="${CMAKE_INSTALL_FULL_BINDIR}")

# librayc holds what it needs of common and proto, hidden: a user links -lrayc and nothing of ours else.
add_library(rayc_shared SHARED $<TARGET_OBJECTS:rayc_objects>)
target_link_libraries(rayc_shared PRIVATE rayc_proto PkgConfig::libzmq PkgConfig::libczmq PkgConfig::jansson)
target_link_options(rayc_shared PRIVATE -Wl,--exclude-libs,ALL)
set_target_properties(rayc_shared PROPERTIES OUTPUT_NAME rayc VERSION ${PROJECT_VERSION} SOVERSION 0)
target_include_directories(rayc_shared INTERFACE ${CMAKE_SOURCE_DIR}/client)
add_library(rayc_static STATIC $<TARGET_OBJECTS:rayc_objects> ${common_sources} ${proto_sources})
target_link_libraries(rayc_static PUBLIC PkgConfig::libzmq PkgConfig::libczmq PkgConfig::msgpack PkgConfig::libsodium PkgConfig::jansson Threads::Threads)
set_target_properties(rayc_static PROPERTIES OUTPUT_NAME rayc)

# What decides in `rayc tune`: pure, but for reading a file and memory.
file(GLOB tune_sources CONFIGURE_DEPENDS client/tune/*.c)
list(FILTER tune_sources EXCLUDE REGEX "/driver[^/]*$")
add_library(rayc_tune STATIC ${tune_sources})
target_link_libraries(rayc_tune PUBLIC rayc_proto PkgConfig::yaml01 PkgConfig::jansson m)
target_compile_options(rayc_tune PRIVATE $<$<NOT:$<CONFIG:Debug>>:-O3>)
# And its shell, which needs librayc.
file(GLOB driver_sources CONFIGURE_DEPENDS client/tune/driver*.c)
add_library(rayc_driver STATIC ${driver_sources})
target_link_libraries(rayc_driver PUBLIC rayc_tune rayc_objects)

add_executable(rayc-head head/main.c)
target_link_libraries(rayc-head PRIVATE rayc_head)
add_executable(rayc-worker worker/main.c)
target_link_libraries(rayc-worker PRIVATE rayc_worker)

# Reads archives of strangers, so that the worker need not.
add_executable(rayc-unpack worker/unpack/main.c worker/confine.c)
target_link_libraries(rayc-unpack PRIVATE rayc_common rayc_archive)

file(GLOB cli_sources CONFIGURE_DEPENDS client/cli/*.c client/cli/cmd/*.c)
add_executable(rayc ${cli_sources})
target_link_libraries(rayc PRIVATE rayc_driver rayc_archive)
target_compile_definitions(rayc PRIVATE RAYC_EXAMPLES_DIR="${CMAKE_INSTALL_FULL_LIBDIR}/rayc/examples")

# What runs a trial of `rayc tune` that is a command.  It goes to the workers as programs do, so it needs no librayc.
file(GLOB trial_sources CONFIGURE_DEPENDS client/trial/*.c)
add_executable(rayc-trial ${trial_sources})
target_link_libraries(rayc-trial PRIVATE rayc_objects PkgConfig::jansson)

file(GLOB bench_sources CONFIGURE_DEPENDS tests/bench/*.c)
add_executable(rayc-bench ${bench_sources})
target_link_libraries(rayc-bench PRIVATE rayc_driver rayc_worker)

# The simulator compiles the sources of head and worker core again, with its planted bugs behind a variable, and puts
# its disk between turn and store.
file(GLOB sim_sources CONFIGURE_DEPENDS tests/sim/*.c)
add_executable(rayc-sim ${sim_sources} ${core_sources} ${head_sources} ${worker_core_sources} worker/stock.c)
target_link_libraries(rayc-sim PRIVATE rayc_proto rayc_web PkgConfig::sqlite3 PkgConfig::libzmq PkgConfig::libczmq PkgConfig::jansson m)
target_compile_definitions(rayc-sim PRIVATE RAYC_SIM_BUGS="tests/sim/bugs.def")
target_link_options(rayc-sim PRIVATE -Wl,--wrap=store_apply,--wrap=store_sync,--wrap=store_synced,--wrap=ensure_failed)

file(GLOB example_sources CONFIGURE_DEPENDS examples/*.c)
foreach(source ${example_sources})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE rayc_static m)
  target_include_directories(${name} PRIVATE client)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/examples)
endforeach()
