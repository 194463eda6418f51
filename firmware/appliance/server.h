#pragma once
// The server as the child of process 1: started, listened to, started again when it ends, later
// each time. What it printed last is kept with the reason of its end on the data partition. Loop
// thread only.

#include <memory>

#include "firmware/appliance/log_tail.h"
#include "platform/async/sync.h"
#include "platform/boards/supervise/backoff.h"
#include "platform/boards/supervise/child.h"
#include "platform/boards/supervise/heartbeat.h"
#include "platform/boards/supervise/watchdog.h"
#include "platform/linux/loop.h"
#include "platform/os/board.h"

namespace tripod::appliance {

class Server {
 public:
  struct Options {
    std::function<boards::ChildSpec()> child;             // asked for at each start
    std::string crash_folder;                             // where records are kept; empty: nowhere
    std::function<void(std::string_view line)> print;     // what the server printed
    std::function<void(const boards::Heartbeat&)> heard;  // each heartbeat
  };
  static constexpr std::size_t crash_records_max = 10;

  /// What is given outlives the server; `scope` runs its tasks.
  Server(Options options, os::World world, linux_os::Loop& loop, Scope& scope);

  void start();
  /// To be told of every child that was reaped.
  void ended(const boards::ChildEnd& end);
  /// Asks it to stop, and makes it after `patience`; it is not started again. Returns when it is
  /// gone.
  Task<void> stop(Duration patience);

  const boards::ServerState& state() const { return state_; }
  int pid() const { return child_.pid; }
  int restarts() const { return restarts_; }
  /// Of the last end; empty when it never ended.
  const std::string& last_end() const { return last_end_; }

 private:
  void read_output();
  void read_heartbeats();
  void hear(const boards::Heartbeat& heartbeat);
  /// Writes the record beside the loop.
  Task<void> record(std::string text);
  std::string explain(const boards::ChildEnd& end);

  Options options_;
  os::World world_;
  linux_os::Loop& loop_;
  Scope& scope_;
  Logger log_;
  boards::ServerState state_;
  boards::Backoff backoff_;
  boards::ChildSpec spec_;  // of the child
  boards::Child child_;
  LogTail tail_;
  std::string heartbeats_;  // not yet a whole line
  std::unique_ptr<os::Operation> output_watch_;
  std::unique_ptr<os::Operation> heartbeat_watch_;
  std::unique_ptr<os::Operation> restart_;
  async::Signal gone_;
  MonotonicTime started_;
  std::uint64_t memory_kills_ = 0;
  std::string last_end_;
  int restarts_ = 0;
  bool stopping_ = false;
};

/// The next free name of a record, and which old ones are too many.
struct RecordNames {
  std::string next;
  std::vector<std::string> surplus;
};
RecordNames plan_records(std::vector<std::string> names, std::size_t records_max);

}  // namespace tripod::appliance
