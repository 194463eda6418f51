#include "firmware/appliance/clock_floor.h"

#include <algorithm>
#include <charconv>

#include "platform/ini/document.h"
#include "platform/pki/authority.h"

namespace tripod::appliance {
namespace {

constexpr std::size_t certificate_bytes_max = 64 * 1024;
constexpr std::size_t saved_bytes_max = 64;

WallTime saved_time(os::Storage& storage, const std::string& file) {
  auto text = storage.read_file(file, saved_bytes_max);
  if (!text) return {};
  return parse_rfc3339(std::string_view(*text).substr(0, text->find('\n'))).value_or(WallTime());
}

WallTime latest_beginning(os::Storage& storage, const std::string& folder, int depth) {
  WallTime latest{};
  auto names = storage.list(folder);
  if (!names) return latest;
  for (const std::string& name : *names) {
    if (name == "." || name == "..") continue;
    const std::string path = folder + "/" + name;
    if (!name.ends_with(".crt")) {
      if (depth > 0) latest = std::max(latest, latest_beginning(storage, path, depth - 1));
      continue;
    }
    auto pem = storage.read_file(path, certificate_bytes_max);
    if (!pem) continue;
    if (auto facts = pki::describe(*pem)) latest = std::max(latest, facts->not_before);
  }
  return latest;
}

}  // namespace

WallTime image_build_time(os::Storage& storage, const std::string& board_file) {
  auto text = storage.read_file(board_file, ini::file_bytes_max);
  if (!text) return {};
  auto entries = ini::parse(*text, board_file);
  if (!entries) return {};
  for (const ini::Entry& entry : *entries) {
    if (entry.section != "build" || entry.key != "epoch") continue;
    std::int64_t seconds = 0;
    std::from_chars(entry.value.data(), entry.value.data() + entry.value.size(), seconds);
    return WallTime(std::chrono::seconds(seconds));
  }
  return {};
}

WallTime clock_floor(os::Storage& storage, const FloorSources& sources) {
  return std::max(image_build_time(storage, sources.board_file),
                  latest_beginning(storage, sources.certificates, 1));
}

WallTime clock_start(os::Storage& storage, const FloorSources& sources) {
  return std::max(clock_floor(storage, sources), saved_time(storage, sources.saved_file));
}

Result<> save_time(os::Storage& storage, const std::string& saved_file, WallTime now) {
  return storage.replace_file(saved_file, to_rfc3339(now) + "\n", 0600);
}

}  // namespace tripod::appliance
