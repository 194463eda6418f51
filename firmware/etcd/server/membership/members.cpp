// The Cluster service: who is in the cluster, and how that changes. Any member takes a change; what
// only the leader knows (whether a learner has caught up) is asked of it.
#include <algorithm>
#include <format>

#include "firmware/etcd/api/codec.h"
#include "firmware/etcd/raft/codec.h"
#include "firmware/etcd/server/core.h"
#include "platform/async/sync.h"

namespace tripod::etcd {
namespace {

constexpr Duration health_interval = std::chrono::seconds(5);
constexpr Duration retry_pause = Milliseconds(50);
constexpr double learner_ready_share = 0.9;

raft::ConfChangeType type_of(const MemberChange& change) {
  switch (change.kind) {
    case MemberChange::Kind::add:
      return change.member.is_learner ? raft::ConfChangeType::add_learner
                                      : raft::ConfChangeType::add_voter;
    case MemberChange::Kind::promote: return raft::ConfChangeType::add_voter;
    case MemberChange::Kind::remove: return raft::ConfChangeType::remove;
    case MemberChange::Kind::update: return raft::ConfChangeType::update;
  }
  return raft::ConfChangeType::update;
}

std::string_view name_of(MemberChange::Kind kind) {
  switch (kind) {
    case MemberChange::Kind::add: return "added member";
    case MemberChange::Kind::promote: return "promoted member";
    case MemberChange::Kind::remove: return "removed member";
    case MemberChange::Kind::update: return "updated member";
  }
  return "changed member";
}

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ",") + text;
  return out;
}

}  // namespace

// --- what the log says ---

void Member::Implementation::apply_change(const raft::Entry& entry) {
  auto change = raft::decode_conf_change(entry.view());
  auto member = change ? decode_member_change(change->context)
                       : Result<MemberChange>(std::unexpected(change.error()));
  if (!member) {
    fatal(std::format("etcd: cannot apply log entry {}: {}", entry.index.value,
                      member.error().to_string()));
  }
  const bool news = entry.index.value > store->members().index();
  store->apply(entry.index.value, entry.term.value, *member);
  changes->applied(member->id);
  if (!news) return;
  log.info(name_of(member->kind), LogField("member", std::format("{:x}", member->member.id)),
           LogField("peer-urls", joined(member->member.peer_urls)),
           LogField("learner", member->member.is_learner));
  members_changed = true;
}

/// The connections, and what depends on being in the list, follow it.
void Member::Implementation::follow_members() {
  members_changed = false;
  std::vector<peer::Peer> peers;
  for (const auto& [id, member] : store->members().all()) {
    auto addresses = addresses_of(member.peer_urls);
    if (id != plan.self && addresses) peers.push_back({id, std::move(*addresses)});
  }
  transport->set_peers(peers);
  if (store->members().removed(plan.self)) say_removed("the log");
}

void Member::Implementation::say_removed(std::string_view who) {
  if (std::exchange(removed, true) || stopping) return;
  log.error(
      "the member has been permanently removed from the cluster; its data are of no use any more",
      LogField("member", std::format("{:x}", plan.self)), LogField("said-by", who),
      LogField("data-dir", options.data_dir));
  const auto observers = removal_observers;
  for (const auto& [id, observer] : observers) {
    if (removal_observers.contains(id)) observer();
  }
}

bool Member::Implementation::was_removed(MemberId member) {
  return store->members().removed(member);
}

void Member::Implementation::on_removed(MemberId by) {
  say_removed(std::format("member {:x}", by));
}

Bytes Member::Implementation::describe_cluster() {
  const MemberBook& book = store->members();
  return encode(
      ClusterDescription{.cluster = plan.cluster,
                         .index = book.index(),
                         .members = book.list(),
                         .removed = {book.all_removed().begin(), book.all_removed().end()}});
}

// --- changes ---

std::size_t Member::Implementation::voters_connected(Duration since) const {
  const MonotonicTime before = world.clock.now() - since;
  const std::vector<MemberId> voters = store->members().voters();
  return static_cast<std::size_t>(std::ranges::count_if(voters, [&](MemberId id) {
    const auto connected = transport->connected_since(id);
    return id == plan.self || (connected && *connected <= before);
  }));
}

std::optional<Outcome> Member::Implementation::strictly_refused(const MemberChange& change) const {
  if (!options.strict_reconfig_check) return std::nullopt;
  const MemberBook& book = store->members();
  const std::size_t voters = book.voters().size();
  if (change.kind == MemberChange::Kind::promote && !book.ready_to_promote()) {
    return outcome::not_enough_started;
  }
  if (change.kind == MemberChange::Kind::add) {
    if (!change.member.is_learner && !book.ready_to_add_voter()) return outcome::not_enough_started;
    if (voters_connected(health_interval) < voters) return outcome::unhealthy;
  }
  const MemberId id = change.member.id;
  const MemberInfo* known = book.find(id);
  if (change.kind != MemberChange::Kind::remove || known == nullptr || known->is_learner) {
    return std::nullopt;
  }
  if (!book.ready_to_remove_voter(id)) return outcome::not_enough_started;
  // One that is down is not part of the majority that works.
  if (id != plan.self && !transport->connected(id)) return std::nullopt;
  if (voters_connected(health_interval) < 2 + (voters - 1) / 2) return outcome::unhealthy;
  return std::nullopt;
}

/// Decides and proposes, again while the configuration changes under it, until it is applied here.
Task<grpc::Reply<void>> Member::Implementation::change_members(MemberChange change) {
  const MonotonicTime started = world.clock.now();
  const MonotonicTime deadline = started + request_patience(options);
  for (;;) {
    if (stopping) co_return reject(outcome::stopped);
    if (auto refused = strictly_refused(change)) co_return reject(*refused);
    if (auto refused = store->members().refuses(change, options.max_learners)) {
      co_return reject(*refused);
    }
    change.id = changes->next();
    auto answer = changes->expect(change.id);
    replica->step(raft::ProposeConfChange{MemberChanges::token_of(change.id),
                                          {type_of(change),
                                           {change.member.id},
                                           encode(change),
                                           raft::LogIndex{store->members().index()}}});
    auto ended = co_await async::with_timeout(world.clock, deadline - world.clock.now(),
                                              wait_for_change(answer));
    changes->forget(change.id);
    if (!ended) {
      if (ended.error() == ErrorCode::timeout) co_return reject(why_timeout(started));
      co_return std::unexpected(grpc::Status::from_error(ended.error()));
    }
    if (!*ended) co_return grpc::Reply<void>{};
    if (**ended == raft::Refused::not_a_member) co_return reject(outcome::stopped);
    if (**ended == raft::Refused::change_invalid) co_return reject(outcome::not_enough_started);
    if (world.clock.now() + retry_pause >= deadline) co_return reject(why_timeout(started));
    if (auto slept = co_await async::sleep_for(world.clock, retry_pause); !slept) {
      co_return std::unexpected(grpc::Status::from_error(slept.error()));
    }
  }
}

Task<Result<MemberChanges::Answer>> Member::Implementation::wait_for_change(
    async::Oneshot<MemberChanges::Answer> answer) {
  co_return co_await answer;
}

/// The leader's part of a promotion: has the learner nearly everything?
Task<grpc::Reply<Bytes>> Member::Implementation::promote_as_leader(MemberPromoteRequest request) {
  const raft::Raft& core = replica->raft();
  if (core.role() != raft::Role::leader) co_return reject(outcome::not_leader);
  auto caught_up = co_await reads->wait_applied(core.committed());
  if (!caught_up) co_return std::unexpected(std::move(caught_up.error()));
  if (core.role() != raft::Role::leader) co_return reject(outcome::not_leader);
  const auto learner = core.progress().find({request.id});
  if (learner == core.progress().end()) co_return reject(outcome::member_not_found);
  const auto match = static_cast<double>(learner->second.match.value);
  const auto own = static_cast<double>(core.progress().at({plan.self}).match.value);
  if (learner->second.learner && match < own * learner_ready_share) {
    co_return reject(outcome::learner_not_ready);
  }
  auto changed = co_await change_members(
      {.id = {}, .kind = MemberChange::Kind::promote, .member = {.id = request.id}});
  if (!changed) co_return std::unexpected(std::move(changed.error()));
  co_return Bytes();
}

// --- the service ---

namespace {

bool good_urls(const std::vector<std::string>& urls) {
  return addresses_of(urls).has_value();
}

}  // namespace

void Member::fill_identity(ResponseHeader& header) const {
  header.cluster_id = cluster_id();
  header.member_id = id();
  header.raft_term = term();
}

Task<grpc::Reply<MemberListResponse>> Member::member_list(MemberListRequest request,
                                                          Credentials who) {
  if (request.linearizable) {
    auto confirmed = co_await implementation_->reads->confirm();
    if (!confirmed) co_return std::unexpected(std::move(confirmed.error()));
  }
  auto allowed = co_await require_user(std::move(who));
  if (!allowed) co_return std::unexpected(std::move(allowed.error()));
  MemberListResponse response{.header = {}, .members = implementation_->store->members().list()};
  fill_identity(response.header);
  co_return response;
}

Task<grpc::Reply<MemberAddResponse>> Member::member_add(MemberAddRequest request, Credentials who) {
  if (!good_urls(request.peer_urls)) co_return reject(outcome::member_urls_invalid);
  auto allowed = co_await require_root(std::move(who));
  if (!allowed) co_return std::unexpected(std::move(allowed.error()));
  std::ranges::sort(request.peer_urls);
  const auto since_epoch = implementation_->world.clock.wall_now().time_since_epoch();
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(since_epoch).count();
  const MemberInfo added{.id = member_id_of(request.peer_urls, std::to_string(now)),
                         .name = {},
                         .peer_urls = request.peer_urls,
                         .client_urls = {},
                         .is_learner = request.is_learner};
  auto changed = co_await implementation_->change_members(
      {.id = {}, .kind = MemberChange::Kind::add, .member = added});
  if (!changed) co_return std::unexpected(std::move(changed.error()));
  MemberAddResponse response{
      .header = {}, .member = added, .members = implementation_->store->members().list()};
  fill_identity(response.header);
  co_return response;
}

Task<grpc::Reply<MemberRemoveResponse>> Member::member_remove(MemberRemoveRequest request,
                                                              Credentials who) {
  auto allowed = co_await require_root(std::move(who));
  if (!allowed) co_return std::unexpected(std::move(allowed.error()));
  auto changed = co_await implementation_->change_members(
      {.id = {}, .kind = MemberChange::Kind::remove, .member = {.id = request.id}});
  if (!changed) co_return std::unexpected(std::move(changed.error()));
  MemberRemoveResponse response{.header = {}, .members = implementation_->store->members().list()};
  fill_identity(response.header);
  co_return response;
}

Task<grpc::Reply<MemberUpdateResponse>> Member::member_update(MemberUpdateRequest request,
                                                              Credentials who) {
  if (!good_urls(request.peer_urls)) co_return reject(outcome::member_urls_invalid);
  auto allowed = co_await require_root(std::move(who));
  if (!allowed) co_return std::unexpected(std::move(allowed.error()));
  std::ranges::sort(request.peer_urls);
  auto changed = co_await implementation_->change_members(
      {.id = {},
       .kind = MemberChange::Kind::update,
       .member = {.id = request.id, .peer_urls = request.peer_urls}});
  if (!changed) co_return std::unexpected(std::move(changed.error()));
  MemberUpdateResponse response{.header = {}, .members = implementation_->store->members().list()};
  fill_identity(response.header);
  co_return response;
}

Task<grpc::Reply<MemberPromoteResponse>> Member::member_promote(MemberPromoteRequest request,
                                                                Credentials who) {
  auto allowed = co_await require_root(std::move(who));
  if (!allowed) co_return std::unexpected(std::move(allowed.error()));
  auto promoted = co_await implementation_->ask_leader(Implementation::promotion_question(request));
  if (!promoted) co_return std::unexpected(std::move(promoted.error()));
  // The leader has applied it; so does this member before it shows the list.
  auto confirmed = co_await implementation_->reads->confirm();
  if (!confirmed) co_return std::unexpected(std::move(confirmed.error()));
  MemberPromoteResponse response{.header = {}, .members = implementation_->store->members().list()};
  fill_identity(response.header);
  co_return response;
}

Task<grpc::Reply<MoveLeaderResponse>> Member::move_leader(MoveLeaderRequest request) {
  Implementation& member = *implementation_;
  if (!is_leader()) co_return reject(outcome::not_leader);
  const MemberInfo* target = member.store->members().find(request.target_id);
  if (target == nullptr || target->is_learner) co_return reject(outcome::bad_leader_transferee);
  const MonotonicTime deadline = member.world.clock.now() + request_patience(member.options);
  member.replica->step(raft::TransferLeadership{{request.target_id}});
  while (leader() != request.target_id) {
    if (member.stopping) co_return reject(outcome::stopped);
    if (member.world.clock.now() >= deadline) co_return reject(outcome::transfer_timeout);
    if (auto slept = co_await async::sleep_for(member.world.clock, Milliseconds(10)); !slept) {
      co_return std::unexpected(grpc::Status::from_error(slept.error()));
    }
  }
  MoveLeaderResponse response;
  fill_identity(response.header);
  co_return response;
}

bool Member::is_learner() const {
  const MemberInfo* own = implementation_->store->members().find(id());
  return own != nullptr && own->is_learner;
}

std::uint64_t Member::installed_snapshots() const {
  return implementation_->installed_snapshots;
}

bool Member::removed() const {
  return implementation_->removed;
}

}  // namespace tripod::etcd
