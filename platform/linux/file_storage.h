#pragma once
// os::Storage on the file system. Calls block.

#include "platform/os/storage.h"

namespace tripod::linux_os {

class FileStorage final : public os::Storage {
 public:
  std::string vfs_name() const override { return ""; }
  Result<Bytes> read_file(const std::string& path, std::size_t bytes_max) override;
  Result<> replace_file(const std::string& path, BytesView content, unsigned mode) override;
  Result<std::unique_ptr<os::FileWriter>> create_file(const std::string& path,
                                                      unsigned mode) override;
  Result<> rename_file(const std::string& from, const std::string& to) override;
  Result<> make_directories(const std::string& path, unsigned mode) override;
  Result<> remove_file(const std::string& path) override;
  bool exists(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  Result<std::uint64_t> free_bytes(const std::string& path) override;
};

}  // namespace tripod::linux_os
