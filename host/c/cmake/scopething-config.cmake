get_filename_component(_scopething_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(THREADS_PREFER_PTHREAD_FLAG ON)
include(CMakeFindDependencyMacro)
find_dependency(Threads)

if(NOT TARGET scopething::scopething)
  add_library(scopething::scopething SHARED IMPORTED)
  set_target_properties(scopething::scopething PROPERTIES
    IMPORTED_LOCATION "${_scopething_prefix}/lib/libscopething.so.@ABI@"
    IMPORTED_SONAME "libscopething.so.@ABI@"
    INTERFACE_INCLUDE_DIRECTORIES "${_scopething_prefix}/include")

  add_library(scopething::scopething_static STATIC IMPORTED)
  set_target_properties(scopething::scopething_static PROPERTIES
    IMPORTED_LOCATION "${_scopething_prefix}/lib/libscopething.a"
    INTERFACE_INCLUDE_DIRECTORIES "${_scopething_prefix}/include"
    INTERFACE_LINK_LIBRARIES "Threads::Threads;m;dl;gcc_s")
endif()
unset(_scopething_prefix)
