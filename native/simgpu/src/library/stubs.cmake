# What the three libraries share: stand-ins for every listed symbol that has no implementation, and their file names.

# Generates a source with one weak function per line of the files in `lists`. The linker prefers an implementation where
# there is one, so the lists need no upkeep; what remains answers `code` and is logged once by name.
function(simgpu_stubs lists code_name code out_variable)
  set(stubs "")
  foreach(list IN LISTS lists)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${list})
    file(STRINGS ${list} names)
    foreach(name IN LISTS names)
      string(APPEND stubs "STUB(${name})\n")
    endforeach()
  endforeach()
  set(file ${CMAKE_CURRENT_BINARY_DIR}/stubs.cpp)
  configure_file(${CMAKE_CURRENT_FUNCTION_LIST_DIR}/stubs.cpp.in ${file} @ONLY)
  # a weak function and its implementation cannot be in one unit
  set_source_files_properties(${file} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  set(${out_variable} ${file} PARENT_SCOPE)
endfunction()

# Names the file lib<name>.so.<version>, without the usual chain of links, and collects it in lib/.
function(simgpu_soname target name version)
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME ${name}
    SUFFIX .so.${version}
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib
    BUILD_RPATH "$ORIGIN"
    INSTALL_RPATH "$ORIGIN"
    BUILD_WITH_INSTALL_RPATH TRUE
    LINK_FLAGS "-Wl,-soname,lib${name}.so.${version}")
endfunction()
