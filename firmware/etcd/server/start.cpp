// How a member comes to life: its files, its place in the cluster, its connections.
#include <algorithm>
#include <format>

#include "firmware/etcd/server/core.h"

namespace tripod::etcd {

Member::Implementation::Implementation(const os::World& world_in, Options options_in,
                                       Origin origin_in, metrics::Registry& metrics_in)
    : world(world_in),
      options(std::move(options_in)),
      plan(std::move(origin_in)),
      metrics(metrics_in),
      log(world.log, "etcd"),
      passwords(world, options.bcrypt_cost),
      scope(world.executor) {
  raft_limits.entry_bytes_max = options.max_request_bytes + 64 * 1024;
  leader_elected_at = world.clock.now();
  leader_lost_at = world.clock.now();
}

Member::Implementation::~Implementation() {
  CHECK(stopped, "stop() first");
}

namespace {

/// Facts of state.db that say whose it is.
Result<> check_owner(StateDb& db, const Origin& origin, const std::string& path) {
  const auto cluster = db.number("cluster_id");
  const auto member = db.number("member_id");
  if (!cluster && !member) {
    db.set_number("cluster_id", static_cast<std::int64_t>(origin.cluster));
    db.set_number("member_id", static_cast<std::int64_t>(origin.self));
    db.commit();
    return {};
  }
  if (cluster != static_cast<std::int64_t>(origin.cluster) ||
      member != static_cast<std::int64_t>(origin.self)) {
    return fail(
        ErrorCode::invalid,
        std::format(
            "{} belongs to member {:x} of cluster {:x}; this is member {:x} of cluster {:x}", path,
            static_cast<MemberId>(member.value_or(0)), static_cast<ClusterId>(cluster.value_or(0)),
            origin.self, origin.cluster));
  }
  return {};
}

/// What a transfer left that broke off with its process.
Result<> remove_received(os::Storage& storage, const std::string& path) {
  if (storage.exists(path)) {
    if (auto removed = storage.remove_file(path); !removed) return removed;
  }
  return remove_side_files(storage, path);
}

std::string received_path(const Options& options) {
  return options.data_dir + "/state.db.received";
}

raft::ConfState configuration_of(const MemberBook& members) {
  raft::ConfState configuration{.index = {members.index()}, .voters = {}, .learners = {}};
  for (const auto& [id, member] : members.all()) {
    (member.is_learner ? configuration.learners : configuration.voters).push_back({id});
  }
  return configuration;
}

}  // namespace

/// Durable before the log is founded upon it: a log without its list would be of no use.
Result<> Member::Implementation::begin_list(const raft::Recovered& recovered) {
  if (!store->members().empty()) return {};
  if (plan.members.empty() || (recovered.founded && recovered.conf_state.index.value > 0)) {
    return fail(
        ErrorCode::invalid,
        std::format("etcd state: {}/state.db has no list of members, and initial-cluster is "
                    "not that of cluster {:x}; remove the member and add it anew",
                    options.data_dir, plan.cluster));
  }
  store->members().begin(plan.members, plan.removed, plan.index, store->db());
  if (auto durable = store->db().make_durable(); !durable)
    return wrap("etcd state", durable.error());
  return {};
}

Result<> Member::Implementation::begin_log(raft::LogStore& log_store) {
  if (log_store.recovered().founded) return {};
  if (auto founded = log_store.found(configuration_of(store->members())); !founded) {
    return wrap("etcd log", founded.error());
  }
  return {};
}

Result<> Member::Implementation::force_new_cluster(raft::LogStore& log_store) {
  if (!options.force_new_cluster) return {};
  const raft::Recovered& recovered = log_store.recovered();
  const raft::LogIndex index = std::max(
      {recovered.last, recovered.conf_state.index, raft::LogIndex{store->members().index()}});
  log.warn("force-new-cluster: this member goes on alone",
           LogField("members-before", store->members().all().size()),
           LogField("log-index", recovered.last.value));
  store->members().keep_only({.id = plan.self,
                              .name = options.name,
                              .peer_urls = options.initial_advertise_peer_urls,
                              .client_urls = options.advertise_client_urls},
                             index.value, store->db());
  if (auto durable = store->db().make_durable(); !durable)
    return wrap("etcd state", durable.error());
  auto replaced =
      log_store.replace_configuration({.index = index, .voters = {{plan.self}}, .learners = {}});
  if (!replaced) return wrap("etcd log", replaced.error());
  return {};
}

Result<> Member::Implementation::open(PeerTls tls) {
  const std::string log_path = options.data_dir + "/raft.db";
  const std::string state_path = options.data_dir + "/state.db";
  auto name_of = [this](raft::NodeId id) {
    const auto found = std::ranges::find(plan.members, id.value, &MemberInfo::id);
    return found == plan.members.end() ? "" : found->name;
  };
  auto log_store = raft::LogStore::open(log_path, world.storage.vfs_name(),
                                        {plan.cluster, {plan.self}, name_of}, options.log_store);
  if (!log_store) return wrap("etcd log", log_store.error());
  if (const std::int64_t format = log_store->format(); format != log_store->format_found()) {
    log.info("log moved to a new format", LogField("file", log_path),
             LogField("from", log_store->format_found()), LogField("to", format));
  } else if (format != raft::LogStore::newest_format) {
    log.info("log keeps its format for now", LogField("file", log_path), LogField("format", format),
             LogField("newest", raft::LogStore::newest_format));
  }
  if (auto cleaned = remove_received(world.storage, received_path(options)); !cleaned) {
    return wrap("etcd state", cleaned.error());
  }
  auto opened =
      Store::open(state_path, world.storage.vfs_name(), lease_ttl_min_seconds(options), [this] {
        world.executor.post([this, alive = std::weak_ptr(self)] {
          if (!alive.expired()) store->watches().work();
        });
      });
  if (!opened) return wrap("etcd state", opened.error());
  store = std::move(*opened);
  store->auth().tokens().set_ttl(options.auth_token_ttl);
  Result<> done = check_owner(store->db(), plan, state_path);
  if (done) done = begin_list(log_store->recovered());
  if (done) done = begin_log(*log_store);
  if (done) done = force_new_cluster(*log_store);
  if (done) done = check_place(store->members(), plan, options);
  if (!done) return done;

  std::optional<raft::SnapshotMeta> snapshot;
  if (const auto facts = installed_snapshot(store->db())) snapshot = meta_of(*facts);
  raft::Setup setup{.id = {plan.self},
                    .timing = {.heartbeat_interval = options.heartbeat_interval,
                               .election_timeout = options.election_timeout,
                               .election_spread = options.election_timeout},
                    .limits = raft_limits,
                    .recovered = log_store->recovered(),
                    .applied = {store->applied_index()},
                    .snapshot = snapshot};
  auto core = raft::Raft::create(std::move(setup), {world.clock.now(), world.entropy.next()});
  if (!core) return wrap("etcd: " + log_path + " and " + state_path, core.error());
  replica =
      std::make_unique<Replica>(world, std::move(*core), std::move(*log_store), *this, metrics);
  auto keeper = Housekeeper::open(world, options, state_path, *store, *replica, metrics);
  if (!keeper) return wrap("etcd state", keeper.error());
  housekeeper = std::move(*keeper);
  make_parts(std::move(tls));
  return {};
}

void Member::Implementation::make_parts(PeerTls tls) {
  snapshots = std::make_unique<Snapshots>(world, options.data_dir + "/state.db", [this] {
    housekeeper->commit();
    return store->db().scratch();
  });
  snapshot_sender = std::make_unique<SnapshotSender>(world, *snapshots, *this, metrics);
  snapshot_receiver = std::make_unique<SnapshotReceiver>(world, received_path(options),
                                                         plan.cluster, plan.self, *this, metrics);
  housekeeper->log_wanted_from = [this] { return snapshot_sender->oldest(); };
  changes = std::make_unique<MemberChanges>(plan.self, world.entropy.next());
  Proposals::Limits limits;
  limits.request_bytes_max = options.max_request_bytes;
  proposals = std::make_unique<Proposals>(
      world.clock, plan.self, world.entropy.next(), limits, request_patience(options),
      [this](std::uint64_t token, SharedBytes data) {
        replica->step(raft::Propose{token, std::move(data)});
      },
      [this](MonotonicTime started) { return why_timeout(started); }, metrics);
  proposals->want_turn = [this] { replica->want_turn(); };
  reads = std::make_unique<Reads>(
      world.clock, request_patience(options),
      [this](std::uint64_t token) { replica->step(raft::RequestRead{token}); });
  reads->want_turn = [this] { replica->want_turn(); };
  reads->applied({store->applied_index()});
  transport = std::make_unique<peer::Transport>(
      world,
      peer::Transport::Setup{
          .cluster = plan.cluster, .self = plan.self, .peers = {}, .tls = std::move(tls)},
      *this, metrics);
  replica->set_transport(*transport);
  follow_members();
}

Result<> Member::Implementation::listen() {
  std::vector<std::string> urls = options.listen_peer_urls;
  const MemberInfo* own = store->members().find(plan.self);
  if (urls.empty() && own != nullptr) urls = own->peer_urls;
  if (urls.empty()) urls = options.initial_advertise_peer_urls;
  for (const std::string& url : urls) {
    auto address = parse_url(url);
    if (!address) return wrap("listen-peer-urls", address.error());
    if (auto bound = transport->listen(*address); !bound) return bound;
  }
  return {};
}

void Member::Implementation::abandon() {
  // Nothing was started: nothing is under way on the lane or in a scope.
  transport.reset();
  if (replica) replica->abandon();
  stopping = stopped = true;
}

void Member::Implementation::register_metrics() {
  metrics
      .gauge("etcd_server_id",
             "Server or member ID in hexadecimal format. 1 for 'server_id' label with current ID.",
             {{"server_id", std::format("{:x}", plan.self)}})
      .set(1);
  metrics.counter("etcd_server_leader_changes_seen_total", "The number of leader changes seen.");
  metrics.on_collect([this, alive = std::weak_ptr(self)] {
    if (alive.expired() || stopped) return;
    const raft::Status raft = replica->raft().status();
    const auto set = [this](std::string_view name, std::string_view help, double value) {
      metrics.gauge(name, help).set(value);
    };
    const auto count = [](std::uint64_t value) { return static_cast<double>(value); };
    set("etcd_server_has_leader", "Whether or not a leader exists. 1 is existence, 0 is not.",
        raft.leader ? 1 : 0);
    set("etcd_server_is_leader", "Whether or not this member is a leader. 1 if is, 0 otherwise.",
        raft.role == raft::Role::leader ? 1 : 0);
    const MemberInfo* own = store->members().find(plan.self);
    set("etcd_server_is_learner", "Whether or not this member is a learner. 1 if is, 0 otherwise.",
        own != nullptr && own->is_learner ? 1 : 0);
    set("etcd_server_proposals_committed_total",
        "The total number of consensus proposals committed.", count(raft.committed.value));
    set("etcd_server_proposals_applied_total", "The total number of consensus proposals applied.",
        count(raft.applied.value));
    set("etcd_server_proposals_pending", "The current number of pending proposals to commit.",
        count(proposals->pending()));
    set("etcd_mvcc_db_total_size_in_bytes",
        "Total size of the underlying database physically allocated in bytes.",
        static_cast<double>(store->db().size_bytes()));
    set("etcd_mvcc_db_total_size_in_use_in_bytes",
        "Total size of the underlying database logically in use in bytes.",
        static_cast<double>(store->db().size_bytes() - store->db().free_bytes()));
    const auto total = [this, &count](std::string_view name, std::string_view help,
                                      std::uint64_t value) {
      metrics::Counter& counter = metrics.counter(name, help);
      counter.add(count(value) - counter.value());
    };
    const KeySpace::Counts& done = store->space().counts();
    total("etcd_mvcc_range_total", "Total number of ranges seen by this member.", done.ranges);
    total("etcd_mvcc_put_total", "Total number of puts seen by this member.", done.puts);
    total("etcd_mvcc_delete_total", "Total number of deletes seen by this member.", done.deletes);
    total("etcd_mvcc_txn_total", "Total number of txns seen by this member.", done.txns);
    set("etcd_debugging_mvcc_total_put_size_in_bytes",
        "The total size of put kv pairs seen by this member.", count(done.put_bytes));
    set("etcd_debugging_mvcc_keys_total", "Total number of keys.",
        count(store->space().key_count()));
    set("etcd_debugging_mvcc_current_revision", "The current revision of store.",
        static_cast<double>(store->space().revision()));
    set("etcd_debugging_mvcc_compact_revision", "The revision of the last compaction in store.",
        static_cast<double>(store->space().compact_revision()));
    set("etcd_debugging_mvcc_watcher_total", "Total number of watchers.",
        count(store->watches().watch_count()));
    set("etcd_debugging_mvcc_slow_watcher_total", "Total number of unsynced slow watchers.",
        count(store->watches().behind_count()));
  });
}

Result<std::unique_ptr<Member>> Member::start(const os::World& world, Options options, PeerTls tls,
                                              metrics::Registry& metrics,
                                              std::shared_ptr<const ClusterDescription> existing) {
  if (auto made = world.storage.make_directories(options.data_dir, 0700); !made) {
    return wrap("etcd data-dir " + options.data_dir, made.error());
  }
  auto origin = find_origin(world, options, existing.get());
  if (!origin) return std::unexpected(origin.error());
  auto implementation =
      std::make_unique<Implementation>(world, std::move(options), std::move(*origin), metrics);
  Implementation& member = *implementation;
  auto opened = member.open(std::move(tls));
  if (opened) opened = member.listen();
  if (!opened) {
    member.abandon();
    return std::unexpected(opened.error());
  }
  member.register_metrics();
  member.log.info("starting", LogField("name", member.options.name),
                  LogField("member", std::format("{:x}", member.plan.self)),
                  LogField("cluster", std::format("{:x}", member.plan.cluster)),
                  LogField("revision", member.store->space().revision()),
                  LogField("applied", member.store->applied_index()));
  member.transport->start();
  member.housekeeper->start();
  member.expire_leases();
  member.scope.spawn(member.publish_attributes());
  if (member.options.auto_compaction.enabled()) member.scope.spawn(member.compact_automatically());
  if (member.options.snapshot_interval > Duration{}) member.scope.spawn(member.take_snapshots());
  if (member.options.corrupt_check_time > Duration{})
    member.scope.spawn(member.check_periodically());
  member.replica->want_turn();
  return std::unique_ptr<Member>(new Member(std::move(implementation)));
}

}  // namespace tripod::etcd
