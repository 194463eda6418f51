#pragma once
// What the server tells process 1 once a second from its loop, and what process 1 makes of it. The
// text is pure; the pipe is that of child.h. One line: "STATE TEXT", where STATE says whether the
// board itself is to blame.

#include <optional>
#include <string>
#include <string_view>

#include "platform/base/time.h"

namespace tripod::boards {

enum class Health : std::uint8_t {
  starting,  // its roles are not all there yet; may be silent for long, for it reads its files
  ready,     // serves
  waiting,   // does not, for want of other boards or of time: a reboot would not help
  sick,      // does not, though everything it needs is there
};

struct Heartbeat {
  Health health = Health::starting;
  std::string text;  // for people: "leader board-2", "etcd has no leader"

  friend bool operator==(const Heartbeat&, const Heartbeat&) = default;
};

inline constexpr std::size_t heartbeat_bytes_max = 512;
inline constexpr Duration heartbeat_interval = std::chrono::seconds(1);

/// One line, with its end.
std::string encode_heartbeat(const Heartbeat& heartbeat);
/// Of one line without its end.
std::optional<Heartbeat> decode_heartbeat(std::string_view line);

/// Writes one to process 1. False when nobody listens (any longer).
bool send_heartbeat(int descriptor, const Heartbeat& heartbeat);

}  // namespace tripod::boards
