#include "firmware/etcd/backup/restore.h"

#include <format>
#include <limits>

#include "firmware/etcd/api/codec.h"
#include "firmware/etcd/mvcc/state_db/revision.h"
#include "firmware/etcd/raft/log_store/log_store.h"
#include "firmware/etcd/server/membership/bootstrap.h"

namespace tripod::etcd::backup {
namespace {

Result<> check_options(os::Storage& storage, const RestoreOptions& options) {
  if (options.bump_revision < 0 || options.bump_revision >= revision_max / 2) {
    return fail(ErrorCode::invalid, std::format("--bump-revision {}: expected 0 to {}",
                                                options.bump_revision, revision_max / 2 - 1));
  }
  if (options.mark_compacted != (options.bump_revision > 0)) {
    return fail(
        ErrorCode::invalid,
        "--mark-compacted: expected together with --bump-revision above 0, and not without");
  }
  if (!storage.exists(options.data_dir)) return {};
  auto files = storage.list(options.data_dir);
  if (!files) return std::unexpected(files.error());
  if (files->empty()) return {};
  return fail(
      ErrorCode::exists,
      std::format("data-dir \"{}\" not empty or could not be read; expected one that is empty "
                  "or not there",
                  options.data_dir));
}

Result<ClusterPlan> plan_of(const RestoreOptions& options) {
  Options member;
  member.name = options.name;
  member.initial_cluster = options.initial_cluster;
  member.initial_cluster_token = options.initial_cluster_token;
  member.initial_advertise_peer_urls = options.initial_advertise_peer_urls;
  return plan_cluster(member);
}

/// The members of the new cluster, as mvcc/state_db/README.md has them.
Result<> write_members(sqlite::Database& state, const ClusterPlan& plan) {
  auto fact = state.prepare("REPLACE INTO fact VALUES(?, ?)");
  if (!fact) return std::unexpected(fact.error());
  for (const PlannedMember& member : plan.members) {
    const std::string name = std::format("member/{:016x}", member.id);
    const Bytes value = encode(MemberInfo{
        .id = member.id, .name = member.name, .peer_urls = member.peer_urls, .client_urls = {}});
    fact->bind_text(1, name);
    fact->bind_blob(2, value);
    if (auto done = fact->run(); !done) return done;
  }
  for (const auto& [name, value] :
       {std::pair("cluster_id", static_cast<std::int64_t>(plan.cluster)),
        std::pair("member_id", static_cast<std::int64_t>(plan.self)),
        std::pair("members_index", std::int64_t{0})}) {
    fact->bind_text(1, name);
    fact->bind(2, value);
    if (auto done = fact->run(); !done) return done;
  }
  return {};
}

/// Everything of the state that belonged to the old cluster goes: a fact that is not known here
/// does, too.
Result<Revision> adapt(sqlite::Database& state, const ClusterPlan& plan,
                       const RestoreOptions& options) {
  auto whole = state.quick_check(std::numeric_limits<std::size_t>::max());
  if (!whole) return std::unexpected(whole.error());
  auto revision = newest_revision(state);
  if (!revision) return revision;
  auto transaction = sqlite::Transaction::begin(state);
  if (!transaction) return std::unexpected(transaction.error());
  auto done = state.execute(
      "DELETE FROM fact WHERE NOT (name >= 'auth/' AND name < 'auth0')"
      " AND name NOT IN ('compact_revision', 'compacted_to', 'format')");
  if (done) done = write_members(state, plan);
  if (done && options.bump_revision > 0) {
    *revision += options.bump_revision;
    done =
        state.execute(std::format("REPLACE INTO fact VALUES('compact_revision', {})", *revision));
  }
  if (done) done = transaction->commit();
  if (!done) return std::unexpected(done.error());
  return revision;
}

/// The state under a name of its own until it is whole.
Result<Revision> write_state(const Files& files, const ClusterPlan& plan,
                             const RestoreOptions& options) {
  os::Storage& storage = files.storage;
  const std::string path = options.data_dir + "/state.db";
  const std::string part = path + ".part";
  auto file = storage.create_file(part, 0600);
  if (!file) return std::unexpected(file.error());
  auto copied = read_snapshot(files, options.snapshot,
                              options.skip_hash_check ? HashCheck::skipped : HashCheck::required,
                              file->get());
  if (copied) copied = (*file)->sync();
  if (!copied) {
    (void)storage.remove_file(part);
    return std::unexpected(copied.error());
  }
  Result<Revision> revision = 0;
  {
    auto state = sqlite::Database::open(part, {.vfs = storage.vfs_name(), .create = false});
    if (!state) return std::unexpected(state.error());
    revision = adapt(*state, plan, options);
    if (!revision) return revision;
    auto moved = state->checkpoint(sqlite::Checkpoint::truncate);
    if (!moved) return std::unexpected(moved.error());
  }
  if (auto named = storage.rename_file(part, path); !named) return std::unexpected(named.error());
  return revision;
}

}  // namespace

Result<RestoreReport> restore_snapshot(const Files& files, const RestoreOptions& options) {
  os::Storage& storage = files.storage;
  auto plan = plan_of(options);
  if (!plan) return std::unexpected(plan.error());
  if (auto good = check_options(storage, options); !good) return std::unexpected(good.error());
  if (auto made = storage.make_directories(options.data_dir, 0700); !made) {
    return std::unexpected(made.error());
  }
  auto revision = write_state(files, *plan, options);
  if (!revision) return std::unexpected(revision.error());
  auto log = raft::LogStore::open(options.data_dir + "/raft.db", storage.vfs_name(),
                                  {.cluster = plan->cluster, .member = {plan->self}}, {});
  if (!log) return std::unexpected(log.error());
  raft::ConfState founding;
  for (const PlannedMember& member : plan->members) founding.voters.push_back({member.id});
  if (auto founded = log->found(founding); !founded) return std::unexpected(founded.error());
  return RestoreReport{plan->cluster, plan->self, plan->members.size(), *revision};
}

}  // namespace tripod::etcd::backup
