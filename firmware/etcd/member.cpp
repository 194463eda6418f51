#include "firmware/etcd/member.h"

#include <algorithm>
#include <format>

#include "firmware/etcd/mvcc/authorize.h"
#include "firmware/etcd/mvcc/commands/checks.h"
#include "firmware/etcd/server/core.h"
#include "firmware/etcd/version.h"
#include "platform/async/sync.h"

namespace tripod::etcd {

Member::Member(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}

Member::~Member() = default;

Task<void> Member::stop() {
  Implementation& member = *implementation_;
  CHECK(!member.stopping, "stop() is called once");
  // Leadership goes to whoever has most of the log; an election timeout is all it may take.
  if (is_leader()) {
    raft::NodeId best;
    raft::LogIndex match;
    for (const auto& [node, progress] : member.replica->raft().progress()) {
      if (node.value == member.plan.self || progress.learner ||
          !member.transport->connected(node.value))
        continue;
      if (!best || progress.match > match) {
        best = node;
        match = progress.match;
      }
    }
    if (best) member.replica->step(raft::TransferLeadership{best});
    const MonotonicTime limit = member.world.clock.now() + member.options.election_timeout;
    while (best && is_leader() && member.world.clock.now() < limit) {
      if (!co_await async::sleep_for(member.world.clock, Milliseconds(10))) break;
    }
  }
  member.stopping = true;
  member.lease_timer.reset();
  member.proposals->stop();
  member.reads->stop();
  member.passwords.stop();
  member.scope.cancel();
  co_await member.scope.join();
  co_await member.snapshot_sender->stop();
  co_await member.snapshot_receiver->stop();
  co_await member.transport->stop();
  co_await member.housekeeper->stop();
  co_await member.replica->halt();
  member.log.info("stopped", LogField("applied", member.store->applied_index()));
  member.stopped = true;
}

// --- KV ---

Task<grpc::Reply<RangeResponse>> Member::range(RangeRequest request, Credentials who) {
  if (auto refused = check(request)) co_return reject(*refused);
  if (!request.serializable && !who.is_board() && is_learner()) {
    co_return reject(outcome::not_for_learners);
  }
  if (!request.serializable) {
    auto confirmed = co_await implementation_->reads->confirm();
    if (!confirmed) co_return std::unexpected(std::move(confirmed.error()));
  }
  if (!who.is_board() && implementation_->store->auth().enabled()) {
    auto allowed = co_await require_read(request.key, request.range_end, std::move(who));
    if (!allowed) co_return std::unexpected(std::move(allowed.error()));
  }
  auto reply = implementation_->store->space().range(request);
  if (reply) fill(reply->header);
  co_return reply;
}

Task<grpc::Reply<PutResponse>> Member::put(PutRequest request, Credentials who) {
  if (auto refused = check(request)) co_return reject(*refused);
  auto reply = co_await implementation_->write<PutResponse>(std::move(request), std::move(who));
  if (reply) fill(reply->header);
  co_return reply;
}

Task<grpc::Reply<DeleteRangeResponse>> Member::delete_range(DeleteRangeRequest request,
                                                            Credentials who) {
  if (auto refused = check(request)) co_return reject(*refused);
  auto reply =
      co_await implementation_->write<DeleteRangeResponse>(std::move(request), std::move(who));
  if (reply) fill(reply->header);
  co_return reply;
}

Task<grpc::Reply<TxnResponse>> Member::txn(TxnRequest request, Credentials who) {
  if (auto refused = check(request, implementation_->options.max_txn_ops))
    co_return reject(*refused);
  if (!is_read_only(request)) {
    auto reply = co_await implementation_->write<TxnResponse>(std::move(request), std::move(who));
    if (reply) fill(reply->header);
    co_return reply;
  }
  if (!is_serializable(request)) {
    auto confirmed = co_await implementation_->reads->confirm();
    if (!confirmed) co_return std::unexpected(std::move(confirmed.error()));
  }
  auto caller = co_await implementation_->identify(std::move(who));
  if (!caller) co_return std::unexpected(std::move(caller.error()));
  Store& store = *implementation_->store;
  if (auto refused = authorize(store.auth(), store.leases(), *caller, request)) {
    co_return reject(*refused);
  }
  Events events;
  auto reply = store.space().txn(std::move(request), events);
  CHECK(events.empty());
  if (reply) fill(reply->header);
  co_return reply;
}

Task<grpc::Reply<CompactionResponse>> Member::compact(CompactionRequest request, Credentials who) {
  const bool physical = request.physical;
  auto reply =
      co_await implementation_->write<CompactionResponse>(std::move(request), std::move(who));
  if (reply && physical) {
    async::Oneshot<void> gone;
    implementation_->housekeeper->when_compacted([gone]() mutable { gone.set(); });
    auto waited = co_await gone;
    if (!waited) co_return std::unexpected(grpc::Status::from_error(waited.error()));
  }
  if (reply) fill(reply->header);
  co_return reply;
}

Task<grpc::Reply<Revision>> Member::read_revision() {
  auto confirmed = co_await implementation_->reads->confirm();
  if (!confirmed) co_return std::unexpected(std::move(confirmed.error()));
  co_return revision();
}

// --- Lease ---

Task<grpc::Reply<LeaseGrantResponse>> Member::lease_grant(LeaseGrantRequest request,
                                                          Credentials who) {
  auto allowed = co_await require_user(who);
  if (!allowed) co_return std::unexpected(std::move(allowed.error()));
  // Ids are positive; a collision is answered by lease_exists, as in etcd.
  while (request.id == 0) {
    request.id =
        static_cast<LeaseId>(implementation_->world.entropy.next() & 0x7FFFFFFFFFFFFFFFULL);
  }
  auto reply =
      co_await implementation_->write<LeaseGrantResponse>(std::move(request), std::move(who));
  if (reply) fill(reply->header);
  co_return reply;
}

Task<grpc::Reply<LeaseRevokeResponse>> Member::lease_revoke(LeaseRevokeRequest request,
                                                            Credentials who) {
  auto allowed = co_await require_user(who);
  if (!allowed) co_return std::unexpected(std::move(allowed.error()));
  auto reply =
      co_await implementation_->write<LeaseRevokeResponse>(std::move(request), std::move(who));
  if (reply) fill(reply->header);
  co_return reply;
}

Task<grpc::Reply<LeaseLeasesResponse>> Member::lease_leases(Credentials who) {
  auto confirmed = co_await implementation_->reads->confirm();
  if (!confirmed) co_return std::unexpected(std::move(confirmed.error()));
  auto allowed = co_await require_user(who);
  if (!allowed) co_return std::unexpected(std::move(allowed.error()));
  auto caller = co_await implementation_->identify(std::move(who));
  if (!caller) co_return std::unexpected(std::move(caller.error()));
  const Store& store = *implementation_->store;
  LeaseLeasesResponse response;
  for (const auto& [id, lease] : store.leases().all()) {
    if (*caller) {
      const auto refused = may_read_lease(store.auth(), store.leases(), **caller, id);
      if (refused) co_return reject(*refused);
    }
    response.leases.push_back({id});
  }
  if (store.leases().primary()) {  // who knows the times names the next to end first
    std::ranges::stable_sort(response.leases, {}, [&store](const LeaseStatus& lease) {
      return store.leases().find(lease.id)->expiry;
    });
  }
  fill(response.header);
  co_return response;
}

// --- Cluster and Maintenance ---

Task<grpc::Reply<std::shared_ptr<SnapshotStream>>> Member::snapshot() {
  if (implementation_->stopping) co_return reject(outcome::stopped);
  auto stream = co_await implementation_->snapshots->open();
  if (!stream) co_return std::unexpected(grpc::Status::from_error(stream.error()));
  co_return std::move(*stream);
}

WatchHub& Member::watches() {
  return implementation_->store->watches();
}

// --- facts ---

void Member::fill(ResponseHeader& header) const {
  fill_identity(header);
  if (header.revision == 0) header.revision = revision();
}

MemberId Member::id() const {
  return implementation_->plan.self;
}
ClusterId Member::cluster_id() const {
  return implementation_->plan.cluster;
}
const Options& Member::options() const {
  return implementation_->options;
}
MemberId Member::leader() const {
  return implementation_->leader();
}
bool Member::is_leader() const {
  return implementation_->replica->raft().role() == raft::Role::leader;
}
std::uint64_t Member::term() const {
  return implementation_->replica->raft().term().value;
}
std::uint64_t Member::applied_index() const {
  return implementation_->store->applied_index();
}
Revision Member::revision() const {
  return implementation_->store->space().revision();
}
bool Member::no_space() const {
  return implementation_->housekeeper->no_space();
}
void Member::run_in_background(Task<void> task) {
  if (!implementation_->stopping) implementation_->scope.spawn(std::move(task));
}
const os::World& Member::world() const {
  return implementation_->world;
}
metrics::Registry& Member::metrics() {
  return implementation_->metrics;
}

std::optional<Duration> Member::without_leader() const {
  if (leader() != 0 || !implementation_->leader_lost_at) return std::nullopt;
  return implementation_->world.clock.now() - *implementation_->leader_lost_at;
}

grpc::Reply<KeySpaceHash> Member::hash(Revision revision) {
  return implementation_->store->space().hash(revision);
}

namespace {

class Observation final : public os::Operation {
 public:
  explicit Observation(std::function<void()> end) : end_(std::move(end)) {}
  ~Observation() override { end_(); }

 private:
  std::function<void()> end_;
};

}  // namespace

std::unique_ptr<os::Operation> Member::observe_leadership(std::function<void()> changed) {
  const std::uint64_t id = implementation_->next_observer++;
  implementation_->leadership_observers.emplace(id, std::move(changed));
  return std::make_unique<Observation>([id, alive = std::weak_ptr(implementation_->self)] {
    if (auto self = alive.lock()) (*self)->leadership_observers.erase(id);
  });
}

std::unique_ptr<os::Operation> Member::observe_removal(std::function<void()> removed) {
  const std::uint64_t id = implementation_->next_observer++;
  implementation_->removal_observers.emplace(id, std::move(removed));
  return std::make_unique<Observation>([id, alive = std::weak_ptr(implementation_->self)] {
    if (auto self = alive.lock()) (*self)->removal_observers.erase(id);
  });
}

}  // namespace tripod::etcd
