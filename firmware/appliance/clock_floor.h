#pragma once
// The latest moments that are known to have passed, on a board whose clock may say 1970: the
// image's build, the beginning of each certificate on the board, the time that was saved last. The
// clock is set to it at boot, so that certificates are valid before any time server was asked:
// without that, boards without a battery could not speak to one another to begin with.
//
// The saved time came from time servers, which may have been wrong: the clock starts with it, but
// servers may correct it, back to the floor that the other two are.

#include <string>

#include "platform/base/time.h"
#include "platform/os/storage.h"

namespace tripod::appliance {

struct FloorSources {
  std::string board_file;    // "/board.ini" of the image: [build] epoch
  std::string saved_file;    // what save_time() wrote
  std::string certificates;  // folder of *.crt, one level of folders below it
};

/// Of a board file; 1970 when it does not say.
WallTime image_build_time(os::Storage& storage, const std::string& board_file);

/// No clock before it is right. 1970 when nothing is known; what cannot be read counts as unknown.
WallTime clock_floor(os::Storage& storage, const FloorSources& sources);
/// What a clock that is behind it begins with: the floor, or the saved time when that is later.
WallTime clock_start(os::Storage& storage, const FloorSources& sources);

Result<> save_time(os::Storage& storage, const std::string& saved_file, WallTime now);

}  // namespace tripod::appliance
