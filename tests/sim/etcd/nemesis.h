#pragma once
// Takes members, links, disks and clocks from a cluster, one thing at a time.
//
// Lives as long as the run: it hooks into the disk lanes of the boards.

#include "tests/sim/etcd/world.h"

namespace tripod::etcd::robustness {

class Nemesis {
 public:
  explicit Nemesis(World& world);
  ~Nemesis();
  Nemesis(const Nemesis&) = delete;
  Nemesis& operator=(const Nemesis&) = delete;

  /// Does one thing, or takes one back.
  void act();
  void start_some();
  /// Takes everything back and starts whoever is down.
  void make_peace();

 private:
  /// What happens to the next job with the disk, of whichever board.
  enum class Trap : std::uint8_t {
    none,
    power_cut,  // between two operations of the disk that it makes
    bad_disk    // one of them fails, and the member with it
  };

  void hook(std::size_t node);
  void before_job(std::size_t node);
  bool after_job(std::size_t node);
  void act_on_processes(std::size_t node);
  void act_on_the_network(std::size_t node);
  void act_on_the_board(std::size_t node);

  void crash(std::size_t node);
  void kill(std::size_t node);
  void stop(std::size_t node);
  void start(std::size_t node);
  void pause(std::size_t node, Duration time);
  void hand_over();
  void lag(std::size_t node);
  void fill_disk(std::size_t node);
  void went_down(std::size_t node);
  void later(Duration time, std::function<void()> what);

  World& world_;
  SimCluster& cluster_;
  Trap trap_ = Trap::none;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace tripod::etcd::robustness
