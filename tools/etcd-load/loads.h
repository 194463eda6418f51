#pragma once
// The loads. Each is a coroutine that prepares what it needs, says `begin` when it measures, and
// returns when it has measured; what went wrong is in the report.
//
// Loop thread. Everything in Bench outlives the run.

#include <functional>

#include "tools/etcd-load/fleet.h"
#include "tools/etcd-load/report.h"

namespace tripod::load {

struct Bench {
  const Options& options;
  os::World world;
  Fleet& fleet;
  Report& report;
  std::function<void()> begin;  // said once, when what follows is measured

  MonotonicTime now() const { return world.clock.now(); }
  /// "bench/00000042": of sequence numbers in turn over the key space.
  Bytes key(std::uint64_t sequence) const;
};

/// put, get, list, mix.
Task<void> run_unary(Bench* bench);
/// `clients` watches on one prefix; an operation is an event that one of them was told of.
Task<void> run_watch(Bench* bench);
/// `clients` leases, each renewed again and again; an operation is a renewal.
Task<void> run_lease(Bench* bench);

/// Writes every key once.
Task<grpc::Reply<void>> fill(Bench* bench);
/// Until `call` has no more to say; every event counts.
Task<void> count_events(Bench* bench, grpc::ClientCall* call);
/// A Watch stream of that connection with `count` watches on all keys, all acknowledged.
Task<grpc::Reply<std::unique_ptr<grpc::ClientCall>>> open_watches(Bench* bench, std::size_t line,
                                                                  int count);

}  // namespace tripod::load
