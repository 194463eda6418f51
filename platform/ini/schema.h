#pragma once
// What an INI file may say: a table of keys with type, default and bounds, and a reader that turns
// entries into typed values or says, for every entry at once, where it stands, what was wrong and
// what would be accepted.
//
//   constexpr ini::Key keys[] = {{"etcd", "heartbeat-interval", ini::Kind::integer, "100", 10,
//   10000}, ...}; auto values = ini::read(keys, entries); int heartbeat_ms =
//   values->integer("etcd", "heartbeat-interval");

#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/time.h"
#include "platform/ini/document.h"
#include "platform/os/network.h"

namespace tripod::ini {

enum class Kind : std::uint8_t {
  text,       // anything; `accepts` may list what, separated by '|'
  name,       // letters, digits, '-', '.'; at most 253
  boolean,    // true or false
  integer,    // min to max
  duration,   // Go's form: 10s, 1m30s, 100ms; min to max in milliseconds
  address,    // IP:port
  ip,         // an IP address
  cidr,       // an IP address and a prefix length, as 10.96.0.0/16
  addresses,  // IP:port, ...
  url,        // http://IP:port or https://IP:port
  urls,       // url, ...
  path,       // absolute, or relative to the file's folder
  list,       // items separated by ','; `accepts` may list which
};

struct Key {
  std::string_view section;
  std::string_view key;
  Kind kind = Kind::text;
  std::string_view fallback;  // the default, in the file's own form; empty means "not set"
  std::int64_t min = 0;
  std::int64_t max = INT64_MAX;
  std::string_view accepts;
};

struct Url {
  bool tls = false;
  os::Address address;

  std::string to_string() const;
};

/// The values of a whole file, defaults filled in. Asking for a key that is not in the table, or
/// with another kind, is a bug and CHECKs.
class Values {
 public:
  /// True when a file or argument set the key.
  bool is_set(std::string_view section, std::string_view key) const;
  bool has_section(std::string_view section) const;
  /// Where the value stands, for errors that the reader finds later: "tripod.ini:12: [etcd] name =
  /// \"x\"".
  std::string where(std::string_view section, std::string_view key) const;

  const std::string& text(std::string_view section, std::string_view key) const;
  bool boolean(std::string_view section, std::string_view key) const;
  std::int64_t integer(std::string_view section, std::string_view key) const;
  std::chrono::milliseconds duration(std::string_view section, std::string_view key) const;
  os::Address address(std::string_view section, std::string_view key) const;
  std::vector<os::Address> addresses(std::string_view section, std::string_view key) const;
  std::vector<Url> urls(std::string_view section, std::string_view key) const;
  std::vector<std::string> list(std::string_view section, std::string_view key) const;

 private:
  friend class Reader;
  struct Value {
    Key key;
    std::string text;
    Origin origin;
    bool set = false;
  };
  const Value& find(std::string_view section, std::string_view key) const;

  std::map<std::pair<std::string, std::string>, Value, std::less<>> values_;
};

/// Later entries of arguments replace those of files; two of one file are an error. On failure the
/// message holds one line per problem.
Result<Values> read(std::span<const Key> keys, std::span<const Entry> entries);

Result<std::chrono::milliseconds> parse_duration(std::string_view text);
Result<Url> parse_url(std::string_view text);
/// "a, b" -> {"a", "b"}; empty items are dropped.
std::vector<std::string> split_list(std::string_view text);

}  // namespace tripod::ini
