#include "platform/linux/machine.h"

#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <array>
#include <charconv>
#include <format>

#include "platform/base/check.h"

namespace tripod::linux_os {
namespace {

// For host names; lanes have threads of their own.
constexpr const char* pool_threads = "2";
// glibc gives each thread an arena of its own, which keeps what it once took; one is enough for
// three lanes.
constexpr int malloc_arenas_max = 1;
constexpr int malloc_trim_bytes = 256 * 1024;
// The shortest there is. All work of a turn takes less.
constexpr std::uint64_t slice_ns = 100'000;

/// The n-th blank-separated number of a line, from 0; 0 when there is none.
std::uint64_t number_at(std::string_view line, int index) {
  std::uint64_t number = 0;
  for (int i = 0; !line.empty(); ++i) {
    std::size_t blank = line.find(' ');
    std::string_view word = line.substr(0, blank);
    if (i == index) {
      std::from_chars(word.data(), word.data() + word.size(), number);
      return number;
    }
    line = blank == std::string_view::npos ? std::string_view() : line.substr(blank + 1);
  }
  return 0;
}

double unix_seconds(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

/// When this process started, from field 22 of /proc/self/stat (clock ticks after boot).
double start_seconds(FileStorage& files) {
  auto stat = files.read_file("/proc/self/stat", 4096);
  if (!stat) return 0;
  std::size_t after_name = stat->rfind(") ");
  if (after_name == std::string::npos) return 0;
  auto ticks = static_cast<double>(number_at(std::string_view(*stat).substr(after_name + 2), 19));
  double boot = unix_seconds(CLOCK_REALTIME) - unix_seconds(CLOCK_BOOTTIME);
  return boot + ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

/// Who asks for little at a time gets its turn sooner when the cores are busy (EEVDF, Linux 6.12):
/// a wakeup then waits a fraction of a millisecond instead of the rest of somebody's four. Threads
/// inherit it. Older kernels, and other policies than the usual one, know nothing of it.
void ask_for_short_slices() {
  sched_attr attributes{};
  if (sched_getattr(0, &attributes, sizeof attributes, 0) != 0) return;
  if (attributes.sched_policy != SCHED_OTHER) return;
  attributes.sched_runtime = slice_ns;
  std::ignore = sched_setattr(0, &attributes, 0);
}

}  // namespace

void KernelEntropy::fill(std::span<std::byte> out) {
  while (!out.empty()) {
    ssize_t size = getrandom(out.data(), out.size(), 0);
    if (size < 0) {
      CHECK(errno == EINTR, "getrandom");
      continue;
    }
    out = out.subspan(static_cast<std::size_t>(size));
  }
}

void ErrorLog::write(LogLevel level, std::string_view component, std::string_view line) {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  WallTime now(std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_nsec / 1000));
  std::string text =
      std::format("{} {:<5} {} {}\n", to_rfc3339_micro(now), name_of(level), component, line);
  std::ignore = ::write(STDERR_FILENO, text.data(), text.size());
}

std::string LinuxBoard::hostname() const {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  return name.data();
}

os::ProcessUsage LinuxBoard::usage() const {
  os::ProcessUsage usage;
  rusage resources{};
  getrusage(RUSAGE_SELF, &resources);
  auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  usage.cpu_seconds = seconds(resources.ru_utime) + seconds(resources.ru_stime);
  FileStorage files;
  if (auto statm = files.read_file("/proc/self/statm", 4096)) {
    auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    usage.virtual_bytes = number_at(*statm, 0) * page;
    usage.resident_bytes = number_at(*statm, 1) * page;
  }
  if (auto descriptors = files.list("/proc/self/fd"))
    usage.open_descriptors = descriptors->size() - 1;  // the listing's own
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) usage.descriptors_max = limit.rlim_cur;
  usage.start_unix_seconds = start_seconds(files);
  return usage;
}

std::string LinuxBoard::environment(const std::string& name) const {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? "" : value;
}

void LinuxBoard::release_memory() {
  malloc_trim(0);
}

std::unique_ptr<Machine> Machine::create(LogLevel level) {
  setenv("UV_THREADPOOL_SIZE", pool_threads, 1);
  mallopt(M_ARENA_MAX, malloc_arenas_max);
  mallopt(M_TRIM_THRESHOLD, malloc_trim_bytes);
  signal(SIGPIPE, SIG_IGN);
  ask_for_short_slices();
  return std::unique_ptr<Machine>(new Machine(level));
}

os::World Machine::world() {
  return {loop_,     loop_,        network_, storage_, storage_lane_,
          log_lane_, crypto_lane_, entropy_, board_,   log_};
}

bool Machine::has_aes_instructions() {
#if defined(__x86_64__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_AES) != 0;
#elif defined(__aarch64__)
  constexpr unsigned long hwcap_aes = 1UL << 3;
  return (getauxval(AT_HWCAP) & hwcap_aes) != 0;
#else
  return false;
#endif
}

}  // namespace tripod::linux_os
