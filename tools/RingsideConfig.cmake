# find_package(Ringside): Ringside::ringside is the shared library, Ringside::ringside_static the archive
# (there only where libelf's and Zydis' development files are, which it needs to link).
include(${CMAKE_CURRENT_LIST_DIR}/RingsideTargets.cmake)
find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(ELF QUIET IMPORTED_TARGET libelf)
endif()
if(TARGET PkgConfig::ELF)
  include(${CMAKE_CURRENT_LIST_DIR}/RingsideStaticTargets.cmake)
endif()
