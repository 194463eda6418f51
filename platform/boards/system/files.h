#pragma once
// Small whole files of the kernel (/proc, /sys) and of the board, read and written in one call, and
// the kernel's errors as Results. Nothing here is atomic or synced: what must survive a power cut
// goes through os::Storage::replace_file.

#include <string>
#include <string_view>
#include <vector>

#include "platform/base/bytes.h"
#include "platform/base/result.h"

namespace tripod::boards {

/// Owns one file descriptor; -1 when there is none.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() { reset(); }

  void reset();
  int get() const { return number_; }
  int release() { return std::exchange(number_, -1); }
  explicit operator bool() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

/// "mounting /boot: No such device", with the code that errno stands for.
Error os_error(int number, std::string_view doing);
/// The same for the errno of now.
[[nodiscard]] std::unexpected<Error> os_failure(std::string_view doing);

/// `flags` as for open(2); close-on-exec is added.
Result<Descriptor> open_file(const std::string& path, int flags, unsigned mode = 0600);
/// The first `bytes_max` bytes; those of /proc and /sys say nothing about their size beforehand.
Result<Bytes> read_text(const std::string& path, std::size_t bytes_max = 64 * 1024);
/// What a non-blocking pipe or device holds now, 16 KiB at most; fails with `closed` when no more
/// will come.
Result<Bytes> read_available(int descriptor);
/// One write(2), as /proc and /sys want it; creates the file where the file system lets it.
Result<> write_text(const std::string& path, std::string_view text);
/// Exactly `size` bytes at `offset`.
Result<Bytes> read_at(int descriptor, std::uint64_t offset, std::size_t size);
Result<> write_at(int descriptor, std::uint64_t offset, BytesView bytes);
/// Names in a folder, sorted; none when it is not there.
std::vector<std::string> names_in(const std::string& folder);
Result<> make_folders(const std::string& path, unsigned mode);

/// Without blanks and line ends on both sides.
std::string_view trimmed(std::string_view text);

}  // namespace tripod::boards
