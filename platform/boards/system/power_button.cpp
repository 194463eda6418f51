#include "platform/boards/system/power_button.h"

#include <fcntl.h>
#include <linux/input.h>

#include <cstring>

namespace tripod::boards {

PowerButton::PowerButton(linux_os::Loop& loop, std::function<void()> pressed)
    : pressed_(std::move(pressed)) {
  for (const std::string& name : names_in("/dev/input")) {
    if (!name.starts_with("event")) continue;
    auto device = open_file("/dev/input/" + name, O_RDONLY | O_NONBLOCK);
    if (!device) continue;
    watches_.push_back(
        loop.on_readable(device->get(), [this, number = device->get()] { read(number); }));
    devices_.push_back(std::move(*device));
  }
}

void PowerButton::read(int device) {
  auto bytes = read_available(device);
  if (!bytes) return;
  BytesView rest = *bytes;
  while (rest.size() >= sizeof(input_event)) {
    input_event event{};
    std::memcpy(&event, rest.data(), sizeof(event));
    if (event.type == EV_KEY && event.code == KEY_POWER && event.value == 1) pressed_();
    rest.remove_prefix(sizeof(event));
  }
}

}  // namespace tripod::boards
