#pragma once
// Which file system a partition holds and what it is called, from its first bytes. Pure. FAT12,
// FAT16 and FAT32 (Microsoft's fatgen103: BS_VolLab) and ext2 to ext4 (the kernel's ext4 "Super
// Block" document) are known.

#include <optional>
#include <string>

#include "platform/base/bytes.h"

namespace tripod::boards {

enum class FileSystemKind : std::uint8_t { vfat, ext4 };

struct FileSystem {
  FileSystemKind kind = FileSystemKind::vfat;
  std::string label;
  std::uint64_t size_bytes = 0;  // what the superblock says
  bool has_errors = false;       // ext4: the kernel found damage and nobody repaired it
};

/// How much of a partition identify() wants to see.
inline constexpr std::size_t superblock_bytes = 2048;

/// Nothing when it is neither, or `head` is too short to tell.
std::optional<FileSystem> identify(BytesView head);

}  // namespace tripod::boards
