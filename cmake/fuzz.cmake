# The libFuzzer targets, for the preset `fuzz` (clang).  scripts/fuzz builds and runs them.
if(RAYC_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "RAYC_FUZZ needs clang: use the preset fuzz")
  endif()
  # What each target is made of, beside proto and common: compiled again, so that the fuzzer sees their branches.
  set(fuzz_values_sources client/values.c client/failure.c)
  set(fuzz_body_sources worker/command.c)
  set(fuzz_elf_sources client/cli/elf.c)
  set(fuzz_report_sources client/report_line.c client/metrics.c)
  set(fuzz_spec_sources ${tune_sources})
  set(fuzz_step_sources ${core_sources} head/turn.c head/turn_frames.c head/rows.c head/schema.c head/store.c head/store_sync.c
                        head/store_restore.c)
  foreach(name decode canary values body elf report spec step)
    add_executable(fuzz_${name} tests/fuzz/${name}.c ${fuzz_${name}_sources} ${proto_sources} ${common_sources})
    target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    target_link_libraries(fuzz_${name} PRIVATE PkgConfig::msgpack PkgConfig::libsodium PkgConfig::libzmq
                                               PkgConfig::libczmq PkgConfig::sqlite3 PkgConfig::yaml01
                                               PkgConfig::jansson Threads::Threads m)
    list(APPEND fuzz_targets fuzz_${name})
  endforeach()
  add_executable(fuzz_seeds tests/fuzz/seeds.c)
  target_link_libraries(fuzz_seeds PRIVATE rayc_proto)
  add_custom_target(fuzz DEPENDS ${fuzz_targets} fuzz_seeds)
endif()
