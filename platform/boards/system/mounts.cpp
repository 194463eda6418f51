#include "platform/boards/system/mounts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "platform/boards/system/files.h"

namespace tripod::boards {
namespace {

constexpr unsigned long guarded = MS_NOSUID | MS_NODEV | MS_NOEXEC;

struct KernelMount {
  const char* type;
  const char* point;
  unsigned long flags;
  const char* options;
  bool needed;
};

constexpr KernelMount kernel_mounts[] = {
    {"devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "mode=0755", true},
    {"proc", "/proc", guarded, "", true},
    {"sysfs", "/sys", guarded, "", true},
    {"tmpfs", "/run", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755,size=4m", true},
    {"tmpfs", "/tmp", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=1777,size=32m", true},
    {"cgroup2", "/sys/fs/cgroup", guarded, "", false},
    {"pstore", "/sys/fs/pstore", guarded, "", false},
};

}  // namespace

Result<> mount_kernel_file_systems() {
  for (const KernelMount& each : kernel_mounts) {
    if (std::string_view(each.point).starts_with("/sys/")) {
      if (::access(each.point, F_OK) != 0) continue;  // sysfs makes them when the kernel has them
    } else if (auto made = make_folders(each.point, 0755); !made) {
      return made;
    }
    if (::mount(each.type, each.point, each.type, each.flags, each.options) == 0) continue;
    if (errno != EBUSY && each.needed) return os_failure(std::format("mounting {}", each.point));
  }
  return {};
}

Result<> mount(const Mount& mount) {
  if (auto made = make_folders(mount.point, 0755); !made) return made;
  unsigned long flags = guarded | MS_NOATIME | (mount.read_only ? MS_RDONLY : 0UL);
  if (::mount(mount.device.c_str(), mount.point.c_str(), mount.type.c_str(), flags,
              mount.options.c_str()) != 0) {
    return os_failure(std::format("mounting {} on {}", mount.device, mount.point));
  }
  return {};
}

Result<> unmount(const std::string& point) {
  if (::umount(point.c_str()) != 0) return os_failure(std::format("unmounting {}", point));
  return {};
}

Result<> make_read_only(const std::string& point) {
  if (::mount(nullptr, point.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0) {
    return os_failure(std::format("making {} read-only", point));
  }
  return {};
}

Result<> make_writable(const std::string& point) {
  if (::mount(nullptr, point.c_str(), nullptr, MS_REMOUNT, nullptr) != 0) {
    return os_failure(std::format("making {} writable", point));
  }
  return {};
}

Result<> remove_contents(const std::string& folder) {
  for (const std::string& name : names_in(folder)) {
    const std::string path = std::format("{}/{}", folder, name);
    struct stat facts{};
    if (::lstat(path.c_str(), &facts) != 0) return os_failure(std::format("looking at {}", path));
    const bool is_folder = S_ISDIR(facts.st_mode);
    if (is_folder) {
      if (auto removed = remove_contents(path); !removed) return removed;
    }
    if (::unlinkat(AT_FDCWD, path.c_str(), is_folder ? AT_REMOVEDIR : 0) != 0) {
      if (is_folder && errno == EBUSY) continue;  // a mount point
      return os_failure(std::format("removing {}", path));
    }
  }
  ::sync();
  return {};
}

std::vector<std::string> load_modules(const std::string& folder) {
  std::vector<std::string> problems;
  for (const std::string& name : names_in(folder)) {
    if (!name.ends_with(".ko")) continue;
    auto file = open_file(std::format("{}/{}", folder, name), O_RDONLY);
    if (!file) {
      problems.push_back(file.error().message);
      continue;
    }
    if (::syscall(SYS_finit_module, file->get(), "", 0) != 0 && errno != EEXIST) {
      problems.push_back(std::format("module {}: {}", name, strerror(errno)));
    }
  }
  return problems;
}

}  // namespace tripod::boards
