#include "platform/linux/file_storage.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <format>

#include "platform/linux/uv_handle.h"

namespace tripod::linux_os {
namespace {

/// errno as an Error. Call it before anything else may change errno.
std::unexpected<Error> failed(std::string_view doing, const std::string& path) {
  return std::unexpected(uv_error(-errno, std::format("{} {}", doing, path)));
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return number_; }
  bool open() const { return number_ >= 0; }

 private:
  int number_;
};

std::string parent_of(const std::string& path) {
  std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

Result<> write_all(int descriptor, BytesView content, const std::string& path) {
  while (!content.empty()) {
    ssize_t written = ::write(descriptor, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed("writing", path);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<> sync_folder_of(const std::string& path) {
  Descriptor folder(::open(parent_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.open() || ::fsync(folder.get()) != 0) return failed("syncing the folder of", path);
  return {};
}

class Writer final : public os::FileWriter {
 public:
  Writer(int descriptor, std::string path) : file_(descriptor), path_(std::move(path)) {}
  bool open() const { return file_.open(); }
  Result<> append(BytesView content) override { return write_all(file_.get(), content, path_); }
  Result<> sync() override {
    if (::fsync(file_.get()) != 0) return failed("syncing", path_);
    return {};
  }

 private:
  Descriptor file_;
  std::string path_;
};

}  // namespace

Result<Bytes> FileStorage::read_file(const std::string& path, std::size_t bytes_max) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.open()) return failed("reading", path);
  Bytes content;
  std::array<char, 16 * 1024> piece;
  while (true) {
    ssize_t size = ::read(file.get(), piece.data(), piece.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return failed("reading", path);
    if (size == 0) return content;
    content.append(piece.data(), static_cast<std::size_t>(size));
    if (content.size() > bytes_max) {
      return fail(ErrorCode::too_large,
                  std::format("reading {}: more than {} bytes", path, bytes_max));
    }
  }
}

Result<> FileStorage::replace_file(const std::string& path, BytesView content, unsigned mode) {
  std::string beside = path + ".new";
  {
    Descriptor file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
    if (!file.open()) return failed("writing", beside);
    if (auto written = write_all(file.get(), content, beside); !written) return written;
    if (::fsync(file.get()) != 0) return failed("syncing", beside);
  }
  if (::rename(beside.c_str(), path.c_str()) != 0) return failed("replacing", path);
  return sync_folder_of(path);
}

Result<std::unique_ptr<os::FileWriter>> FileStorage::create_file(const std::string& path,
                                                                 unsigned mode) {
  auto writer = std::make_unique<Writer>(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode), path);
  if (!writer->open()) return failed("writing", path);
  return writer;
}

Result<> FileStorage::rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return failed("renaming", from);
  return sync_folder_of(to);
}

Result<> FileStorage::make_directories(const std::string& path, unsigned mode) {
  for (std::size_t at = 1; at <= path.size(); ++at) {
    if (at < path.size() && path[at] != '/') continue;
    std::string prefix = path.substr(0, at);
    if (::mkdir(prefix.c_str(), mode) != 0 && errno != EEXIST)
      return failed("making folder", prefix);
  }
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return failed("making folder", path);
  if (!S_ISDIR(status.st_mode)) {
    return fail(ErrorCode::exists, std::format("making folder {}: a file is there", path));
  }
  return {};
}

Result<> FileStorage::remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return failed("removing", path);
  return {};
}

bool FileStorage::exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

Result<std::vector<std::string>> FileStorage::list(const std::string& path) {
  DIR* folder = ::opendir(path.c_str());
  if (folder == nullptr) return failed("listing", path);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(folder)) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  ::closedir(folder);
  std::ranges::sort(names);
  return names;
}

Result<std::uint64_t> FileStorage::free_bytes(const std::string& path) {
  struct statvfs status{};
  if (::statvfs(path.c_str(), &status) != 0) return failed("asking for the free space of", path);
  return std::uint64_t{status.f_bavail} * status.f_frsize;
}

}  // namespace tripod::linux_os
