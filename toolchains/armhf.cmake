set(tripod_debian_arch armhf)
set(tripod_triple arm-linux-gnueabihf)
set(CMAKE_SYSTEM_PROCESSOR armv7)
# Debian's armhf baseline. Its libraries are built with 64-bit time, and their headers change layout with it.
set(tripod_target_flags "-march=armv7-a -mfpu=vfpv3-d16 -D_TIME_BITS=64 -D_FILE_OFFSET_BITS=64")
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")
