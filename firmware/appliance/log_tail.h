#pragma once
// The last lines of a process's output, cut into lines as they come: for the console, and for the
// record of a crash. Pure and bounded.

#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace tripod::appliance {

class LogTail {
 public:
  static constexpr std::size_t lines_max = 60;
  static constexpr std::size_t line_bytes_max = 2048;

  /// Calls `line` for each line that became whole; longer ones come in pieces.
  void add(std::string_view bytes, const std::function<void(std::string_view)>& line);
  /// Oldest first; what has no end yet comes last.
  std::string text() const;
  /// The last whole line that begins with one of these, without that; empty if there is none.
  std::string last_of(std::span<const std::string_view> beginnings) const;
  void clear();

 private:
  void keep(const std::function<void(std::string_view)>& line);

  std::deque<std::string> lines_;
  std::string open_;
};

}  // namespace tripod::appliance
