#pragma once
// The boot slots of this machine: which one runs, by the firmware's word; the partition of the
// other, written piece by piece, synced and read back; autoboot.txt. Calls block.

#include <memory>
#include <string>

#include "platform/base/sha256.h"
#include "platform/boards/disk/block_devices.h"
#include "platform/boards/system/files.h"
#include "platform/boards/update/boot_choice.h"
#include "platform/boards/update/update_record.h"

namespace tripod::boards {

/// By the kernel's command line (tripod.slot=, tripod.tried=, of emulators), else by what a
/// Raspberry Pi's firmware leaves in the device tree (/chosen/bootloader), and autoboot.txt in
/// `boot_folder`.
BootFacts boot_facts(const std::string& boot_folder);

Result<BootChoice> read_boot_choice(const std::string& boot_folder);
/// In its place, synced. `boot_folder` is writable.
Result<> write_boot_choice(const std::string& boot_folder, const BootChoice& choice);

/// The partition with that number on the disk that holds the partition labelled `boot_label`.
Result<BlockDevice> slot_device(std::string_view boot_label, int partition);

class SlotWriter {
 public:
  /// Fails with `no_space` when the partition is smaller than the image.
  static Result<SlotWriter> open(const BlockDevice& device, std::uint64_t image_bytes);

  /// The next piece; it is on the disk when this returns.
  Result<> append(BytesView piece);
  /// Reads everything back from the disk and returns its SHA-256, in hexadecimal digits.
  Result<std::string> read_back();
  std::uint64_t written() const { return written_; }

 private:
  SlotWriter(Descriptor device, std::string node, std::uint64_t image_bytes)
      : device_(std::move(device)), node_(std::move(node)), image_bytes_(image_bytes) {}

  Descriptor device_;
  std::string node_;
  std::uint64_t image_bytes_;
  std::uint64_t written_ = 0;
};

}  // namespace tripod::boards
