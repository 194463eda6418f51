// A file becomes entries, each with the line it stands on, and those values, or an error that names
// the place.

#include <algorithm>

#include "platform/base/check.h"
#include "platform/ini/document.h"
#include "platform/ini/schema.h"

namespace {

using namespace tripod;

constexpr ini::Key keys[] = {
    {"etcd", "name", ini::Kind::name, "default"},
    {"etcd", "data-dir", ini::Kind::path, "/var/lib"},
    {"etcd", "heartbeat-interval", ini::Kind::integer, "100", 10, 10000},
    {"etcd", "listen-peer-urls", ini::Kind::urls, ""},
    {"node", "address", ini::Kind::address, ""},
    {"node", "cidr", ini::Kind::cidr, "10.96.0.0/16"},
    {"node", "patience", ini::Kind::duration, "10s", 1, 100000},
    {"node", "addresses", ini::Kind::addresses, ""},
    {"node", "roles", ini::Kind::list, "", 0, 0, "a|b|c"},
    {"node", "quiet", ini::Kind::boolean, "false"},
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const BytesView text(reinterpret_cast<const char*>(data), size);
  (void)ini::parse_argument(text);
  auto entries = ini::parse(text, "fuzz.ini");
  if (!entries) {
    CHECK(!entries.error().message.empty());
    return 0;
  }
  const auto lines = std::ranges::count(text, '\n') + 1;
  for (const ini::Entry& entry : *entries) {
    CHECK(entry.origin.line >= 1 && entry.origin.line <= lines);
  }
  auto values = ini::read(keys, *entries);
  if (!values) {
    CHECK(!values.error().message.empty());
    return 0;
  }
  const std::int64_t interval = values->integer("etcd", "heartbeat-interval");
  CHECK(interval >= 10 && interval <= 10000);
  (void)values->urls("etcd", "listen-peer-urls");
  (void)values->addresses("node", "addresses");
  (void)values->duration("node", "patience");
  return 0;
}
