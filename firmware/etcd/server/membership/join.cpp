#include "firmware/etcd/join.h"

#include <format>

#include "firmware/etcd/peer/discover.h"
#include "firmware/etcd/server/membership/bootstrap.h"
#include "platform/async/sync.h"

namespace tripod::etcd {
namespace {

constexpr Duration pause = std::chrono::seconds(1);
constexpr std::size_t mismatches_max = 5;  // a member may be behind the others for a moment

using Found = Result<std::shared_ptr<const ClusterDescription>>;

/// One round of questions: the first list that has a place for this member, or the best reason why
/// there is none.
Task<Found> ask_all(os::World world, Options options, PeerTls tls, ClusterPlan plan) {
  Error trouble{ErrorCode::unavailable, "initial-cluster names nobody else"};
  for (const PlannedMember& member : plan.members) {
    if (member.id == plan.self) continue;
    for (const os::Address& address : member.addresses) {
      auto answer = co_await peer::ask_cluster(world, tls, address);
      if (!answer) {
        if (trouble == ErrorCode::unavailable) {
          trouble = {ErrorCode::unavailable,
                     std::format("{}: {}", address.to_string(), answer.error().to_string())};
        }
        continue;
      }
      auto description = decode_description(*answer);
      if (!description) {
        trouble = wrap(address.to_string(), description.error()).error();
        continue;
      }
      auto place = find_place(plan, options, *description);
      if (place) co_return std::make_shared<const ClusterDescription>(std::move(*description));
      trouble = place.error();
    }
  }
  co_return std::unexpected(trouble);
}

}  // namespace

Task<Found> find_cluster(os::World world, Options options, PeerTls tls, Duration patience) {
  if (options.initial_cluster_state != "existing") co_return nullptr;
  const ClusterDescription nobody{};
  auto origin = find_origin(world, options, &nobody);
  if (origin) co_return nullptr;  // the files know
  auto plan = plan_cluster(options);
  if (!plan) co_return std::unexpected(plan.error());
  Logger log(world.log, "etcd");
  const MonotonicTime deadline = world.clock.now() + patience;
  std::size_t mismatches = 0;
  std::string said;
  for (;;) {
    auto found = co_await ask_all(world, options, tls, *plan);
    if (found || found.error() == ErrorCode::cancelled) co_return found;
    const Error trouble = found.error();
    if (trouble != ErrorCode::unavailable && ++mismatches >= mismatches_max) co_return found;
    if (said != trouble.message) {
      said = trouble.message;
      log.warn("asking who is in the cluster", LogField("reason", said));
    }
    if (world.clock.now() + pause >= deadline) {
      co_return fail(trouble.code, "cannot fetch cluster info from peer urls: " + trouble.message);
    }
    if (auto slept = co_await async::sleep_for(world.clock, pause); !slept) {
      co_return std::unexpected(slept.error());
    }
  }
}

}  // namespace tripod::etcd
