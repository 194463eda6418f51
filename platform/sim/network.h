#pragma once
// Streams between simulated boards, over Links: ordered and reliable as TCP is, so that a lost
// packet shows as a delay, a partition as silence and, after a while, as a reset.
//
// Lives in a Simulation, which outlives it; streams and listeners must be gone before the fabric.

#include <map>
#include <memory>
#include <set>
#include <string>

#include "platform/os/network.h"
#include "platform/sim/links.h"

namespace tripod::sim {

class SimStream;
class SimListener;

/// One fabric for all boards; each board's modules get its SimHost.
class SimFabric {
 public:
  SimFabric(Simulation& simulation, Links& links) : simulation_(simulation), links_(links) {}
  ~SimFabric();
  SimFabric(const SimFabric&) = delete;
  SimFabric& operator=(const SimFabric&) = delete;

  /// A retransmission waits this long; a connection silent for `reset_after` while sending is
  /// reset.
  Duration retransmit_after = std::chrono::milliseconds(200);
  Duration reset_after = std::chrono::seconds(5);
  /// What a receiver takes in unread before the sender has to wait.
  std::size_t window_bytes = 64 * 1024;

 private:
  friend class SimHost;
  friend class SimStream;
  friend class SimListener;

  Simulation& simulation_;
  Links& links_;
  std::map<os::Address, SimListener*> listeners_;
  std::set<SimStream*> streams_;
  std::uint16_t next_port_ = 40000;
};

/// The network as one host sees it.
class SimHost final : public os::Network {
 public:
  /// Callbacks run on `executor`.
  SimHost(SimFabric& fabric, os::Executor& executor, std::string ip)
      : fabric_(fabric), executor_(executor), ip_(std::move(ip)) {}
  Result<std::unique_ptr<os::Listener>> listen(const os::Address& address, Accept accept) override;
  [[nodiscard]] std::unique_ptr<os::Operation> connect(const os::Address& address,
                                                       Connected done) override;
  [[nodiscard]] std::unique_ptr<os::Operation> resolve(const std::string& host,
                                                       Resolved done) override;

 private:
  using Wanted = std::weak_ptr<Connected>;

  void attempt(const os::Address& address, const Wanted& wanted, MonotonicTime give_up);
  void establish(const os::Address& address, const Wanted& wanted);
  void answer(const Wanted& wanted, Result<std::unique_ptr<os::Stream>> result);

  SimFabric& fabric_;
  os::Executor& executor_;
  std::string ip_;
};

}  // namespace tripod::sim
