# Unit tests are found by name: tests/unit/NAME_test.c is the test NAME, one cmocka program each.
pkg_check_modules(cmocka REQUIRED IMPORTED_TARGET cmocka)
file(GLOB unit_tests CONFIGURE_DEPENDS tests/unit/*_test.c)
foreach(source ${unit_tests})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE rayc_head rayc_worker rayc_static $<$<TARGET_EXISTS:rayc_tune>:rayc_tune> PkgConfig::cmocka)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 120 LABELS unit)
endforeach()

# Programs that system tests run as drivers.
file(GLOB system_programs CONFIGURE_DEPENDS tests/system/*.c)
foreach(source ${system_programs})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE rayc_shared)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endforeach()

# System tests run real processes: tests/system/NAME.sh, told where the build is.
file(GLOB system_tests CONFIGURE_DEPENDS tests/system/*.sh)
foreach(source ${system_tests})
  get_filename_component(name ${source} NAME_WE)
  if(NOT name STREQUAL "lib")
    add_test(NAME system_${name} COMMAND bash ${source} ${CMAKE_BINARY_DIR})
    set_tests_properties(system_${name} PROPERTIES TIMEOUT 300 LABELS system)
  endif()
endforeach()

# Tests of programs: they run them from ../bin.
add_dependencies(trial_command_test rayc rayc-trial)
