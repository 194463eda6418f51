#include "platform/boards/update/slot_device.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <charconv>

#include "platform/boards/system/machine_state.h"

namespace tripod::boards {
namespace {

constexpr const char* firmware_folder = "/proc/device-tree/chosen/bootloader";
constexpr std::size_t read_bytes = 1 << 20;

std::string choice_file(const std::string& boot_folder) {
  return boot_folder + "/autoboot.txt";
}

int number_argument(std::string_view name) {
  const std::string text = kernel_argument(name);
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// A property of one cell, big-endian.
int firmware_property(std::string_view name) {
  auto bytes = read_text(std::format("{}/{}", firmware_folder, name), 4);
  if (!bytes || bytes->size() != 4) return 0;
  unsigned value = 0;
  for (char c : *bytes) value = value << 8 | static_cast<unsigned char>(c);
  return static_cast<int>(value);
}

}  // namespace

BootFacts boot_facts(const std::string& boot_folder) {
  BootFacts facts{.partition = number_argument("tripod.slot"),
                  .tried = number_argument("tripod.tried") != 0};
  if (facts.partition == 0) {
    facts.partition = firmware_property("partition");
    facts.tried = firmware_property("tryboot") != 0;
  }
  if (facts.partition != slot_a_partition && facts.partition != slot_b_partition) {
    facts.partition = 0;
  }
  if (auto choice = read_boot_choice(boot_folder)) facts.rule = choice->rule;
  return facts;
}

Result<BootChoice> read_boot_choice(const std::string& boot_folder) {
  auto text = read_text(choice_file(boot_folder), boot_choice_bytes_max);
  if (!text) return std::unexpected(text.error());
  auto choice = decode_boot_choice(*text);
  if (!choice) {
    return fail(ErrorCode::unsupported,
                "autoboot.txt on the boot partition is not as tools/image writes it, so this board "
                "keeps its hands off it");
  }
  return *choice;
}

Result<> write_boot_choice(const std::string& boot_folder, const BootChoice& choice) {
  auto before = read_boot_choice(boot_folder);
  if (!before) return std::unexpected(before.error());
  auto file = open_file(choice_file(boot_folder), O_WRONLY);
  if (!file) return std::unexpected(file.error());
  if (auto done = write_at(file->get(), 0, encode_boot_choice(choice)); !done) return done;
  if (::fsync(file->get()) != 0) return os_failure("syncing autoboot.txt");
  return {};
}

Result<BlockDevice> slot_device(std::string_view boot_label, int partition) {
  auto boot = find_labelled(FileSystemKind::vfat, boot_label, std::chrono::milliseconds(0));
  if (!boot) return boot;
  for (const BlockDevice& device : block_devices("/sys")) {
    if (device.disk == boot->disk && device.partition == partition) return device;
  }
  return fail(
      ErrorCode::not_found,
      std::format("the disk {} has no partition {}; expected two boot slots, as tools/image "
                  "makes them",
                  boot->disk, partition));
}

Result<SlotWriter> SlotWriter::open(const BlockDevice& device, std::uint64_t image_bytes) {
  if (image_bytes > device.size_sectors * 512) {
    return fail(ErrorCode::no_space,
                std::format("the image has {} bytes; the partition {} has room for {}", image_bytes,
                            device.name, device.size_sectors * 512));
  }
  // Exclusive: a partition that is mounted is no slot to write.
  auto file = open_file(device.node(), O_RDWR | O_EXCL);
  if (!file) return std::unexpected(file.error());
  return SlotWriter(std::move(*file), device.node(), image_bytes);
}

Result<> SlotWriter::append(BytesView piece) {
  if (piece.size() > image_bytes_ - written_) {
    return fail(ErrorCode::too_large, "more bytes than the image has");
  }
  if (auto done = write_at(device_.get(), written_, piece); !done) return done;
  // Piece by piece, so that the card's other user, the member's log, never waits for long.
  if (::fdatasync(device_.get()) != 0) return os_failure(std::format("syncing {}", node_));
  written_ += piece.size();
  return {};
}

Result<std::string> SlotWriter::read_back() {
  if (::fsync(device_.get()) != 0) return os_failure(std::format("syncing {}", node_));
  if (::ioctl(device_.get(), BLKFLSBUF, 0) != 0) {
    return os_failure(std::format("dropping what is cached of {}", node_));
  }
  Sha256 hash;
  for (std::uint64_t at = 0; at < written_;) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(read_bytes, written_ - at));
    auto bytes = read_at(device_.get(), at, size);
    if (!bytes) return std::unexpected(bytes.error());
    hash.update(*bytes);
    at += size;
  }
  return to_hex(hash.finish());
}

}  // namespace tripod::boards
