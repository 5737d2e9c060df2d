# Fails when LIBRARY does not export a function listed in SYMBOLS.
execute_process(COMMAND ${NM} -D --defined-only ${LIBRARY} OUTPUT_VARIABLE listing COMMAND_ERROR_IS_FATAL ANY)
file(STRINGS ${SYMBOLS} names)
foreach(name IN LISTS names)
  # a version, if there is one, follows the name
  if(NOT listing MATCHES " [TW] ${name}(@@?[^\n]*)?\n")
    list(APPEND missing ${name})
  endif()
endforeach()
if(missing)
  message(FATAL_ERROR "${LIBRARY} does not export ${missing}")
endif()
list(LENGTH names count)
message(STATUS "${count} functions exported")
