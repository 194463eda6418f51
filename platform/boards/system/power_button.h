#pragma once
// The power button of a board, where the kernel shows one as an input device. Loop thread only.

#include <functional>
#include <memory>
#include <vector>

#include "platform/boards/system/files.h"
#include "platform/linux/loop.h"

namespace tripod::boards {

class PowerButton {
 public:
  /// Watches every input device that is there now; `pressed` is called once a press.
  PowerButton(linux_os::Loop& loop, std::function<void()> pressed);
  std::size_t devices() const { return watches_.size(); }

 private:
  void read(int device);

  std::function<void()> pressed_;
  std::vector<Descriptor> devices_;
  std::vector<std::unique_ptr<os::Operation>> watches_;  // after the descriptors: they end first
};

}  // namespace tripod::boards
