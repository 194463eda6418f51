#pragma once
// The clients of a run: some write and read, one takes leases, one compacts, some watch. All stop
// when there is peace.

#include "platform/async/task.h"
#include "tests/sim/etcd/world.h"

namespace tripod::etcd::robustness {

/// Asks, waits for the answer, thinks.
Task<void> client(World* world, std::size_t number);
/// Takes leases, keeps each alive for a while, and lets it run out.
Task<void> lease_holder(World* world);
/// Compacts at revisions that the watches of everything have passed; the others may be behind.
Task<void> compactor(World* world);

void add_watchers(World& world);
/// Whoever has no watch gets one at a member that lives.
void attach_loose(World& world);
void detach_from(World& world, std::size_t node);

}  // namespace tripod::etcd::robustness
