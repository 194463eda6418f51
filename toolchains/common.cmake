# Shared by the toolchain files of all targets: clang 19 and lld 19 against a Debian 13 sysroot that
# `tools/sysroot ARCH` extracted. The host's own libraries are never used.
set(CMAKE_SYSTEM_NAME Linux)

if(DEFINED ENV{XDG_CACHE_HOME})
  set(tripod_cache "$ENV{XDG_CACHE_HOME}/tripod")
else()
  set(tripod_cache "$ENV{HOME}/.cache/tripod")
endif()
set(CMAKE_SYSROOT "${tripod_cache}/sysroot/${tripod_debian_arch}")
if(NOT EXISTS "${CMAKE_SYSROOT}/usr/lib/${tripod_triple}/libuv.a")
  message(FATAL_ERROR "no sysroot at ${CMAKE_SYSROOT}; run: tools/sysroot ${tripod_debian_arch}")
endif()

set(CMAKE_LIBRARY_ARCHITECTURE ${tripod_triple})

set(CMAKE_C_COMPILER clang-19)
set(CMAKE_CXX_COMPILER clang++-19)
set(CMAKE_AR llvm-ar-19)
set(CMAKE_RANLIB llvm-ranlib-19)
set(CMAKE_C_COMPILER_TARGET ${tripod_triple})
set(CMAKE_CXX_COMPILER_TARGET ${tripod_triple})
set(CMAKE_C_FLAGS_INIT "${tripod_target_flags}")
set(CMAKE_CXX_FLAGS_INIT "${tripod_target_flags}")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-fuse-ld=lld-19")
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)

set(CMAKE_FIND_ROOT_PATH "${CMAKE_SYSROOT}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
