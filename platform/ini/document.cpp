#include "platform/ini/document.h"

#include <ini.h>

#include <algorithm>
#include <cstring>
#include <format>

namespace tripod::ini {
namespace {

/// One parse under way: feeds inih line by line, so that the line of each entry is known.
struct Parse {
  BytesView rest;
  std::string file;
  int line = 0;
  int long_line = 0;  // the first line above line_bytes_max, or 0
  std::vector<Entry> entries;

  bool next_line(char* out, int capacity) {
    if (rest.empty()) return false;
    ++line;
    std::size_t end = rest.find('\n');
    std::size_t length = end == BytesView::npos ? rest.size() : end + 1;
    std::size_t fits = std::min(length, static_cast<std::size_t>(capacity) - 1);
    if (fits < length && long_line == 0) long_line = line;
    std::memcpy(out, rest.data(), fits);
    out[fits] = '\0';
    rest.remove_prefix(length);
    return true;
  }
};

char* read_line(char* out, int capacity, void* parse) {
  return static_cast<Parse*>(parse)->next_line(out, capacity) ? out : nullptr;
}

int keep_entry(void* user, const char* section, const char* key, const char* value) {
  auto* parse = static_cast<Parse*>(user);
  parse->entries.push_back({section, key, value, {parse->file, parse->line}});
  return 1;
}

}  // namespace

std::string Origin::to_string() const {
  return line == 0 ? file : std::format("{}:{}", file, line);
}

Result<std::vector<Entry>> parse(BytesView text, const std::string& file) {
  if (text.size() > file_bytes_max) {
    return fail(ErrorCode::too_large, std::format("{}: {} bytes; expected at most {}", file,
                                                  text.size(), file_bytes_max));
  }
  if (text.contains('\0')) {
    return fail(ErrorCode::invalid, std::format("{}: holds a zero byte; expected text", file));
  }
  ini_use_stack = false;
  ini_max_line = line_bytes_max;
  ini_initial_alloc = line_bytes_max;
  ini_allow_multiline = false;
  Parse state{text, file};
  int bad_line = ini_parse_stream(read_line, &state, keep_entry, &state);
  if (state.long_line > 0) {
    return fail(ErrorCode::too_large, std::format("{}:{}: line too long; expected at most {} bytes",
                                                  file, state.long_line, line_bytes_max));
  }
  if (bad_line != 0) {
    return fail(
        ErrorCode::invalid,
        std::format("{}:{}: expected \"[section]\", \"key = value\" or a comment", file, bad_line));
  }
  return std::move(state.entries);
}

Result<Entry> parse_argument(std::string_view argument) {
  std::size_t equals = argument.find('=');
  std::size_t dot = argument.find('.');
  if (!argument.starts_with("--") || equals == std::string_view::npos || dot > equals || dot == 2) {
    return fail(
        ErrorCode::invalid,
        std::format("\"{}\": expected --section.key=value, as --etcd.name=board-1", argument));
  }
  std::string_view name = argument.substr(0, equals);
  return Entry{std::string(name.substr(2, dot - 2)),
               std::string(name.substr(dot + 1)),
               std::string(argument.substr(equals + 1)),
               {std::string(name), 0}};
}

}  // namespace tripod::ini
