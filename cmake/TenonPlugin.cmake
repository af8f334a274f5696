# tenon_add_plugin(NAME [TEST] SOURCE...) builds tenon_plugin_NAME.so; it sees the SDK and no more, and
# exports the one symbol tenon_plugin_main. The same function serves this tree and, after
# find_package(tenon), any other. TEST plugins go into test-plugins/ and are never installed. Target
# tenon_plugins stands for them all.
include(GNUInstallDirs)
set(TENON_PLUGIN_MAP ${CMAKE_CURRENT_LIST_DIR}/plugin.map)

function(tenon_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TEST" "" "")
  set(target tenon_plugin_${name})
  add_library(${target} MODULE ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(${target} PRIVATE tenon::sdk)
  target_compile_features(${target} PRIVATE cxx_std_20)
  target_compile_options(${target} PRIVATE -ffp-contract=off -fno-math-errno)
  target_link_options(${target} PRIVATE LINKER:--version-script=${TENON_PLUGIN_MAP})
  set_target_properties(${target} PROPERTIES
    PREFIX ""
    C_VISIBILITY_PRESET hidden
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON
    LINK_DEPENDS ${TENON_PLUGIN_MAP}
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib/tenon/plugins)
  if(NOT TARGET tenon_plugins)
    add_custom_target(tenon_plugins)
  endif()
  add_dependencies(tenon_plugins ${target})
  if(arg_TEST)
    set_target_properties(${target} PROPERTIES
      LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/test-plugins)
  else()
    install(TARGETS ${target} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/tenon/plugins)
  endif()
endfunction()
