#include "platform/boards/system/machine_state.h"

#include <fcntl.h>
#include <linux/random.h>
#include <linux/reboot.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "platform/boards/system/files.h"

namespace tripod::boards {
namespace {

constexpr std::size_t seed_bytes = 32;

/// The kernel's `struct rand_pool_info`, with room for a seed.
struct PoolInput {
  int entropy_bits;
  int bytes;
  std::array<char, seed_bytes> seed;
};

Result<> add_to_pool(BytesView seed) {
  auto pool = open_file("/dev/urandom", O_WRONLY);
  if (!pool) return std::unexpected(pool.error());
  PoolInput input{
      .entropy_bits = static_cast<int>(8 * seed_bytes), .bytes = int{seed_bytes}, .seed = {}};
  std::memcpy(input.seed.data(), seed.data(), seed_bytes);
  if (::ioctl(pool->get(), RNDADDENTROPY, &input) != 0) return os_failure("seeding the kernel");
  return {};
}

}  // namespace

bool is_init(std::string_view program) {
  return ::getpid() == 1 && program.substr(program.rfind('/') + 1) == "init";
}

void use_console() {
  // Never waits: a serial line that is stuck must not stop the board.
  int console = ::open("/dev/console", O_RDWR | O_NOCTTY | O_NONBLOCK);
  if (console < 0) return;  // a kernel without one; the log goes nowhere, the board still works
  for (int target : {0, 1, 2}) ::dup2(console, target);
  if (console > 2) ::close(console);
}

void write_console(std::string_view text) {
  constexpr int patience_ms = 50;
  while (!text.empty()) {
    ssize_t size = ::write(STDERR_FILENO, text.data(), text.size());
    if (size > 0) {
      text.remove_prefix(static_cast<std::size_t>(size));
      continue;
    }
    pollfd line{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    if (errno != EAGAIN || ::poll(&line, 1, patience_ms) <= 0) return;  // the rest is lost
  }
}

void write_screen(std::string_view text) {
  int screen = ::open("/dev/tty1", O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (screen < 0) return;
  // Cursor to the top, then clear to the end (ECMA-48).
  const std::string shown = std::format("\x1b[H\x1b[J{}", text);
  std::ignore = ::write(screen, shown.data(), shown.size());
  ::close(screen);
}

Result<> set_hostname(const std::string& name) {
  if (::sethostname(name.c_str(), name.size()) != 0) {
    return os_failure(std::format("naming the board \"{}\"", name));
  }
  return {};
}

Result<> write_name_files(const std::string& hostname, const std::vector<std::string>& peers,
                          const std::vector<std::string>& nameservers) {
  std::string hosts = std::format("127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {}\n", hostname);
  for (const std::string& line : peers) hosts += line + "\n";
  std::string resolver;
  for (const std::string& server : nameservers) resolver += std::format("nameserver {}\n", server);
  resolver += "options timeout:2 attempts:2\n";
  if (auto made = make_folders("/etc", 0755); !made) return made;
  if (auto written = write_text("/etc/hosts", hosts); !written) return written;
  return write_text("/etc/resolv.conf", resolver);
}

std::string argument_in(std::string_view command_line, std::string_view name) {
  while (!command_line.empty()) {
    std::size_t blank = command_line.find_first_of(" \n");
    std::string_view word = command_line.substr(0, blank);
    if (word.size() > name.size() && word.starts_with(name) && word[name.size()] == '=') {
      return std::string(word.substr(name.size() + 1));
    }
    if (blank == std::string_view::npos) break;
    command_line.remove_prefix(blank + 1);
  }
  return "";
}

std::string kernel_argument(std::string_view name) {
  auto command_line = read_text("/proc/cmdline", 4096);
  return command_line ? argument_in(*command_line, name) : "";
}

Result<bool> seed_randomness(os::Storage& storage, const std::string& file) {
  auto old = storage.read_file(file, seed_bytes);
  const bool usable = old && old->size() == seed_bytes;
  if (usable) {
    if (auto removed = storage.remove_file(file); !removed) return std::unexpected(removed.error());
    ::sync();
    if (auto added = add_to_pool(*old); !added) return std::unexpected(added.error());
  }
  if (!wait_for_randomness(std::chrono::seconds(30))) {
    return fail(ErrorCode::unavailable, "the kernel has no random numbers yet");
  }
  Bytes next(seed_bytes, '\0');
  if (::getrandom(next.data(), next.size(), 0) != static_cast<ssize_t>(next.size())) {
    return os_failure("drawing a seed");
  }
  if (auto saved = storage.replace_file(file, next, 0600); !saved) {
    return std::unexpected(saved.error());
  }
  return usable;
}

bool wait_for_randomness(std::chrono::milliseconds limit) {
  constexpr std::chrono::milliseconds interval{20};
  for (std::chrono::milliseconds waited{0};; waited += interval) {
    char byte = 0;
    if (::getrandom(&byte, 1, GRND_NONBLOCK) == 1) return true;
    if (waited >= limit) return false;
    timespec time{.tv_sec = 0, .tv_nsec = static_cast<long>(interval.count()) * 1'000'000};
    nanosleep(&time, nullptr);
  }
}

void end_machine(Ending ending) {
  ::sync();
  if (ending == Ending::try_other_slot) {
    // As `reboot "0 tryboot"` of the Raspberry Pi's documentation: partition, then the flag.
    ::syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_RESTART2,
              "0 tryboot");
    return;
  }
  ::reboot(ending == Ending::reboot ? RB_AUTOBOOT : RB_POWER_OFF);
}

void reboot_on_panic() {
  constexpr std::string_view seconds = "10";
  std::ignore = write_text("/proc/sys/kernel/panic", seconds);
  std::ignore = write_text("/proc/sys/kernel/panic_on_oops", "1");
}

void take_control_alt_delete() {
  ::reboot(RB_DISABLE_CAD);
}

std::uint64_t kib_in(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.starts_with(key)) {
      line = trimmed(line.substr(key.size()));
      std::uint64_t number = 0;
      std::from_chars(line.data(), line.data() + line.size(), number);
      return number;
    }
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return 0;
}

MemoryUse memory_use(int child) {
  auto bytes_in = [](const std::string& file, std::string_view key) {
    auto text = read_text(file);
    return text ? kib_in(*text, key) << 10 : 0;
  };
  MemoryUse use{.own_bytes = bytes_in("/proc/self/status", "VmRSS:"),
                .child_bytes = 0,
                .available_bytes = bytes_in("/proc/meminfo", "MemAvailable:"),
                .total_bytes = bytes_in("/proc/meminfo", "MemTotal:")};
  if (child > 0) use.child_bytes = bytes_in(std::format("/proc/{}/status", child), "VmRSS:");
  return use;
}

std::chrono::milliseconds uptime() {
  timespec time{};
  clock_gettime(CLOCK_BOOTTIME, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::milliseconds(time.tv_nsec / 1'000'000);
}

}  // namespace tripod::boards
