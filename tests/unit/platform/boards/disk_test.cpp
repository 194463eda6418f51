#include <gtest/gtest.h>

#include "platform/boards/disk/little_endian.h"
#include "platform/boards/disk/partition_table.h"
#include "platform/boards/disk/superblock.h"

namespace tripod::boards {
namespace {

constexpr std::uint64_t mib_sectors = 2048;

Bytes ext4_head(std::string_view label) {
  Bytes head(superblock_bytes, '\0');
  write_le<std::uint16_t>(head, 1024 + 0x38, 0xef53);
  write_le<std::uint32_t>(head, 1024 + 0x4, 16384);
  write_le<std::uint32_t>(head, 1024 + 0x18, 2);  // 4 KiB
  head.replace(1024 + 0x78, label.size(), label);
  return head;
}

Bytes fat_head(std::size_t label_at, std::string_view type, std::string_view label) {
  Bytes head(superblock_bytes, '\0');
  write_le<std::uint16_t>(head, 510, 0xaa55);
  write_le<std::uint16_t>(head, 11, 512);
  write_le<std::uint32_t>(head, 32, 65536);
  head[label_at - 5] = 0x29;
  head.replace(label_at, 11, "           ");
  head.replace(label_at, label.size(), label);
  head.replace(label_at + 11, type.size(), type);
  return head;
}

Bytes mbr_disk() {
  Bytes head(partition_table_bytes, '\0');
  write_le<std::uint16_t>(head, 510, 0xaa55);
  auto entry = [&](std::size_t i, char type, std::uint32_t start, std::uint32_t size) {
    head[446 + 16 * i + 4] = type;
    write_le(head, 446 + 16 * i + 8, start);
    write_le(head, 446 + 16 * i + 12, size);
  };
  entry(0, 0x0c, 1 * mib_sectors, 32 * mib_sectors);
  entry(1, 0x0c, 33 * mib_sectors, 32 * mib_sectors);
  entry(2, '\x83', 65 * mib_sectors, 16 * mib_sectors);
  return head;
}

/// A GPT of 128 entries with one partition of 16 MiB at 1 MiB, on a disk of 32 MiB.
Bytes gpt_disk() {
  Bytes head(partition_table_bytes, '\0');
  write_le<std::uint16_t>(head, 510, 0xaa55);
  head[446 + 4] = '\xee';
  Bytes entries(128 * 128, '\0');
  entries.replace(0, 16, "0123456789abcdef");
  write_le<std::uint64_t>(entries, 32, mib_sectors);
  write_le<std::uint64_t>(entries, 40, 17 * mib_sectors - 1);
  Bytes header(sector_bytes, '\0');
  header.replace(0, 8, "EFI PART");
  write_le<std::uint32_t>(header, 12, 92);
  write_le<std::uint64_t>(header, 24, 1);
  write_le<std::uint64_t>(header, 32, 32 * mib_sectors - 1);
  write_le<std::uint64_t>(header, 48, 32 * mib_sectors - 34);
  write_le<std::uint64_t>(header, 72, 2);
  write_le<std::uint32_t>(header, 80, 128);
  write_le<std::uint32_t>(header, 84, 128);
  write_le<std::uint32_t>(header, 88, crc32(entries));
  write_le<std::uint32_t>(header, 16, crc32(BytesView(header).substr(0, 92)));
  head.replace(sector_bytes, sector_bytes, header);
  head.replace(2 * sector_bytes, entries.size(), entries);
  return head;
}

Bytes apply(const GrownPartition& grown, std::uint64_t disk_sectors) {
  Bytes disk(disk_sectors * sector_bytes, '\0');
  for (const DiskEdit& edit : grown.edits) disk.replace(edit.offset, edit.bytes.size(), edit.bytes);
  return disk;
}

TEST(Superblock, names_ext4_and_fat) {
  auto ext4 = identify(ext4_head("tripod-data"));
  ASSERT_TRUE(ext4);
  EXPECT_EQ(ext4->kind, FileSystemKind::ext4);
  EXPECT_EQ(ext4->label, "tripod-data");
  EXPECT_EQ(ext4->size_bytes, 16384U * 4096);
  EXPECT_FALSE(ext4->has_errors);
  auto fat16 = identify(fat_head(43, "FAT16", "TRIPOD-BOOT"));
  ASSERT_TRUE(fat16);
  EXPECT_EQ(fat16->kind, FileSystemKind::vfat);
  EXPECT_EQ(fat16->label, "TRIPOD-BOOT");
  EXPECT_EQ(fat16->size_bytes, 65536U * 512);
  EXPECT_EQ(identify(fat_head(71, "FAT32", "BOOT"))->label, "BOOT");
}

TEST(Superblock, knows_damage_and_what_is_neither) {
  Bytes damaged = ext4_head("x");
  write_le<std::uint16_t>(damaged, 1024 + 0x3a, 2);
  EXPECT_TRUE(identify(damaged)->has_errors);
  EXPECT_FALSE(identify(Bytes(superblock_bytes, '\0')));
  EXPECT_FALSE(identify(ext4_head("x").substr(0, 1100)));
  EXPECT_FALSE(identify(mbr_disk().substr(0, superblock_bytes)));
}

TEST(PartitionTable, grows_the_last_mbr_partition_to_a_whole_mib) {
  auto grown = grow(mbr_disk(), 1000 * mib_sectors + 77, 3);
  ASSERT_TRUE(grown) << grown.error().message;
  EXPECT_EQ(grown->start_sectors, 65 * mib_sectors);
  EXPECT_EQ(grown->size_sectors, (1000 - 65) * mib_sectors);
  ASSERT_EQ(grown->edits.size(), 1U);
  EXPECT_EQ(grown->edits[0].offset, 0U);
  EXPECT_EQ(read_le<std::uint32_t>(grown->edits[0].bytes, 446 + 32 + 12), grown->size_sectors);
  Bytes head = mbr_disk();
  head.replace(0, sector_bytes, grown->edits[0].bytes);
  auto again = grow(head, 1000 * mib_sectors + 77, 3);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->edits.empty()) << "it reaches the end already";
}

TEST(PartitionTable, an_mbr_partition_ends_where_32_bits_end) {
  auto grown = grow(mbr_disk(), std::uint64_t{1} << 33, 3);
  ASSERT_TRUE(grown);
  EXPECT_LE(grown->start_sectors + grown->size_sectors, 0xffff'ffffU);
}

TEST(PartitionTable, refuses_what_would_destroy) {
  EXPECT_EQ(grow(mbr_disk(), 1000 * mib_sectors, 2).error(), ErrorCode::unsupported);
  EXPECT_EQ(grow(mbr_disk(), 1000 * mib_sectors, 4).error(), ErrorCode::not_found);
  EXPECT_EQ(grow(Bytes(partition_table_bytes, '\0'), 1000 * mib_sectors, 1).error(),
            ErrorCode::unsupported);
  Bytes broken = gpt_disk();
  broken[2 * sector_bytes + 40] ^= 1;
  EXPECT_EQ(grow(broken, 64 * mib_sectors, 1).error(), ErrorCode::corrupt);
  broken = gpt_disk();
  broken[sector_bytes + 48] ^= 1;
  EXPECT_EQ(grow(broken, 64 * mib_sectors, 1).error(), ErrorCode::corrupt);
}

TEST(PartitionTable, moves_the_second_gpt_to_the_new_end) {
  constexpr std::uint64_t disk_sectors = 64 * mib_sectors;
  auto grown = grow(gpt_disk(), disk_sectors, 1);
  ASSERT_TRUE(grown) << grown.error().message;
  EXPECT_EQ(grown->size_sectors, 62 * mib_sectors);
  Bytes disk = apply(*grown, disk_sectors);
  for (std::uint64_t lba : {std::uint64_t{1}, disk_sectors - 1}) {
    Bytes header = disk.substr(lba * sector_bytes, sector_bytes);
    EXPECT_EQ(read_le<std::uint64_t>(header, 24), lba);
    EXPECT_EQ(read_le<std::uint64_t>(header, 32), lba == 1 ? disk_sectors - 1 : 1);
    auto checksum = read_le<std::uint32_t>(header, 16);
    write_le<std::uint32_t>(header, 16, 0);
    EXPECT_EQ(crc32(BytesView(header).substr(0, 92)), checksum);
    auto entries_lba = read_le<std::uint64_t>(header, 72);
    Bytes entries = disk.substr(entries_lba * sector_bytes, 128 * 128);
    EXPECT_EQ(crc32(entries), read_le<std::uint32_t>(header, 88));
    EXPECT_EQ(read_le<std::uint64_t>(entries, 40), mib_sectors + grown->size_sectors - 1);
  }
}

TEST(PartitionTable, crc_is_the_known_one) {
  EXPECT_EQ(crc32("123456789"), 0xcbf43926U);
}

}  // namespace
}  // namespace tripod::boards
