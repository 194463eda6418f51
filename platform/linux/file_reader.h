#pragma once
// os::FileReader on the file system. Calls block.

#include "platform/os/file_reader.h"

namespace tripod::linux_os {

/// Of a regular file.
Result<std::unique_ptr<os::FileReader>> open_file(const std::string& path);

}  // namespace tripod::linux_os
