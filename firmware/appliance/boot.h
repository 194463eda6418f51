#pragma once
// The first steps of process 1, before there is a loop: file systems, modules, partitions,
// randomness, configuration. Whatever goes wrong becomes a text for the person in front of the
// board; the board then waits instead of booting again and again.

#include <optional>
#include <string>
#include <string_view>

#include "firmware/node/board_settings.h"
#include "firmware/node/config.h"
#include "platform/base/log.h"
#include "platform/os/storage.h"

namespace tripod::appliance {

inline constexpr std::string_view boot_label = "TRIPOD-BOOT";
inline constexpr const char* boot_folder = "/boot";
inline constexpr const char* data_folder = "/var/lib/tripod";
inline constexpr const char* configuration_file = "/boot/tripod.ini";
inline constexpr const char* state_folder = "/var/lib/tripod/board";  // what process 1 keeps
inline constexpr const char* saved_time_file = "/var/lib/tripod/board/last-time";

enum class DataState : std::uint8_t { absent, read_only, writable };

struct Booted {
  std::string board;  // "raspberry-pi-4", as the kernel's command line says
  DataState data = DataState::absent;
  std::optional<node::Config> config;  // none when it is wrong; then `problem` says how
  node::BoardSettings settings;
  WallTime clock_floor;  // no time server may say an earlier time
  std::string problem;   // empty: the server may be started
};

/// "tripod: phase data 1.234" on the console: how far the boot has come, in seconds since the
/// kernel started.
void say_phase(std::string_view name);
/// One line, or several, on the console, as they are.
void say(std::string_view text);

/// Mounts what the kernel has and speaks on the console from then on; the first thing of all.
Result<> open_console();

/// Everything up to the network.
Booted boot(os::Storage& storage, Result<> mounted, const Logger& log);

}  // namespace tripod::appliance
