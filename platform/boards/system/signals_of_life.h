#pragma once
// What a board without a screen can say: its lights (/sys/class/leds), switched by the kernel so
// that a blinking one costs nothing.

#include <string>

namespace tripod::boards {

enum class Light : std::uint8_t {
  steady,  // all is well
  slow,    // one second: on the way
  fast,    // five a second: waits for a person
};

/// Every light of the board that is not a disk's or a network's. `sysfs` is "/sys" outside tests.
void show_light(const std::string& sysfs, Light light);

}  // namespace tripod::boards
