#pragma once
// What is wrong with a configuration and with what it names: a line per problem, each once.

#include <algorithm>
#include <string>
#include <vector>

#include "platform/base/result.h"

namespace tripod::ini {

class Problems {
 public:
  /// One line, or several.
  void add(std::string_view text) {
    while (!text.empty()) {
      std::string line(text.substr(0, text.find('\n')));
      text.remove_prefix(std::min(text.size(), line.size() + 1));
      if (!std::ranges::contains(lines_, line)) lines_.push_back(std::move(line));
    }
  }
  bool any() const { return !lines_.empty(); }
  std::string text() const {
    std::string out;
    for (const std::string& line : lines_) out += (out.empty() ? "" : "\n") + line;
    return out;
  }
  std::unexpected<Error> error() const { return fail(ErrorCode::invalid, text()); }

 private:
  std::vector<std::string> lines_;
};

}  // namespace tripod::ini
