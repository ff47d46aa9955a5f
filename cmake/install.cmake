# `cmake --install BUILD --prefix P`: programs, librayc with its pkg-config file and CMake package, examples, docs.
include(CMakePackageConfigHelpers)

set(installed_programs rayc rayc-head rayc-worker rayc-unpack rayc-trial)
install(TARGETS ${installed_programs} RUNTIME)
install(TARGETS rayc_shared LIBRARY)
install(TARGETS rayc_static ARCHIVE)
install(FILES client/rayc.h TYPE INCLUDE)

set(example_targets ${example_sources})
list(TRANSFORM example_targets REPLACE "^.*/|[.]c$" "")

# Examples are programs for `rayc submit NAME`; their sources are for people.  They have librayc in them: a worker runs
# its own copy of a program, for which neither $ORIGIN nor the prefix of this build leads to the installed one.
if(example_targets)
  install(TARGETS ${example_targets} RUNTIME DESTINATION ${CMAKE_INSTALL_LIBDIR}/rayc/examples)
endif()
# What the above copies, and no test: for images.
add_custom_target(installed DEPENDS ${installed_programs} rayc_shared rayc_static ${example_targets})
install(DIRECTORY examples/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(FILES README.md ARCHITECTURE.md CHANGELOG.md LICENSE TYPE DOC)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs FILES_MATCHING PATTERN "*.md")

file(RELATIVE_PATH from_pkgconfig /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" from_pkgconfig ${from_pkgconfig})
configure_file(cmake/rayc.pc.in rayc.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/rayc.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/rayc)
configure_package_config_file(cmake/raycConfig.cmake.in raycConfig.cmake INSTALL_DESTINATION ${package_dir}
                              PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(raycConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/raycConfig.cmake ${CMAKE_BINARY_DIR}/raycConfigVersion.cmake DESTINATION ${package_dir})
