// The document model keeps one value per key, so duplicates are found in the text itself.

#include <format>
#include <set>

#include "platform/json/json.h"

namespace tripod::json {

namespace {

/// A walk over text that is known to be a JSON document no deeper than the parser allowed.
class DuplicateScan {
 public:
  DuplicateScan(std::string_view text, std::size_t count_max)
      : text_(text), count_max_(count_max) {}

  std::vector<std::string> run() {
    value("");
    return std::move(found_);
  }

 private:
  char peek() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").contains(text_[at_])) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  bool done() const { return at_ >= text_.size() || found_.size() >= count_max_; }

  /// The raw text between the quotes; keys that differ only in escapes count as different.
  std::string_view string() {
    const std::size_t start = ++at_;
    while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    const std::size_t end = std::min(at_, text_.size());
    ++at_;
    return text_.substr(start, end - start);
  }

  void object(const std::string& path) {
    std::set<std::string_view> seen;
    ++at_;
    while (!done() && peek() == '"') {
      const std::string_view key = string();
      std::string here = path.empty() ? std::string(key) : std::format("{}.{}", path, key);
      if (!seen.insert(key).second) found_.push_back(here);
      if (peek() == ':') ++at_;
      value(here);
      if (peek() == ',') ++at_;
    }
    if (peek() == '}') ++at_;
  }

  void array(const std::string& path) {
    ++at_;
    for (std::size_t index = 0; !done() && peek() != ']'; ++index) {
      value(std::format("{}[{}]", path, index));
      if (peek() == ',') ++at_;
    }
    if (at_ < text_.size()) ++at_;
  }

  void value(const std::string& path) {
    if (done()) return;
    switch (peek()) {
      case '{': object(path); return;
      case '[': array(path); return;
      case '"': string(); return;
      default:
        while (at_ < text_.size() && !std::string_view(",]} \t\r\n").contains(text_[at_])) ++at_;
    }
  }

  std::string_view text_;
  std::size_t count_max_;
  std::size_t at_ = 0;
  std::vector<std::string> found_;
};

}  // namespace

std::vector<std::string> find_duplicates(BytesView text, std::size_t count_max) {
  return DuplicateScan(text, count_max).run();
}

}  // namespace tripod::json
