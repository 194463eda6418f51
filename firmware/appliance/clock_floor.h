#pragma once
// The latest moment that is known to have passed, on a board whose clock may say 1970: the image's
// build, the time that was saved last, the beginning of each certificate on the board. The clock is
// set to it at boot, so that certificates are valid before any time server was asked: without that,
// boards without a battery could not speak to one another to begin with.

#include <string>

#include "platform/base/time.h"
#include "platform/os/storage.h"

namespace tripod::appliance {

struct FloorSources {
  std::string board_file;    // "/board.ini" of the image: [build] epoch
  std::string saved_file;    // what save_time() wrote
  std::string certificates;  // folder of *.crt, one level of folders below it
};

/// 1970 when nothing is known. What cannot be read counts as unknown.
WallTime clock_floor(os::Storage& storage, const FloorSources& sources);

Result<> save_time(os::Storage& storage, const std::string& saved_file, WallTime now);

}  // namespace tripod::appliance
