#pragma once
// The scheduler of one board: waits for the lease kube-scheduler, then gives each pending pod a
// node. The decisions are place() and Queue; here are the caches, the binding, events and
// conditions.
//
//   Scheduler scheduler(transport, world, config, &metrics);
//   // Until the scope is cancelled; then stops, releases the lease and returns.
//   scope.spawn(scheduler.run());
//
// Loop thread only. Transport, world and metrics outlive it.

#include <memory>

#include "firmware/election/elector.h"
#include "platform/base/metrics.h"
#include "platform/http/message.h"
#include "platform/os/board.h"

namespace tripod::scheduler {

struct Config {
  election::Config leader_election;  // name and identity are filled in when empty
  std::string scheduler_name = "default-scheduler";
  double requests_per_second = 100;
  int burst = 200;
  std::size_t bindings_max = 64;  // on their way at once
};

class Scheduler {
 public:
  Scheduler(http::Transport& transport, os::World& world, Config config,
            metrics::Registry* metrics);
  ~Scheduler();

  Task<void> run();
  const election::Elector& elector() const;

 private:
  class Session;
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace tripod::scheduler
