#include "platform/boards/disk/partition_table.h"

#include "platform/boards/disk/little_endian.h"

namespace tripod::boards {
namespace {

constexpr std::uint64_t align_sectors = (1 << 20) / sector_bytes;
constexpr std::size_t mbr_entries_offset = 446;
constexpr std::size_t mbr_entry_bytes = 16;
constexpr int mbr_entries = 4;
constexpr unsigned char mbr_protective = 0xee;
constexpr std::uint64_t mbr_sectors_max = 0xffff'ffff;

// GPT header fields.
constexpr std::size_t gpt_header_offset = sector_bytes;
constexpr std::size_t gpt_header_bytes_min = 92;
constexpr std::size_t gpt_crc = 16;
constexpr std::size_t gpt_this_lba = 24;
constexpr std::size_t gpt_other_lba = 32;
constexpr std::size_t gpt_last_usable = 48;
constexpr std::size_t gpt_entries_lba = 72;
constexpr std::size_t gpt_entries_crc = 88;

std::uint64_t aligned_down(std::uint64_t sectors) {
  return sectors / align_sectors * align_sectors;
}

std::unexpected<Error> no_partition(int number) {
  return fail(ErrorCode::not_found, std::format("the disk has no partition {}", number));
}

std::unexpected<Error> not_last(int number) {
  return fail(ErrorCode::unsupported,
              std::format("partition {} is not the last of its disk, so it cannot grow", number));
}

Result<GrownPartition> grow_mbr(BytesView head, std::uint64_t disk_sectors, int number) {
  if (number > mbr_entries) return no_partition(number);
  auto field = [&](int entry, std::size_t offset) -> std::uint64_t {
    return read_le<std::uint32_t>(
        head, mbr_entries_offset + static_cast<std::size_t>(entry) * mbr_entry_bytes + offset);
  };
  GrownPartition grown{.start_sectors = field(number - 1, 8),
                       .size_sectors = field(number - 1, 12)};
  if (grown.size_sectors == 0) return no_partition(number);
  for (int entry = 0; entry < mbr_entries; ++entry) {
    if (field(entry, 12) != 0 && field(entry, 8) > grown.start_sectors) return not_last(number);
  }
  std::uint64_t end = aligned_down(std::min(disk_sectors, mbr_sectors_max));
  if (end <= grown.start_sectors + grown.size_sectors) return grown;
  grown.size_sectors = end - grown.start_sectors;
  Bytes table(head.substr(0, sector_bytes));
  std::size_t entry = mbr_entries_offset + static_cast<std::size_t>(number - 1) * mbr_entry_bytes;
  // Ends beyond what cylinders, heads and sectors can say are written as the largest.
  table.replace(entry + 5, 3, "\xfe\xff\xff");
  write_le(table, entry + 12, static_cast<std::uint32_t>(grown.size_sectors));
  grown.edits.push_back({0, std::move(table)});
  return grown;
}

struct GptEntries {
  std::size_t count = 0;
  std::size_t entry_bytes = 0;
  Bytes bytes;
};

Result<GptEntries> gpt_entries(BytesView head, BytesView header) {
  auto header_bytes = read_le<std::uint32_t>(header, 12);
  if (header_bytes < gpt_header_bytes_min || header_bytes > sector_bytes) {
    return fail(ErrorCode::corrupt, "the GPT header has an impossible size");
  }
  Bytes checked(header.substr(0, header_bytes));
  write_le<std::uint32_t>(checked, gpt_crc, 0);
  if (crc32(checked) != read_le<std::uint32_t>(header, gpt_crc)) {
    return fail(ErrorCode::corrupt, "the GPT header fails its checksum");
  }
  GptEntries entries{.count = read_le<std::uint32_t>(header, 80),
                     .entry_bytes = read_le<std::uint32_t>(header, 84)};
  if (entries.count > 128 || entries.entry_bytes != 128 ||
      read_le<std::uint64_t>(header, gpt_entries_lba) != 2) {
    return fail(ErrorCode::unsupported,
                "the GPT has more than 128 entries, or not behind its header");
  }
  entries.bytes = head.substr(2 * sector_bytes, entries.count * entries.entry_bytes);
  if (crc32(entries.bytes) != read_le<std::uint32_t>(header, gpt_entries_crc)) {
    return fail(ErrorCode::corrupt, "the GPT's entries fail their checksum");
  }
  return entries;
}

Bytes sealed(Bytes header) {
  write_le<std::uint32_t>(header, gpt_crc, 0);
  std::size_t size = read_le<std::uint32_t>(header, 12);
  write_le(header, gpt_crc, crc32(BytesView(header).substr(0, size)));
  return header;
}

/// The protective MBR covers the whole disk.
Bytes protective(BytesView head, std::uint64_t disk_sectors) {
  Bytes mbr(head.substr(0, sector_bytes));
  write_le(mbr, mbr_entries_offset + 12,
           static_cast<std::uint32_t>(std::min(disk_sectors - 1, mbr_sectors_max)));
  return mbr;
}

Result<GrownPartition> grow_gpt(BytesView head, std::uint64_t disk_sectors, int number) {
  Bytes header(head.substr(gpt_header_offset, sector_bytes));
  auto entries = gpt_entries(head, header);
  if (!entries) return std::unexpected(entries.error());
  std::size_t own = static_cast<std::size_t>(number - 1) * entries->entry_bytes;
  if (static_cast<std::size_t>(number) > entries->count ||
      entries->bytes.substr(own, 16) == Bytes(16, '\0')) {
    return no_partition(number);
  }
  auto first = read_le<std::uint64_t>(entries->bytes, own + 32);
  auto last = read_le<std::uint64_t>(entries->bytes, own + 40);
  for (std::size_t at = 0; at < entries->bytes.size(); at += entries->entry_bytes) {
    if (read_le<std::uint64_t>(entries->bytes, at + 32) > first) return not_last(number);
  }
  std::uint64_t entry_sectors = (entries->bytes.size() + sector_bytes - 1) / sector_bytes;
  GrownPartition grown{.start_sectors = first, .size_sectors = last - first + 1};
  std::uint64_t usable = disk_sectors - entry_sectors - 1;
  if (aligned_down(usable) <= last + 1) return grown;
  grown.size_sectors = aligned_down(usable) - first;
  write_le(entries->bytes, own + 40, first + grown.size_sectors - 1);

  write_le(header, gpt_last_usable, usable - 1);
  write_le(header, gpt_other_lba, disk_sectors - 1);
  write_le(header, gpt_entries_crc, crc32(entries->bytes));
  Bytes second = header;
  write_le(second, gpt_this_lba, disk_sectors - 1);
  write_le(second, gpt_other_lba, std::uint64_t{1});
  write_le(second, gpt_entries_lba, usable);
  // The copy at the end first: as long as the first header does not name it, nothing has changed.
  // Header and entries of the first go out in one write.
  grown.edits.push_back({usable * sector_bytes, entries->bytes});
  grown.edits.push_back({(disk_sectors - 1) * sector_bytes, sealed(std::move(second))});
  grown.edits.push_back({gpt_header_offset, sealed(std::move(header)) + entries->bytes});
  grown.edits.push_back({0, protective(head, disk_sectors)});
  return grown;
}

}  // namespace

std::uint32_t crc32(BytesView bytes) {
  std::uint32_t crc = 0xffff'ffff;
  for (char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb8'8320U : 0U);
  }
  return ~crc;
}

Result<GrownPartition> grow(BytesView head, std::uint64_t disk_sectors, int number) {
  if (head.size() < partition_table_bytes ||
      disk_sectors < 2 * partition_table_bytes / sector_bytes) {
    return fail(ErrorCode::invalid, "the disk is too small for a partition table");
  }
  if (read_le<std::uint16_t>(head, 510) != 0xaa55) {
    return fail(ErrorCode::unsupported, "the disk has no partition table");
  }
  if (number < 1) return no_partition(number);
  bool gpt = static_cast<unsigned char>(head[mbr_entries_offset + 4]) == mbr_protective &&
             head.substr(gpt_header_offset, 8) == "EFI PART";
  return gpt ? grow_gpt(head, disk_sectors, number) : grow_mbr(head, disk_sectors, number);
}

}  // namespace tripod::boards
