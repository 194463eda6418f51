#pragma once
// Files that people put on the boot partition for the board to keep: /boot/pki is copied to the
// data partition. A file is copied when it differs from what was dropped in last time, not from
// what is there now: a certificate that the board has renewed since is not undone by the old
// drop-in.

#include <string>
#include <vector>

#include "platform/os/storage.h"

namespace tripod::appliance {

struct DropIns {
  std::string from;    // "/boot/pki"
  std::string to;      // "/var/lib/tripod/pki"
  std::string record;  // the file that remembers what was copied
};

/// Returns the names of the files that were copied, relative to the folder. Fails on the first that
/// cannot be.
Result<std::vector<std::string>> copy_drop_ins(os::Storage& storage, const DropIns& drop_ins);

}  // namespace tripod::appliance
