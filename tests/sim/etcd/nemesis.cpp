#include "tests/sim/etcd/nemesis.h"

#include <format>

#include "tests/sim/etcd/clients.h"

namespace tripod::etcd::robustness {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

/// Operations of the disk that one job of the storage lane makes, about.
constexpr std::uint64_t operations_of_a_job = 12;
/// Far less than a member keeps in reserve (Options::disk_reserve_bytes), so that it refuses
/// writes, and enough for what it writes until then.
constexpr std::uint64_t nearly_full_bytes = 8 * 1024 * 1024;

}  // namespace

Nemesis::Nemesis(World& world) : world_(world), cluster_(world.cluster) {
  for (std::size_t node = 0; node < cluster_.boards(); ++node) hook(node);
}

Nemesis::~Nemesis() {
  for (std::size_t node = 0; node < cluster_.boards(); ++node) {
    cluster_.board(node).set_disk_hooks({}, {});
  }
}

void Nemesis::act() {
  const std::size_t node = world_.any_node();
  switch (world_.random().below(5)) {
    case 0:
    case 1: act_on_processes(node); break;
    case 2:
    case 3: act_on_the_network(node); break;
    default: act_on_the_board(node);
  }
}

void Nemesis::act_on_processes(std::size_t node) {
  switch (world_.random().below(10)) {
    case 0:
    case 1: crash(node); break;
    case 2:
      for (std::size_t each = 0; each < cluster_.boards(); ++each) crash(each);
      break;
    case 3: kill(node); break;
    case 4:
      if (cluster_.running(node)) stop(node);
      break;
    case 5: hand_over(); break;
    case 6: pause(node, milliseconds(50 + world_.random().below(2500))); break;
    case 7: trap_ = Trap::bad_disk; break;
    default: trap_ = Trap::power_cut;
  }
}

void Nemesis::act_on_the_network(std::size_t node) {
  switch (world_.random().below(8)) {
    case 0: cluster_.isolate(node); break;
    case 1:
    case 2: cluster_.cut((node + 1) % cluster_.boards(), node); break;
    case 3: lag(node); break;
    case 4: cluster_.set_loss(0.01 * static_cast<double>(world_.random().below(20))); break;
    default: cluster_.heal();
  }
}

void Nemesis::act_on_the_board(std::size_t node) {
  sim::SimBoard& board = cluster_.board(node);
  switch (world_.random().below(4)) {
    case 0: {
      const double error =
          clock_error_max * (static_cast<double>(world_.random().below(201)) - 100) / 100;
      board.clock().set_rate(1 + error);
      break;
    }
    case 1: board.clock().jump_wall(seconds(world_.random().below(7200)) - seconds(3600)); break;
    case 2:
      board.set_disk_latency(milliseconds(1), milliseconds(1 + world_.random().below(300)));
      break;
    default: fill_disk(node);
  }
}

void Nemesis::make_peace() {
  trap_ = Trap::none;
  cluster_.heal();
  cluster_.set_loss(0);
  for (std::size_t node = 0; node < cluster_.boards(); ++node) {
    sim::SimBoard& board = cluster_.board(node);
    board.queue().set_paused(false);
    board.clock().set_rate(1);
    board.disk().set_capacity(UINT64_MAX);
    board.set_disk_latency(std::chrono::microseconds(100), milliseconds(2));
  }
  for (std::size_t node = 0; node < cluster_.boards(); ++node) {
    if (!cluster_.running(node)) start(node);
  }
}

void Nemesis::start_some() {
  for (std::size_t node = 0; node < cluster_.boards(); ++node) {
    if (!cluster_.running(node) && world_.lucky(2)) start(node);
  }
}

// --- the disk, in the middle of what it does ---

void Nemesis::hook(std::size_t node) {
  cluster_.board(node).set_disk_hooks([this, node] { before_job(node); },
                                      [this, node] { return after_job(node); });
}

void Nemesis::before_job(std::size_t node) {
  if (trap_ == Trap::none) return;
  sim::Disk& disk = cluster_.board(node).disk();
  const std::uint64_t operation = world_.random().below(operations_of_a_job);
  if (trap_ == Trap::power_cut) disk.trip_after(operation);
  if (trap_ == Trap::bad_disk) {
    disk.fail_after(operation, world_.lucky(2) ? sim::DiskError::io : sim::DiskError::full);
  }
}

/// False when the member did not survive the job.
bool Nemesis::after_job(std::size_t node) {
  sim::Disk& disk = cluster_.board(node).disk();
  if (!disk.tripped() && !disk.failed()) {
    disk.trip_never();
    disk.fail_never();
    return true;
  }
  trap_ = Trap::none;
  if (disk.tripped()) ++world_.result.crashes_in_a_write;
  if (disk.failed()) ++world_.result.disk_errors;
  // After a failed sync nobody knows what the disk has: it is as after a power cut.
  crash(node);
  return false;
}

void Nemesis::fill_disk(std::size_t node) {
  sim::Disk& disk = cluster_.board(node).disk();
  disk.set_capacity(disk.used_bytes() + nearly_full_bytes);
  later(milliseconds(1000 + world_.random().below(6000)),
        [&disk] { disk.set_capacity(UINT64_MAX); });
}

/// A run that ends in a violation ends before what was to come.
void Nemesis::later(Duration time, std::function<void()> what) {
  cluster_.after(time, [alive = std::weak_ptr(alive_), what = std::move(what)] {
    if (!alive.expired()) what();
  });
}

// --- members ---

/// Most come back when the run's loop likes; some at once, while others are still electing.
void Nemesis::went_down(std::size_t node) {
  ++world_.result.crashes;
  if (!world_.lucky(2)) return;
  later(milliseconds(1 + world_.random().below(200)), [this, node] {
    if (!world_.peace && !cluster_.running(node)) start(node);
  });
}

void Nemesis::crash(std::size_t node) {
  if (!cluster_.running(node)) return;
  detach_from(world_, node);
  cluster_.board(node).queue().set_paused(false);
  cluster_.crash(node);
  went_down(node);
}

void Nemesis::kill(std::size_t node) {
  if (!cluster_.running(node)) return;
  detach_from(world_, node);
  cluster_.board(node).queue().set_paused(false);
  cluster_.kill(node);
  went_down(node);
}

/// As a board stops: first nobody is let in, until the member is gone.
void Nemesis::stop(std::size_t node) {
  cluster_.board(node).queue().set_paused(false);
  detach_from(world_, node);
  world_.leaving = node;
  const bool drained = cluster_.run_until([&] { return world_.calls[node] == 0; }, 2 * patience);
  trap_ = Trap::none;
  if (!drained) world_.result.violations.push_back("a call does not end");
  if (drained && cluster_.running(node)) cluster_.stop(node);  // or a crash came first
  world_.leaving.reset();
}

/// The leader stops, which hands leadership over, and comes back.
void Nemesis::hand_over() {
  const auto leader = cluster_.find_leader();
  if (!leader) return;
  stop(*leader);
  ++world_.result.hand_overs;
  if (!cluster_.running(*leader)) start(*leader);
}

void Nemesis::start(std::size_t node) {
  auto started = cluster_.try_start(node, [](Options&) {});
  if (!started) {
    world_.result.violations.push_back(
        std::format("node {} does not start: {}", node, started.error().to_string()));
  }
}

void Nemesis::pause(std::size_t node, Duration time) {
  if (!cluster_.running(node)) return;
  cluster_.board(node).queue().set_paused(true);
  later(time, [this, node] { cluster_.board(node).queue().set_paused(false); });
}

/// Away long enough to be far behind.
void Nemesis::lag(std::size_t node) {
  cluster_.isolate(node);
  later(milliseconds(3000 + world_.random().below(6000)), [this] { cluster_.heal(); });
}

}  // namespace tripod::etcd::robustness
