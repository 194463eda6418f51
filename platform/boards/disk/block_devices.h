#pragma once
// The partitions of this board and what they hold: /sys/class/block, and the first bytes of each.
// Calls block; they are for process 1 before its loop runs.

#include <chrono>
#include <vector>

#include "platform/base/result.h"
#include "platform/boards/disk/superblock.h"

namespace tripod::boards {

struct BlockDevice {
  std::string name;   // "vda3", "mmcblk0p3"; its node is /dev/<name>
  std::string disk;   // "vda", "mmcblk0"; the same as `name` for a whole disk
  int partition = 0;  // 0: a whole disk
  std::uint64_t size_sectors = 0;

  std::string node() const { return "/dev/" + name; }
};

/// Every block device with a size, whole disks first, by name. `sysfs` is "/sys" outside tests.
std::vector<BlockDevice> block_devices(const std::string& sysfs);

/// The file system on it, if it is one that identify() knows.
Result<FileSystem> probe(const BlockDevice& device);

/// Looks for a file system of this kind and label until `limit` has passed: cards and USB disks
/// turn up late. Two of one label are an error, for nobody could say which is meant. Fails with
/// `not_found` and what was there instead.
Result<BlockDevice> find_labelled(FileSystemKind kind, std::string_view label,
                                  std::chrono::milliseconds limit);

/// Makes the partition reach to the end of its disk, in the table and in the running kernel. False:
/// it did already.
Result<bool> grow_partition(const BlockDevice& device);

/// Makes a mounted ext4 fill its partition. False: it did already.
Result<bool> grow_ext4(const std::string& mount_point, const BlockDevice& device);

}  // namespace tripod::boards
