#include "platform/boards/disk/block_devices.h"

#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "platform/boards/disk/partition_table.h"
#include "platform/boards/system/files.h"

namespace tripod::boards {
namespace {

constexpr std::chrono::milliseconds scan_interval{50};
// From fs/ext4/ext4.h; the kernel's public headers do not carry it.
constexpr unsigned long ext4_resize = _IOW('f', 16, std::uint64_t);

std::uint64_t number_in(const std::string& file) {
  auto text = read_text(file, 64);
  if (!text) return 0;
  std::string_view digits = trimmed(*text);
  std::uint64_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

/// The disk that holds a partition: the folder above it in /sys.
std::string disk_of(const std::string& link) {
  std::string target(4096, '\0');
  ssize_t size = ::readlink(link.c_str(), target.data(), target.size());
  if (size <= 0) return "";
  target.resize(static_cast<std::size_t>(size));
  std::size_t last = target.rfind('/');
  if (last == std::string::npos || last == 0) return "";
  std::size_t before = target.rfind('/', last - 1);
  return target.substr(before + 1, last - before - 1);
}

void pause(std::chrono::milliseconds duration) {
  timespec time{.tv_sec = 0, .tv_nsec = static_cast<long>(duration.count()) * 1'000'000};
  nanosleep(&time, nullptr);
}

std::string describe(const std::vector<BlockDevice>& devices) {
  std::string text;
  for (const BlockDevice& device : devices) {
    auto found = probe(device);
    text += std::format("{}{}", text.empty() ? "" : ", ", device.name);
    if (found) {
      text += std::format(" ({} \"{}\")", found->kind == FileSystemKind::ext4 ? "ext4" : "vfat",
                          found->label);
    }
  }
  return text.empty() ? "no disk at all" : text;
}

}  // namespace

std::vector<BlockDevice> block_devices(const std::string& sysfs) {
  std::vector<BlockDevice> disks;
  std::vector<BlockDevice> partitions;
  const std::string folder = sysfs + "/class/block";
  for (const std::string& name : names_in(folder)) {
    if (name.starts_with("ram") || name.starts_with("zram")) continue;
    BlockDevice device{.name = name, .disk = name};
    const std::string own = std::format("{}/{}", folder, name);
    device.size_sectors = number_in(own + "/size");
    device.partition = static_cast<int>(number_in(own + "/partition"));
    if (device.size_sectors == 0) continue;
    if (device.partition == 0) {
      disks.push_back(std::move(device));
      continue;
    }
    device.disk = disk_of(own);
    partitions.push_back(std::move(device));
  }
  disks.insert(disks.end(), partitions.begin(), partitions.end());
  return disks;
}

Result<FileSystem> probe(const BlockDevice& device) {
  auto file = open_file(device.node(), O_RDONLY);
  if (!file) return std::unexpected(file.error());
  auto head = read_at(file->get(), 0, superblock_bytes);
  if (!head) return std::unexpected(head.error());
  auto found = identify(*head);
  if (!found) {
    return fail(ErrorCode::not_found, std::format("{} holds no known file system", device.name));
  }
  return *found;
}

Result<BlockDevice> find_labelled(FileSystemKind kind, std::string_view label,
                                  std::chrono::milliseconds limit) {
  for (std::chrono::milliseconds waited{0};; waited += scan_interval) {
    std::vector<BlockDevice> matches;
    std::vector<BlockDevice> devices = block_devices("/sys");
    for (const BlockDevice& device : devices) {
      auto found = probe(device);
      if (found && found->kind == kind && found->label == label) matches.push_back(device);
    }
    if (matches.size() == 1) return matches.front();
    if (matches.size() > 1) {
      return fail(ErrorCode::conflict,
                  std::format("{} and {} are both labelled {}; remove one of the disks",
                              matches[0].name, matches[1].name, label));
    }
    if (waited >= limit) {
      return fail(ErrorCode::not_found,
                  std::format("no partition labelled {} within {} ms; there are {}", label,
                              limit.count(), describe(devices)));
    }
    pause(scan_interval);
  }
}

Result<bool> grow_partition(const BlockDevice& device) {
  if (device.partition == 0) return false;
  auto disk = open_file("/dev/" + device.disk, O_RDWR);
  if (!disk) return std::unexpected(disk.error());
  std::uint64_t disk_bytes = 0;
  if (::ioctl(disk->get(), BLKGETSIZE64, &disk_bytes) != 0)
    return os_failure("asking for the size");
  auto head = read_at(disk->get(), 0, partition_table_bytes);
  if (!head) return std::unexpected(head.error());
  auto grown = grow(*head, disk_bytes / sector_bytes, device.partition);
  if (!grown) return std::unexpected(grown.error());
  if (grown->edits.empty() && grown->size_sectors == device.size_sectors) return false;
  for (const DiskEdit& edit : grown->edits) {
    if (auto written = write_at(disk->get(), edit.offset, edit.bytes); !written) {
      return std::unexpected(written.error());
    }
    if (::fsync(disk->get()) != 0) return os_failure("syncing the partition table");
  }
  blkpg_partition change{};
  change.start = static_cast<long long>(grown->start_sectors * sector_bytes);
  change.length = static_cast<long long>(grown->size_sectors * sector_bytes);
  change.pno = device.partition;
  blkpg_ioctl_arg argument{};
  argument.op = BLKPG_RESIZE_PARTITION;
  argument.datalen = sizeof(change);
  argument.data = &change;
  if (::ioctl(disk->get(), BLKPG, &argument) != 0) return os_failure("resizing the partition");
  return true;
}

Result<bool> grow_ext4(const std::string& mount_point, const BlockDevice& device) {
  struct statfs now{};
  if (::statfs(mount_point.c_str(), &now) != 0)
    return os_failure("asking for the file system's size");
  auto partition = open_file(device.node(), O_RDONLY);
  if (!partition) return std::unexpected(partition.error());
  std::uint64_t bytes = 0;
  if (::ioctl(partition->get(), BLKGETSIZE64, &bytes) != 0)
    return os_failure("asking for the size");
  auto found = probe(device);
  if (!found) return std::unexpected(found.error());
  auto block_bytes = static_cast<std::uint64_t>(now.f_bsize);
  std::uint64_t blocks = bytes / block_bytes;
  if (found->size_bytes / block_bytes >= blocks) return false;
  auto root = open_file(mount_point, O_RDONLY | O_DIRECTORY);
  if (!root) return std::unexpected(root.error());
  if (::ioctl(root->get(), ext4_resize, &blocks) != 0) return os_failure("growing the file system");
  return true;
}

}  // namespace tripod::boards
