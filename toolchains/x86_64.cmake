set(tripod_debian_arch amd64)
set(tripod_triple x86_64-linux-gnu)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")
