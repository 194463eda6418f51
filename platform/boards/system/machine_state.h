#pragma once
// The board as one machine: its name, its console, its random numbers, its end. Calls block; for
// process 1.

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/result.h"
#include "platform/os/storage.h"

namespace tripod::boards {

/// True when the kernel started this program as its first process. Process 1 of a container is
/// named otherwise.
bool is_init(std::string_view program);

/// Standard input, output and error are the console from now on.
void use_console();

/// As it is, on the console; without waiting for a serial line that nobody reads.
void write_console(std::string_view text);
/// In place of what a screen shows (the first virtual terminal), where there is one.
void write_screen(std::string_view text);

/// This process's and the kernel's. Fails with `invalid` for one the kernel does not take.
Result<> set_hostname(const std::string& name);

/// /etc/hosts and /etc/resolv.conf, which the resolver of the C library reads. `peers` are lines
/// "ADDRESS NAME".
Result<> write_name_files(const std::string& hostname, const std::vector<std::string>& peers,
                          const std::vector<std::string>& nameservers);

/// Value of `name=` on the kernel's command line, or empty.
std::string kernel_argument(std::string_view name);
std::string argument_in(std::string_view command_line, std::string_view name);

/// Mixes the seed that the last run left behind into the kernel's pool, and leaves a new one for
/// the next. The old seed counts as randomness only once: it is gone from the disk, synced, before
/// it is used. False: there was none.
Result<bool> seed_randomness(os::Storage& storage, const std::string& file);
/// True when the kernel's pool is ready, so that keys may be made; waits for it until `limit` has
/// passed.
bool wait_for_randomness(std::chrono::milliseconds limit);

enum class Ending : std::uint8_t {
  reboot,
  try_other_slot,  // a reboot that asks the firmware for the other boot slot, this once
  power_off,
};
/// Syncs and ends the machine. Returns only when the kernel refuses.
void end_machine(Ending ending);

/// A kernel that panics starts anew after ten seconds, instead of standing still.
void reboot_on_panic();
/// Ctrl-Alt-Del sends SIGINT to process 1, instead of a reboot at once.
void take_control_alt_delete();

/// Of the whole machine, and what this process and one child of it have in it. Zero: unknown.
struct MemoryUse {
  std::uint64_t own_bytes = 0;
  std::uint64_t child_bytes = 0;
  std::uint64_t available_bytes = 0;
  std::uint64_t total_bytes = 0;
};
MemoryUse memory_use(int child);
/// The number behind `key`, as "MemTotal:", in lines as "MemTotal:   245760 kB"; 0 when there is
/// none.
std::uint64_t kib_in(std::string_view text, std::string_view key);

/// Seconds since the kernel started.
std::chrono::milliseconds uptime();

}  // namespace tripod::boards
