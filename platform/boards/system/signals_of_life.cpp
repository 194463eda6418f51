#include "platform/boards/system/signals_of_life.h"

#include "platform/boards/system/files.h"

namespace tripod::boards {
namespace {

constexpr std::string_view others[] = {"mmc",      "eth",     "lan",       "wlan",
                                       "capslock", "numlock", "scrolllock"};

bool is_ours(std::string_view name) {
  return std::ranges::none_of(others, [&](std::string_view other) { return name.contains(other); });
}

}  // namespace

void show_light(const std::string& sysfs, Light light) {
  const std::string folder = sysfs + "/class/leds";
  for (const std::string& name : names_in(folder)) {
    if (!is_ours(name)) continue;
    const std::string led = std::format("{}/{}", folder, name);
    if (light == Light::steady) {
      std::ignore = write_text(led + "/trigger", "none");
      std::ignore = write_text(led + "/brightness", "255");
      continue;
    }
    const std::string half_ms = light == Light::slow ? "500" : "100";
    std::ignore = write_text(led + "/trigger", "timer");
    std::ignore = write_text(led + "/delay_on", half_ms);
    std::ignore = write_text(led + "/delay_off", half_ms);
  }
}

}  // namespace tripod::boards
