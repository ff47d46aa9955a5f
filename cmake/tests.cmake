# Unit tests are found by name: tests/unit/NAME_test.c is the test NAME, one cmocka program each.
pkg_check_modules(cmocka REQUIRED IMPORTED_TARGET cmocka)
file(GLOB unit_tests CONFIGURE_DEPENDS tests/unit/*_test.c)
foreach(source ${unit_tests})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE rayc_head rayc_worker rayc_static $<$<TARGET_EXISTS:rayc_tune>:rayc_tune> PkgConfig::cmocka)
  target_include_directories(${name} PRIVATE client) # examples say <rayc.h>
  target_compile_definitions(${name} PRIVATE TUNE_FILES="${CMAKE_SOURCE_DIR}/tests/tune"
    PEER_FILES="${CMAKE_SOURCE_DIR}/tests/peers")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 120 LABELS unit)
endforeach()

# What trial schedulers find on a learning curve: tests/tune/README.md.
add_executable(rayc-sched-sim tests/tune/sched_sim.c)
target_link_libraries(rayc-sched-sim PRIVATE rayc_tune)
set_target_properties(rayc-sched-sim PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

# Programs that system tests run as drivers.
file(GLOB system_programs CONFIGURE_DEPENDS tests/system/*.c tests/attacks/*.c)
foreach(source ${system_programs})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE rayc_shared)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endforeach()

# Loaded before libc, so that a disk hangs.
add_library(stalled_sync MODULE tests/system/preload/stalled_sync.c)
target_link_libraries(stalled_sync PRIVATE ${CMAKE_DL_LIBS})
set_target_properties(stalled_sync PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

# Scripts, told where the build is: tests/system and tests/attacks run real processes, tests/pods images, manifests and pods.
# What cannot run on this machine says why and ends with 77: skipped.  Only tests/pods may.
foreach(kind system attacks pods)
  file(GLOB scripts CONFIGURE_DEPENDS tests/${kind}/*.sh)
  foreach(source ${scripts})
    get_filename_component(name ${source} NAME_WE)
    if(NOT name STREQUAL "lib")
      add_test(NAME ${kind}_${name} COMMAND bash ${source} ${CMAKE_BINARY_DIR})
      set_tests_properties(${kind}_${name} PROPERTIES TIMEOUT 300 LABELS ${kind})
    endif()
    if(kind STREQUAL "pods" AND NOT name STREQUAL "lib")
      set_tests_properties(pods_${name} PROPERTIES SKIP_RETURN_CODE 77)
    endif()
  endforeach()
endforeach()

# Functions on which search algorithms are judged (tests/tune/judge); scripts/bench-tune runs rayc-judge.
add_library(tune_judged STATIC tests/tune/judge/functions.c tests/tune/judge/holdout.c)
target_link_libraries(tune_judged PUBLIC m)
target_compile_definitions(tune_judged PUBLIC JUDGE_DIR="${CMAKE_SOURCE_DIR}/tests/tune/judge")
target_link_libraries(tune_functions_test PRIVATE tune_judged)
target_link_libraries(tune_keep_test PRIVATE rayc_driver)
foreach(name cli command options parse table tune_open tune_view)
  target_sources(tune_cli_test PRIVATE client/cli/${name}.c)
endforeach()
if(TARGET rayc_tune)
  add_executable(rayc-judge tests/tune/judge/main.c tests/tune/judge/settings.c tests/tune/judge/study.c tests/tune/judge/eval.c)
  target_link_libraries(rayc-judge PRIVATE tune_judged rayc_tune)
endif()
find_program(PYTHON3 python3)
if(PYTHON3)
  add_test(NAME tune_stats COMMAND ${PYTHON3} -B ${CMAKE_SOURCE_DIR}/tests/tune/judge/stats_test.py)
  set_tests_properties(tune_stats PROPERTIES TIMEOUT 60 LABELS unit)
endif()
# Tests of programs: they run them from ../bin.
add_dependencies(trial_command_test rayc rayc-trial)
foreach(name archive_test packages_test unpack_test)
  add_dependencies(${name} rayc-unpack)
  target_link_libraries(${name} PRIVATE rayc_archive)
endforeach()
target_link_libraries(packed PRIVATE rayc_archive)
target_link_libraries(make_key PRIVATE rayc_common)
# Manual pages: every command, option, key and function is on one, and mandoc reads them all.
if(SCDOC)
  add_test(NAME man_pages COMMAND bash ${CMAKE_SOURCE_DIR}/scripts/man --check $<TARGET_FILE_DIR:rayc> ${CMAKE_BINARY_DIR}/man-checked)
  set_tests_properties(man_pages PROPERTIES TIMEOUT 60 LABELS unit)
endif()
