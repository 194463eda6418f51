#pragma once
// Files that are too large to hold in memory, read from their beginning on. Calls block; they are
// for commands and for lanes.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "platform/base/bytes.h"
#include "platform/base/result.h"

namespace tripod::os {

/// Destroying it closes the file.
class FileReader {
 public:
  virtual ~FileReader() = default;
  /// When it was opened.
  virtual std::uint64_t size_bytes() const = 0;
  /// The next bytes, `bytes_max` of them unless the file ends before; empty at its end.
  virtual Result<Bytes> read(std::size_t bytes_max) = 0;
};

/// How a file is opened; platform/linux/file_reader.h has the one of the file system.
using OpenFile = std::function<Result<std::unique_ptr<FileReader>>(const std::string& path)>;

}  // namespace tripod::os
