#pragma once
// One simulated board: turn queue, clock that drifts, lanes that take time, randomness, a disk, a
// log. world() is what the modules of this board get. power_off() stops it between two events; what
// was on its way there or queued is lost.
//
// Lives in a Simulation, which outlives it.

#include <memory>
#include <string>
#include <vector>

#include "platform/os/board.h"
#include "platform/sim/disk.h"
#include "platform/sim/network.h"
#include "platform/sim/simulation.h"

namespace tripod::sim {

/// Events of one life of a board: after a power cut nothing queued before happens.
class BoardQueue final : public os::Executor {
 public:
  explicit BoardQueue(Simulation& simulation) : simulation_(simulation) {}
  void post(os::Callback callback) override { at(simulation_.now(), std::move(callback)); }
  Simulation::EventId at(MonotonicTime when, os::Callback callback);
  void cancel(const Simulation::EventId& event) { simulation_.cancel(event); }
  /// While paused, events wait (a stopped process); resuming runs them.
  void set_paused(bool paused);
  bool paused() const { return paused_; }
  void power_off();
  bool powered() const { return powered_; }
  void power_on() { powered_ = true; }
  Simulation& simulation() { return simulation_; }

 private:
  void run(std::uint64_t life, os::Callback callback);

  Simulation& simulation_;
  std::uint64_t life_ = 1;
  bool powered_ = true;
  bool paused_ = false;
  std::vector<os::Callback> held_;
};

/// A board's idea of time: runs at `rate` of true time; the wall clock may be wrong and jump.
class DriftingClock final : public os::Clock {
 public:
  explicit DriftingClock(BoardQueue& queue);
  MonotonicTime now() const override;
  WallTime wall_now() const override;
  [[nodiscard]] std::unique_ptr<os::Operation> call_at(MonotonicTime when,
                                                       os::Callback callback) override;

  /// 1.01 runs one percent fast. From now on; the time itself does not jump.
  void set_rate(double rate);
  void jump_wall(Duration by) { wall_offset_ += by; }
  /// When this clock will show `when`, at the present rate.
  MonotonicTime true_time(MonotonicTime when) const;

 private:
  BoardQueue& queue_;
  double rate_ = 1;
  MonotonicTime anchor_true_;
  MonotonicTime anchor_board_;
  Duration wall_offset_{};
};

/// Runs work after a drawn latency, one job at a time.
class SimLane final : public os::Lane {
 public:
  SimLane(BoardQueue& queue, Duration low, Duration high) : queue_(queue), low_(low), high_(high) {}
  void run(os::Callback work, os::Callback done) override;
  void begin_now() override {}
  void set_latency(Duration low, Duration high);
  /// Called around each job. When `after` says false the power went meanwhile: nobody learns of it.
  void set_hooks(std::function<void()> before, std::function<bool()> after);

 private:
  BoardQueue& queue_;
  Duration low_;
  Duration high_;
  MonotonicTime busy_until_;
  std::function<void()> before_;
  std::function<bool()> after_;
};

class SimEntropy final : public os::Entropy {
 public:
  explicit SimEntropy(Random& random) : random_(random) {}
  void fill(std::span<std::byte> out) override;

 private:
  Random& random_;
};

/// Files on the simulated disk.
class SimStorage final : public os::Storage {
 public:
  explicit SimStorage(Disk& disk) : disk_(disk) {}
  std::string vfs_name() const override { return disk_.vfs_name(); }
  Result<Bytes> read_file(const std::string& path, std::size_t bytes_max) override;
  Result<> replace_file(const std::string& path, BytesView content, unsigned mode) override;
  Result<std::unique_ptr<os::FileWriter>> create_file(const std::string& path,
                                                      unsigned mode) override;
  Result<> rename_file(const std::string& from, const std::string& to) override;
  Result<> make_directories(const std::string& path, unsigned mode) override;
  Result<> remove_file(const std::string& path) override;
  bool exists(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  Result<std::uint64_t> free_bytes(const std::string& path) override;

 private:
  Disk& disk_;
};

/// Host facts of a board, and where its log lines go: into the trace from `level` on.
class SimMachine final : public os::Board, public LogSink {
 public:
  SimMachine(Simulation& simulation, std::string hostname)
      : simulation_(simulation), hostname_(std::move(hostname)) {}
  std::string hostname() const override { return hostname_; }
  os::ProcessUsage usage() const override { return {}; }
  std::string environment(const std::string&) const override { return ""; }
  void release_memory() override {}
  LogLevel level() const override { return level_; }
  void write(LogLevel level, std::string_view component, std::string_view line) override;
  void set_level(LogLevel level) { level_ = level; }

 private:
  Simulation& simulation_;
  std::string hostname_;
  LogLevel level_ = LogLevel::info;
};

class SimBoard {
 public:
  /// `name` is its host name, `ip` its address in the fabric.
  SimBoard(Simulation& simulation, SimFabric& fabric, std::string name, std::string ip);

  os::World world();
  BoardQueue& queue() { return queue_; }
  DriftingClock& clock() { return clock_; }
  Disk& disk() { return disk_; }
  SimLane& storage_lane() { return storage_lane_; }
  /// As SimLane::set_latency() and set_hooks(), for every lane that works with the disk.
  void set_disk_latency(Duration low, Duration high);
  void set_disk_hooks(const std::function<void()>& before, const std::function<bool()>& after);
  SimEntropy& entropy() { return entropy_; }
  SimMachine& machine() { return machine_; }
  const std::string& name() const { return name_; }

  /// Cuts the power: drops queued events and what the disk had not synced. Destroy what runs on the
  /// board afterwards.
  void power_off();
  /// Nothing when it is on.
  void power_on();
  /// The processes die and the power stays: drops queued events; the disk keeps all that was
  /// written.
  void restart_processes();

 private:
  std::string name_;
  BoardQueue queue_;
  DriftingClock clock_;
  SimHost network_;
  Disk disk_;
  SimStorage storage_;
  SimLane storage_lane_;
  SimLane log_lane_;
  SimLane crypto_lane_;
  SimEntropy entropy_;
  SimMachine machine_;
};

}  // namespace tripod::sim
