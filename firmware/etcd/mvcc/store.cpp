#include "firmware/etcd/mvcc/store.h"

#include "firmware/etcd/api/codec.h"
#include "firmware/etcd/mvcc/authorize.h"

namespace tripod::etcd {
namespace {

constexpr std::string_view downgrade_fact = "downgrade";
/// Cells and pages that are looked at before anything is read: about a second on a small board.
/// What lies behind that ends the process when it is read.
constexpr std::size_t checked_at_start_max = 2'000'000;

Result<> check_file(StateDb& db, const std::string& path) {
  auto checked = db.check(checked_at_start_max);
  if (checked) return {};
  return fail(checked.error().code,
              std::format("{} is damaged ({}). The other members have the data: remove this one "
                          "(etcdctl member remove), empty its data directory and add it anew; or "
                          "restore a snapshot (tripod snapshot restore)",
                          path, checked.error().message));
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const std::string& path, const std::string& vfs,
                                           std::int64_t lease_ttl_min_seconds,
                                           std::function<void()> later) {
  auto db = StateDb::open(path, vfs);
  if (!db) return std::unexpected(db.error());
  if (auto good = check_file(*db, path); !good) return std::unexpected(good.error());
  std::unique_ptr<Store> store(new Store(std::move(*db)));
  store->lease_ttl_min_seconds_ = lease_ttl_min_seconds;
  store->restore();
  store->watches_ =
      std::make_unique<WatchHub>(*store->space_, WatchHub::Limits{}, std::move(later));
  return store;
}

/// Everything that is kept in memory, from the rows.
void Store::restore() {
  applied_index_ = static_cast<std::uint64_t>(db_.number("applied_index").value_or(0));
  applied_term_ = static_cast<std::uint64_t>(db_.number("applied_term").value_or(0));
  leases_ = LeaseBook();
  db_.each_lease([&](LeaseId id, std::int64_t ttl) { leases_.grant(id, ttl, {}); });
  if (space_) {
    space_->reload();
  } else {
    space_ = std::make_unique<KeySpace>(db_, leases_);
  }
  members_.restore(db_);
  auth_.forget();
  db_.each_blob(AuthBook::fact_prefix,
                [&](std::string_view name, BytesView value) { auth_.restore(name, value); });
  alarms_.restore(db_);
  downgrade_ = {};
  if (const auto stored = db_.blob(downgrade_fact)) {
    if (auto info = decode<DowngradeInfo>(*stored)) downgrade_ = std::move(*info);
  }
  once_ = AppliedOnce();
  db_.each_blob("once/", [&](std::string_view name, BytesView value) {
    MemberId origin = 0;
    name.remove_prefix(5);
    std::from_chars(name.data(), name.data() + name.size(), origin, 16);
    once_.restore(origin, value);
  });
}

void Store::close() {
  CHECK(!leases_.primary(), "a leader's state is not replaced");
  db_.close();
}

Result<> Store::reopen(const std::string& path, const std::string& vfs) {
  auto db = StateDb::open(path, vfs);
  if (!db) return std::unexpected(db.error());
  db_ = std::move(*db);
  const Revision delivered = space_->revision();
  restore();
  watches_->restart(delivered);
  return {};
}

void Store::apply(std::uint64_t index, std::uint64_t term, BytesView data, MonotonicTime now,
                  const std::function<void(CommandId, CommandReply)>& done) {
  advance(index, term);
  if (data.empty()) return;
  auto commands = decode_commands(data);
  if (!commands) {
    fatal(std::format("etcd: cannot apply log entry {}: {}", index, commands.error().to_string()));
  }
  for (Command& command : *commands) {
    if (!once_.first(command.id)) continue;
    Events events;
    const auto refused = authorize(auth_, leases_, command.caller, command.request);
    const bool grows = quota_cost(command.request) > 0;
    CommandReply reply =
        refused ? reject(*refused) : run(std::move(command.request), term, now, events);
    grew_ = grew_ || (grows && reply.has_value());
    watches_->publish(events);
    done(command.id, std::move(reply));
  }
}

void Store::apply(std::uint64_t index, std::uint64_t term, const MemberChange& change) {
  advance(index, term);
  members_.apply(change, index, db_);
}

void Store::advance(std::uint64_t index, std::uint64_t term) {
  CHECK(index == applied_index_ + 1, std::format("applying {} after {}", index, applied_index_));
  applied_index_ = index;
  applied_term_ = term;
}

void Store::commit() {
  if (!db_.in_transaction()) return;
  for (const auto& [origin, stored] : once_.take_changes()) {
    db_.set_blob(std::format("once/{:016x}", origin), stored);
  }
  db_.set_number("applied_index", static_cast<std::int64_t>(applied_index_));
  db_.set_number("applied_term", static_cast<std::int64_t>(applied_term_));
  db_.commit();
}

namespace {

template <typename Response>
CommandReply widen(grpc::Reply<Response> reply) {
  if (!reply) return std::unexpected(std::move(reply.error()));
  return CommandResponse(std::move(*reply));
}

}  // namespace

CommandReply Store::run(CommandRequest request, std::uint64_t term, MonotonicTime now,
                        Events& events) {
  if (auto refused = alarms_.refuses(request)) return reject(*refused);
  if (auto* put = std::get_if<PutRequest>(&request))
    return widen(space_->put(std::move(*put), events));
  if (auto* range = std::get_if<DeleteRangeRequest>(&request)) {
    return widen(space_->delete_range(*range, events));
  }
  if (auto* txn = std::get_if<TxnRequest>(&request))
    return widen(space_->txn(std::move(*txn), events));
  if (auto* compaction = std::get_if<CompactionRequest>(&request)) {
    return widen(space_->compact(compaction->revision));
  }
  if (auto* lease = std::get_if<LeaseGrantRequest>(&request)) return grant(*lease, now);
  if (auto* lease = std::get_if<LeaseRevokeRequest>(&request)) return revoke(lease->id, events);
  if (auto* expiry = std::get_if<LeaseExpiry>(&request)) {
    return expiry->term == term ? revoke(expiry->id, events) : reject(outcome::leader_changed);
  }
  if (auto* command = std::get_if<AuthCommand>(&request)) {
    return change_auth(std::move(*command), now);
  }
  if (auto* alarm = std::get_if<AlarmRequest>(&request)) return change_alarms(*alarm);
  if (auto* downgrade = std::get_if<DowngradeRequest>(&request))
    return change_downgrade(*downgrade);
  members_.describe(std::get<MemberAttributes>(request), db_);
  return CommandResponse(std::monostate{});
}

CommandReply Store::grant(const LeaseGrantRequest& request, MonotonicTime now) {
  if (request.id == 0) return reject(outcome::lease_not_found);
  if (request.ttl > LeaseBook::ttl_max_seconds) return reject(outcome::lease_ttl_too_large);
  if (leases_.find(request.id) != nullptr) return reject(outcome::lease_exists);
  const std::int64_t ttl = std::max(request.ttl, lease_ttl_min_seconds_);
  leases_.grant(request.id, ttl, now);
  db_.put_lease(request.id, ttl);
  LeaseGrantResponse response{.id = request.id, .ttl = ttl};
  response.header.revision = space_->revision();
  return CommandResponse(std::move(response));
}

CommandReply Store::revoke(LeaseId id, Events& events) {
  const Lease* lease = leases_.find(id);
  if (lease == nullptr) return reject(outcome::lease_not_found);
  const auto keys = lease->keys;
  leases_.revoke(id);
  db_.erase_lease(id);
  space_->remove(keys, events);
  LeaseRevokeResponse response;
  response.header.revision = space_->revision();
  return CommandResponse(std::move(response));
}

CommandReply Store::change_auth(AuthCommand command, MonotonicTime now) {
  auto token = auth_.apply(std::move(command), applied_index_, now);
  for (const auto& [name, value] : auth_.take_changes()) {
    if (value) {
      db_.set_blob(name, *value);
    } else {
      db_.erase_blob(name);
    }
  }
  if (!token) return std::unexpected(std::move(token.error()));
  return CommandResponse(AuthenticateResponse{.token = std::move(*token)});
}

CommandReply Store::change_alarms(const AlarmRequest& request) {
  AlarmResponse response;
  const AlarmMember alarm{request.member_id, request.alarm};
  if (request.action == AlarmAction::get) {
    response.alarms = alarms_.list(request.alarm);
  } else if (request.action == AlarmAction::activate && alarm.alarm != AlarmType::none) {
    alarms_.activate(alarm, db_);
    response.alarms.push_back(alarm);
  } else if (request.action == AlarmAction::deactivate && alarms_.deactivate(alarm, db_)) {
    response.alarms.push_back(alarm);
  }
  response.header.revision = space_->revision();
  return CommandResponse(std::move(response));
}

CommandReply Store::change_downgrade(const DowngradeRequest& request) {
  downgrade_ = {};
  if (request.action == DowngradeAction::enable) {
    downgrade_ = {.enabled = true, .target_version = request.version};
    db_.set_blob(downgrade_fact, encode(downgrade_));
  } else {
    db_.erase_blob(downgrade_fact);
  }
  DowngradeResponse response;
  response.header.revision = space_->revision();
  return CommandResponse(std::move(response));
}

}  // namespace tripod::etcd
