#pragma once
// INI files as written: sections, keys, values and where each stands. What keys exist and what they
// mean is the reader's business (schema.h).

#include <string>
#include <string_view>
#include <vector>

#include "platform/base/bytes.h"
#include "platform/base/result.h"

namespace tripod::ini {

inline constexpr int line_bytes_max = 4096;
inline constexpr std::size_t file_bytes_max = 1 << 20;

/// Where a value comes from: a line of a file, or a command-line argument (line 0).
struct Origin {
  std::string file;
  int line = 0;

  /// "tripod.ini:12", or "--etcd.name" for an argument.
  std::string to_string() const;
};

struct Entry {
  std::string section;
  std::string key;
  std::string value;
  Origin origin;
};

/// Entries in the order of the file. Fails with `invalid`, naming file and line, on a line that is
/// neither a section, a key nor a comment, and on one that is too long.
Result<std::vector<Entry>> parse(BytesView text, const std::string& file);

/// "--etcd.name=board-1" as an entry.
Result<Entry> parse_argument(std::string_view argument);

}  // namespace tripod::ini
