#include "platform/boards/system/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace tripod::boards {
namespace {

ErrorCode code_of(int number) {
  switch (number) {
    case ENOENT:
    case ENODEV:
    case ENXIO: return ErrorCode::not_found;
    case EEXIST: return ErrorCode::exists;
    case EACCES:
    case EPERM:
    case EROFS: return ErrorCode::denied;
    case ENOSPC: return ErrorCode::no_space;
    case EBUSY: return ErrorCode::conflict;
    case EAGAIN:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN: return ErrorCode::unavailable;
    case EUCLEAN: return ErrorCode::corrupt;
    case EINVAL: return ErrorCode::invalid;
    case ENOSYS:
    case EOPNOTSUPP: return ErrorCode::unsupported;
    case ETIMEDOUT: return ErrorCode::timeout;
    case ECONNREFUSED: return ErrorCode::refused;
    default: return ErrorCode::io;
  }
}

}  // namespace

void Descriptor::reset() {
  if (number_ >= 0) ::close(number_);
  number_ = -1;
}

Error os_error(int number, std::string_view doing) {
  return {code_of(number), std::format("{}: {}", doing, strerror(number))};
}

std::unexpected<Error> os_failure(std::string_view doing) {
  return std::unexpected(os_error(errno, doing));
}

Result<Descriptor> open_file(const std::string& path, int flags, unsigned mode) {
  int number = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  if (number < 0) return os_failure(std::format("opening {}", path));
  return Descriptor(number);
}

Result<Bytes> read_text(const std::string& path, std::size_t bytes_max) {
  auto file = open_file(path, O_RDONLY);
  if (!file) return std::unexpected(file.error());
  Bytes text(bytes_max, '\0');
  std::size_t size = 0;
  while (size < bytes_max) {
    ssize_t got = ::read(file->get(), text.data() + size, bytes_max - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return os_failure(std::format("reading {}", path));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return text;
}

Result<Bytes> read_available(int descriptor) {
  Bytes bytes(16 * 1024, '\0');
  while (true) {
    ssize_t got = ::read(descriptor, bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno != EAGAIN) return os_failure("reading");
    if (got == 0) return fail(ErrorCode::closed, "closed");
    bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return bytes;
  }
}

Result<> write_text(const std::string& path, std::string_view text) {
  auto file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (!file) return std::unexpected(file.error());
  if (::write(file->get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return os_failure(std::format("writing {}", path));
  }
  return {};
}

Result<Bytes> read_at(int descriptor, std::uint64_t offset, std::size_t size) {
  Bytes bytes(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    ssize_t got =
        ::pread(descriptor, bytes.data() + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return os_failure(std::format("reading {} bytes at {}", size, offset));
    if (got == 0) return fail(ErrorCode::io, std::format("the device ends at {}", offset + done));
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

Result<> write_at(int descriptor, std::uint64_t offset, BytesView bytes) {
  while (!bytes.empty()) {
    ssize_t put = ::pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return os_failure(std::format("writing {} bytes at {}", bytes.size(), offset));
    bytes.remove_prefix(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  return {};
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  DIR* open = opendir(folder.c_str());
  if (open == nullptr) return names;
  while (const dirent* entry = readdir(open)) {
    std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  closedir(open);
  std::ranges::sort(names);
  return names;
}

Result<> make_folders(const std::string& path, unsigned mode) {
  for (std::size_t slash = 1; slash != std::string::npos;) {
    slash = path.find('/', slash + 1);
    std::string part = path.substr(0, slash);
    if (::mkdir(part.c_str(), mode) != 0 && errno != EEXIST) {
      return os_failure(std::format("making {}", part));
    }
  }
  return {};
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  std::size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

}  // namespace tripod::boards
