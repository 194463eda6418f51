#include "platform/boards/supervise/heartbeat.h"

#include <unistd.h>

#include <cerrno>

namespace tripod::boards {
namespace {

constexpr std::pair<Health, std::string_view> names[] = {{Health::starting, "starting"},
                                                         {Health::ready, "ready"},
                                                         {Health::waiting, "waiting"},
                                                         {Health::sick, "sick"}};

}  // namespace

std::string encode_heartbeat(const Heartbeat& heartbeat) {
  std::string line;
  for (auto [health, name] : names) {
    if (health == heartbeat.health) line = name;
  }
  line += ' ';
  for (char c : heartbeat.text.substr(0, heartbeat_bytes_max - line.size() - 1)) {
    line += c == '\n' || c == '\r' ? ' ' : c;
  }
  return line + '\n';
}

std::optional<Heartbeat> decode_heartbeat(std::string_view line) {
  std::size_t blank = line.find(' ');
  if (blank == std::string_view::npos || line.size() > heartbeat_bytes_max) return std::nullopt;
  for (auto [health, name] : names) {
    if (line.substr(0, blank) == name)
      return Heartbeat{health, std::string(line.substr(blank + 1))};
  }
  return std::nullopt;
}

bool send_heartbeat(int descriptor, const Heartbeat& heartbeat) {
  const std::string line = encode_heartbeat(heartbeat);
  return ::write(descriptor, line.data(), line.size()) > 0 || errno == EAGAIN;
}

}  // namespace tripod::boards
