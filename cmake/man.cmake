# Manual pages, if they are wanted and scdoc is there: the programs print their tables, scripts/man makes pages of them and of docs/man.
find_program(SCDOC scdoc)
if(RAYC_MAN AND SCDOC)
  file(GLOB man_sources CONFIGURE_DEPENDS docs/man/*.scd)
  add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/man.made
    COMMAND bash ${CMAKE_SOURCE_DIR}/scripts/man $<TARGET_FILE_DIR:rayc> ${CMAKE_BINARY_DIR}/man
    COMMAND ${CMAKE_COMMAND} -E touch ${CMAKE_BINARY_DIR}/man.made
    DEPENDS rayc rayc-head rayc-worker ${man_sources} scripts/man VERBATIM)
  add_custom_target(man ALL DEPENDS ${CMAKE_BINARY_DIR}/man.made)
  install(DIRECTORY ${CMAKE_BINARY_DIR}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR})
endif()
