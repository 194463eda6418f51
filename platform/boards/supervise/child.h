#pragma once
// A child process of process 1: started with its output and its heartbeats on pipes, bounded in
// memory, first to go when memory runs out; and the reaping of all children, adopted orphans
// included.

#include <string>
#include <vector>

#include "platform/base/result.h"
#include "platform/boards/system/files.h"

namespace tripod::boards {

/// The descriptor on which a started child finds the pipe for its heartbeats.
inline constexpr int heartbeat_descriptor = 3;

struct ChildSpec {
  std::string program;
  std::vector<std::string> arguments;  // without the program's name
  std::uint64_t memory_bytes_max = 0;  // 0: no limit
};

struct Child {
  int pid = 0;
  Descriptor output;     // standard output and error; non-blocking
  Descriptor heartbeat;  // what it writes to heartbeat_descriptor; non-blocking
};

/// Memory is bounded by a cgroup of its own where cgroup2 is mounted, else by its address space.
Result<Child> start_child(const ChildSpec& spec);

struct ChildEnd {
  int pid = 0;
  int exit_code = 0;  // when it ended by itself
  int signal = 0;     // 0: it ended by itself
  std::string text;   // "exit code 70", "signal 11 (Segmentation fault)"
};

/// It told why in its last lines, and starting it again or anew with the machine does not help: a
/// configuration it cannot use, a port in use (exit code 1), data that are lost (exit_data_lost).
bool ended_with_reason(const ChildEnd& end);

/// Children that have ended since the last call.
std::vector<ChildEnd> reap_children();

void signal_child(int pid, int number);
/// How often the kernel has killed the child for want of memory, since boot.
std::uint64_t out_of_memory_kills();

}  // namespace tripod::boards
