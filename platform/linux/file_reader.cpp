#include "platform/linux/file_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <format>

#include "platform/linux/uv_handle.h"

namespace tripod::linux_os {
namespace {

class Reader final : public os::FileReader {
 public:
  Reader(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  ~Reader() override { ::close(descriptor_); }

  Result<> measure() {
    struct stat status{};
    if (::fstat(descriptor_, &status) != 0) return failed();
    if (!S_ISREG(status.st_mode)) {
      return fail(ErrorCode::invalid, std::format("reading {}: not a regular file", path_));
    }
    size_bytes_ = static_cast<std::uint64_t>(status.st_size);
    return {};
  }
  std::uint64_t size_bytes() const override { return size_bytes_; }
  Result<Bytes> read(std::size_t bytes_max) override {
    Bytes piece(bytes_max, '\0');
    std::size_t filled = 0;
    while (filled < bytes_max) {
      const ssize_t size = ::read(descriptor_, piece.data() + filled, bytes_max - filled);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return failed();
      if (size == 0) break;
      filled += static_cast<std::size_t>(size);
    }
    piece.resize(filled);
    return piece;
  }

 private:
  std::unexpected<Error> failed() const {
    return std::unexpected(uv_error(-errno, "reading " + path_));
  }

  int descriptor_;
  std::string path_;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace

Result<std::unique_ptr<os::FileReader>> open_file(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return std::unexpected(uv_error(-errno, "reading " + path));
  auto reader = std::make_unique<Reader>(descriptor, path);
  if (auto measured = reader->measure(); !measured) return std::unexpected(measured.error());
  return reader;
}

}  // namespace tripod::linux_os
