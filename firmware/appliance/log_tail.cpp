#include "firmware/appliance/log_tail.h"

#include <ranges>

namespace tripod::appliance {

void LogTail::add(std::string_view bytes, const std::function<void(std::string_view)>& line) {
  for (char c : bytes) {
    if (c == '\n') {
      keep(line);
      continue;
    }
    open_ += c;
    if (open_.size() >= line_bytes_max) keep(line);
  }
}

void LogTail::keep(const std::function<void(std::string_view)>& line) {
  line(open_);
  lines_.push_back(std::move(open_));
  open_.clear();
  if (lines_.size() > lines_max) lines_.pop_front();
}

std::string LogTail::text() const {
  std::string out;
  for (const std::string& line : lines_) {
    out += line;
    out += '\n';
  }
  if (!open_.empty()) out += open_ + '\n';
  return out;
}

std::string LogTail::last_of(std::span<const std::string_view> beginnings) const {
  for (std::string_view line : lines_ | std::views::reverse) {
    for (std::string_view beginning : beginnings) {
      if (line.starts_with(beginning)) return std::string(line.substr(beginning.size()));
    }
  }
  return "";
}

void LogTail::clear() {
  lines_.clear();
  open_.clear();
}

}  // namespace tripod::appliance
