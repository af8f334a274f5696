# What `cmake --install` leaves beside the targets: headers and the package for find_package(tenon).
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tenon)
foreach(folder core plugins/sdk)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder}/include/tenon
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILES_MATCHING PATTERN "*.h" PATTERN "*.def")
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/plugins/sdk/share/tenon/plugin.json
  DESTINATION ${CMAKE_INSTALL_DATADIR}/tenon)

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/tenonConfig.cmake.in
  ${PROJECT_BINARY_DIR}/tenonConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/tenonConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/tenonConfig.cmake
  ${PROJECT_BINARY_DIR}/tenonConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/cmake/TenonPlugin.cmake
  ${PROJECT_SOURCE_DIR}/cmake/plugin.map
  DESTINATION ${package_dir})
install(EXPORT tenonTargets NAMESPACE tenon:: DESTINATION ${package_dir})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/NOTICE
  DESTINATION ${CMAKE_INSTALL_DOCDIR})
