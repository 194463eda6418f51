#pragma once
// File systems of a board without an init system. Calls block; for process 1.

#include <string>
#include <vector>

#include "platform/base/result.h"

namespace tripod::boards {

/// /dev, /proc, /sys, /run, /tmp and, where the kernel has them, /sys/fs/cgroup and /sys/fs/pstore.
/// Mounted ones are left alone. Fails when one of the first five cannot be.
Result<> mount_kernel_file_systems();

struct Mount {
  std::string device;
  std::string point;
  std::string type;
  bool read_only = false;
  std::string options;  // of the file system
};

/// Makes the mount point, too.
Result<> mount(const Mount& mount);
Result<> unmount(const std::string& point);
/// For what could not be unmounted: no more writes, and what was written is on the disk.
Result<> make_read_only(const std::string& point);

Result<> make_writable(const std::string& point);
/// Everything in a folder, and in folders below on the same file system, but not the folder itself.
Result<> remove_contents(const std::string& folder);

/// Loads /modules/NNN-name.ko, sorted by name, which is the order they need one another in. One
/// that is loaded or built in already is no error; what fails is named in the answer, and the
/// others are loaded.
std::vector<std::string> load_modules(const std::string& folder);

}  // namespace tripod::boards
