# The libraries the house stands on, from the sysroot, always the static archive. One dep_NAME target each;
# only the one platform/ folder that wraps a library links its target.

function(tripod_dependency name)
  add_library(dep_${name} INTERFACE)
  foreach(archive ${ARGN})
    find_library(archive_${archive} NAMES lib${archive}.a REQUIRED)
    target_link_libraries(dep_${name} INTERFACE ${archive_${archive}})
  endforeach()
endfunction()

tripod_dependency(uv uv)
tripod_dependency(mbedtls mbedtls mbedx509 mbedcrypto)
tripod_dependency(sqlite sqlite3)
tripod_dependency(inih inih)
tripod_dependency(nghttp2 nghttp2)
tripod_dependency(llhttp llhttp)
tripod_dependency(boost_json boost_json boost_container)
tripod_dependency(zlib z)
target_compile_definitions(dep_boost_json INTERFACE BOOST_JSON_STATIC_LINK BOOST_NO_RTTI)
target_link_libraries(dep_sqlite INTERFACE m)
if(TRIPOD_TESTS)
  tripod_dependency(gtest gmock gtest_main gtest)
endif()
