#pragma once
// The machine this process runs on: every interface of platform/os on Linux, bundled.
//
//   auto machine = linux_os::Machine::create(LogLevel::info);
//   Node node(machine->world(), ...);
//   machine->loop().run();

#include <atomic>
#include <memory>

#include "platform/linux/file_storage.h"
#include "platform/linux/log_vfs.h"
#include "platform/linux/loop.h"
#include "platform/linux/tcp_network.h"
#include "platform/linux/worker_lane.h"
#include "platform/os/board.h"

namespace tripod::linux_os {

/// The kernel's random bytes.
class KernelEntropy final : public os::Entropy {
 public:
  void fill(std::span<std::byte> out) override;
};

/// Lines on standard error, with UTC time; one write each, so that threads and processes do not mix
/// within a line.
class ErrorLog final : public LogSink {
 public:
  explicit ErrorLog(LogLevel level) : level_(level) {}
  LogLevel level() const override { return level_; }
  void set_level(LogLevel level) { level_ = level; }
  void write(LogLevel level, std::string_view component, std::string_view line) override;

 private:
  std::atomic<LogLevel> level_;
};

class LinuxBoard final : public os::Board {
 public:
  std::string hostname() const override;
  os::ProcessUsage usage() const override;
  std::string environment(const std::string& name) const override;
  void release_memory() override;
};

class Machine {
 public:
  /// Ignores SIGPIPE, bounds the thread pool, asks the scheduler for short slices: once per
  /// process, before other threads.
  static std::unique_ptr<Machine> create(LogLevel level);

  os::World world();
  Loop& loop() { return loop_; }
  ErrorLog& log() { return log_; }
  /// True when the CPU encrypts AES in hardware; without it ChaCha20-Poly1305 is several times
  /// faster.
  static bool has_aes_instructions();

 private:
  explicit Machine(LogLevel level)
      : log_(level), network_(loop_), storage_lane_(loop_), log_lane_(loop_), crypto_lane_(loop_) {}

  ErrorLog log_;
  Loop loop_;
  TcpNetwork network_;
  LogVfs log_vfs_;
  FileStorage storage_;
  WorkerLane storage_lane_;
  WorkerLane log_lane_;
  WorkerLane crypto_lane_;
  KernelEntropy entropy_;
  LinuxBoard board_;
};

}  // namespace tripod::linux_os
