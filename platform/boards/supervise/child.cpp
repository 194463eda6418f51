#include "platform/boards/supervise/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "platform/base/check.h"

namespace tripod::boards {
namespace {

constexpr const char* group_folder = "/sys/fs/cgroup/server";
constexpr std::string_view out_of_memory_score =
    "900";  // of 1000: first to go, so that the board stays
constexpr rlim_t open_files_max = 16'384;
constexpr int exit_failure = 1;
constexpr int exit_not_started = 127;

struct Pipe {
  Descriptor reader;
  Descriptor writer;
};

Result<Pipe> open_pipe() {
  std::array<int, 2> ends{};
  // Both ends never block: a reader that is stuck must not stall the server.
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return os_failure("opening a pipe");
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

/// True when the child may be bounded by a cgroup.
bool prepare_group(std::uint64_t memory_bytes_max) {
  if (!write_text("/sys/fs/cgroup/cgroup.subtree_control", "+memory")) return false;
  if (!make_folders(group_folder, 0755)) return false;
  const std::string limit = std::to_string(memory_bytes_max);
  std::ignore = write_text(std::format("{}/memory.swap.max", group_folder), "0");
  return write_text(std::format("{}/memory.max", group_folder), limit).has_value();
}

void write_in_child(const char* path, std::string_view text) {
  int file = ::open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  std::ignore = ::write(file, text.data(), text.size());
  ::close(file);
}

struct Prepared {
  const char* program;
  char* const* arguments;
  int output;
  int heartbeat;
  bool grouped;
  std::uint64_t address_space_bytes_max;  // 0: none
};

/// Between fork and exec: only what is safe after a fork of a process with threads.
[[noreturn]] void become(const Prepared& prepared) {
  ::setsid();
  if (prepared.grouped) write_in_child("/sys/fs/cgroup/server/cgroup.procs", "0");
  write_in_child("/proc/self/oom_score_adj", out_of_memory_score);
  if (prepared.address_space_bytes_max != 0) {
    rlimit limit{};
    limit.rlim_cur = limit.rlim_max = static_cast<rlim_t>(prepared.address_space_bytes_max);
    ::setrlimit(RLIMIT_AS, &limit);
  }
  // A board serves more connections than the 1,024 files of a shell.
  rlimit files{};
  files.rlim_cur = files.rlim_max = open_files_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  int input = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (input >= 0) ::dup2(input, STDIN_FILENO);
  ::dup2(prepared.output, STDOUT_FILENO);
  ::dup2(prepared.output, STDERR_FILENO);
  if (prepared.heartbeat == heartbeat_descriptor) {
    ::fcntl(prepared.heartbeat, F_SETFD, 0);  // dup2 to itself would keep close-on-exec
  } else {
    ::dup2(prepared.heartbeat, heartbeat_descriptor);
  }
  ::execv(prepared.program, prepared.arguments);
  ::_exit(exit_not_started);
}

std::string describe(int status) {
  if (WIFSIGNALED(status)) {
    return std::format("signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
  }
  return std::format("exit code {}", WEXITSTATUS(status));
}

}  // namespace

Result<Child> start_child(const ChildSpec& spec) {
  auto output = open_pipe();
  if (!output) return std::unexpected(output.error());
  auto heartbeat = open_pipe();
  if (!heartbeat) return std::unexpected(heartbeat.error());
  std::vector<std::string> words{spec.program};
  words.insert(words.end(), spec.arguments.begin(), spec.arguments.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const bool grouped = spec.memory_bytes_max != 0 && prepare_group(spec.memory_bytes_max);
  const Prepared prepared{
      .program = spec.program.c_str(),
      .arguments = arguments.data(),
      .output = output->writer.get(),
      .heartbeat = heartbeat->writer.get(),
      .grouped = grouped,
      // Mapped files and stacks count here, so it is wider than what was asked for.
      .address_space_bytes_max = grouped ? 0 : 4 * spec.memory_bytes_max};
  int pid = ::fork();
  if (pid < 0) return os_failure("starting the server");
  if (pid == 0) become(prepared);
  return Child{pid, std::move(output->reader), std::move(heartbeat->reader)};
}

bool ended_with_reason(const ChildEnd& end) {
  return end.signal == 0 && (end.exit_code == exit_failure || end.exit_code == exit_data_lost);
}

std::vector<ChildEnd> reap_children() {
  std::vector<ChildEnd> ends;
  while (true) {
    int status = 0;
    int pid = ::waitpid(-1, &status, WNOHANG);
    if (pid < 0 && errno == EINTR) continue;
    if (pid <= 0) return ends;
    ends.push_back({.pid = pid,
                    .exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0,
                    .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                    .text = describe(status)});
  }
}

void signal_child(int pid, int number) {
  if (pid > 0) ::kill(pid, number);
}

std::uint64_t out_of_memory_kills() {
  auto events = read_text(std::format("{}/memory.events", group_folder), 4096);
  if (!events) return 0;
  constexpr std::string_view key = "oom_kill ";
  std::size_t at = events->find(key);
  if (at == std::string::npos) return 0;
  std::uint64_t count = 0;
  std::from_chars(events->data() + at + key.size(), events->data() + events->size(), count);
  return count;
}

}  // namespace tripod::boards
