#include "platform/boards/disk/superblock.h"

#include "platform/boards/disk/little_endian.h"

namespace tripod::boards {
namespace {

constexpr std::size_t ext4_offset = 1024;
constexpr std::uint16_t ext4_magic = 0xef53;
constexpr std::uint32_t ext4_incompat_64bit = 0x80;
constexpr std::uint16_t ext4_state_errors = 2;

/// Up to the first NUL, without trailing blanks.
std::string label_of(BytesView field) {
  field = field.substr(0, field.find('\0'));
  while (field.ends_with(' ')) field.remove_suffix(1);
  return std::string(field);
}

std::optional<FileSystem> identify_ext4(BytesView head) {
  if (head.size() < superblock_bytes) return std::nullopt;
  BytesView block = head.substr(ext4_offset);
  if (read_le<std::uint16_t>(block, 0x38) != ext4_magic) return std::nullopt;
  auto block_shift = read_le<std::uint32_t>(block, 0x18);
  if (block_shift > 6) return std::nullopt;  // 64 KiB is the largest
  std::uint64_t blocks = read_le<std::uint32_t>(block, 0x4);
  if ((read_le<std::uint32_t>(block, 0x60) & ext4_incompat_64bit) != 0) {
    blocks |= std::uint64_t{read_le<std::uint32_t>(block, 0x150)} << 32;
  }
  return FileSystem{.kind = FileSystemKind::ext4,
                    .label = label_of(block.substr(0x78, 16)),
                    .size_bytes = blocks * (std::uint64_t{1024} << block_shift),
                    .has_errors = (read_le<std::uint16_t>(block, 0x3a) & ext4_state_errors) != 0};
}

std::optional<FileSystem> identify_fat(BytesView head) {
  if (head.size() < 512 || read_le<std::uint16_t>(head, 510) != 0xaa55) return std::nullopt;
  std::uint64_t sectors = read_le<std::uint16_t>(head, 19);
  if (sectors == 0) sectors = read_le<std::uint32_t>(head, 32);
  std::uint64_t size_bytes = sectors * read_le<std::uint16_t>(head, 11);
  constexpr char extended_signature = 0x29;
  if (head.substr(82, 5) == "FAT32" && head[66] == extended_signature) {
    return FileSystem{.label = label_of(head.substr(71, 11)), .size_bytes = size_bytes};
  }
  if ((head.substr(54, 5) == "FAT16" || head.substr(54, 5) == "FAT12") &&
      head[38] == extended_signature) {
    return FileSystem{.label = label_of(head.substr(43, 11)), .size_bytes = size_bytes};
  }
  return std::nullopt;
}

}  // namespace

std::optional<FileSystem> identify(BytesView head) {
  if (auto ext4 = identify_ext4(head)) return ext4;
  return identify_fat(head);
}

}  // namespace tripod::boards
