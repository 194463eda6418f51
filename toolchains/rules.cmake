# How everything in the house is compiled and linked, and the three functions that declare it.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_SOURCE_DIR}/toolchains/ccache.sh ${CMAKE_SOURCE_DIR})
endif()

add_library(tripod_flags INTERFACE)
target_include_directories(tripod_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(tripod_flags INTERFACE
  -fno-exceptions -fno-rtti -ffile-prefix-map=${CMAKE_SOURCE_DIR}/= -ffunction-sections -fdata-sections
  -fno-semantic-interposition -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wold-style-cast
  -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-align -Wimplicit-fallthrough -Wswitch-enum
  -Wno-missing-field-initializers)
if(TRIPOD_WERROR)
  target_compile_options(tripod_flags INTERFACE -Werror)
endif()
target_link_options(tripod_flags INTERFACE -Wl,--gc-sections)

if(TRIPOD_SANITIZE)
  # Sanitizers need a dynamic libc; the binary names the sysroot's loader, for the host's glibc is older.
  target_compile_options(tripod_flags INTERFACE
    -O0 -gline-tables-only -fno-omit-frame-pointer -fsanitize=${TRIPOD_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(tripod_flags INTERFACE
    -fsanitize=${TRIPOD_SANITIZE}
    -Wl,--dynamic-linker=${CMAKE_SYSROOT}/lib64/ld-linux-x86-64.so.2
    -Wl,-rpath,${CMAKE_SYSROOT}/usr/lib/x86_64-linux-gnu)
elseif(TRIPOD_COVERAGE)
  target_compile_options(tripod_flags INTERFACE -fprofile-instr-generate -fcoverage-mapping)
  target_link_options(tripod_flags INTERFACE -fprofile-instr-generate -static)
else()
  target_compile_options(tripod_flags INTERFACE -O2 -g0)
  target_link_options(tripod_flags INTERFACE -static)
endif()

# The standard library, parsed once per build.
if(NOT EXISTS ${CMAKE_BINARY_DIR}/pch/anchor.cpp)  # a new date would compile everything again
  file(WRITE ${CMAKE_BINARY_DIR}/pch/anchor.cpp "")
endif()
add_library(tripod_pch STATIC ${CMAKE_BINARY_DIR}/pch/anchor.cpp)
target_link_libraries(tripod_pch PRIVATE tripod_flags)
target_compile_options(tripod_pch PRIVATE -Xclang -fno-pch-timestamp)
target_precompile_headers(tripod_pch PRIVATE
  <algorithm> <array> <charconv> <chrono> <coroutine> <cstdint> <deque> <expected> <format> <functional> <map>
  <memory> <optional> <set> <span> <string> <string_view> <unordered_map> <utility> <variant> <vector>)

# tripod_library(NAME SOURCES file... DEPS target...): the static library tripod_NAME of one folder.
# The DEPS edges are the dependency diagram of the house; tests/lint holds them.
function(tripod_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_library(tripod_${name} STATIC ${arg_SOURCES})
  target_link_libraries(tripod_${name} PUBLIC tripod_flags ${arg_DEPS})
  target_compile_options(tripod_${name} PRIVATE -Xclang -fno-pch-timestamp)
  target_precompile_headers(tripod_${name} REUSE_FROM tripod_pch)
endfunction()

# tripod_program(NAME SOURCES file... DEPS target...): an executable, stripped when it is the product.
function(tripod_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE tripod_flags ${arg_DEPS})
  target_compile_options(${name} PRIVATE -Xclang -fno-pch-timestamp)
  target_precompile_headers(${name} REUSE_FROM tripod_pch)
  if(NOT TRIPOD_SANITIZE AND NOT TRIPOD_COVERAGE)
    target_link_options(${name} PRIVATE -s)
  endif()
endfunction()

# tripod_test(NAME LABEL label SOURCES file... DEPS target...): a GoogleTest program, one ctest entry per program.
function(tripod_test name)
  cmake_parse_arguments(arg "" "LABEL" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE tripod_flags ${arg_DEPS} dep_gtest)
  target_compile_options(${name} PRIVATE -Xclang -fno-pch-timestamp -Wno-global-constructors)
  target_precompile_headers(${name} REUSE_FROM tripod_pch)
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABEL}" TIMEOUT 600)
endfunction()
