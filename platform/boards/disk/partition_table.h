#pragma once
// Growing the last partition of a disk to the disk's end, as bytes to write. Pure. Knows MBR tables
// (primary partitions) and GPT (UEFI specification, chapter 5), whose second copy moves to the new
// end of the disk.

#include <vector>

#include "platform/base/bytes.h"
#include "platform/base/result.h"

namespace tripod::boards {

inline constexpr std::uint64_t sector_bytes = 512;

/// Bytes to write to the whole disk, in this order: a power cut in between leaves a table that
/// works.
struct DiskEdit {
  std::uint64_t offset = 0;
  Bytes bytes;
};

struct GrownPartition {
  std::uint64_t start_sectors = 0;
  std::uint64_t size_sectors = 0;
  std::vector<DiskEdit> edits;  // none: it reaches the end already
};

/// What of the disk's beginning grow() wants to see: MBR, GPT header and 128 entries.
inline constexpr std::size_t partition_table_bytes = 34 * sector_bytes;

/// `head` is the beginning of a disk of `disk_sectors`; `number` counts from 1. Ends are kept to
/// whole MiB, as partitioning tools do. Fails with `unsupported` when another partition comes
/// behind it, with `corrupt` when a GPT's checksum is wrong, with `not_found` when there is no such
/// partition.
Result<GrownPartition> grow(BytesView head, std::uint64_t disk_sectors, int number);

/// CRC-32 as GPT (and Ethernet, zip) has it.
std::uint32_t crc32(BytesView bytes);

}  // namespace tripod::boards
