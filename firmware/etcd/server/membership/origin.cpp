// Who this member is: what its files say, else what the cluster or the configuration says.
#include <algorithm>
#include <format>

#include "firmware/etcd/join.h"
#include "firmware/etcd/raft/log_store/log_store.h"
#include "firmware/etcd/server/membership/bootstrap.h"

namespace tripod::etcd {
namespace {

std::string joined(const std::vector<std::string>& urls) {
  std::string text;
  for (const std::string& url : urls) text += (text.empty() ? "" : ",") + url;
  return text;
}

std::unexpected<Error> cannot_join(const Options& options, std::string_view why) {
  return fail(ErrorCode::invalid,
              std::format("initial-cluster = \"{}\" of a cluster that exists: {}; expected all its "
                          "members, as \"member add\" printed them",
                          options.initial_cluster, why));
}

/// What a state.db says that has no log beside it: one that was restored from a snapshot.
Result<std::optional<Origin>> restored_origin(const os::World& world, const std::string& path) {
  if (!world.storage.exists(path)) return std::nullopt;
  auto db = StateDb::open(path, world.storage.vfs_name());
  if (!db) return wrap("etcd state", db.error());
  const auto cluster = db->number("cluster_id");
  const auto member = db->number("member_id");
  if (!cluster || !member || !db->number("members_index")) return std::nullopt;
  return Origin{.cluster = static_cast<ClusterId>(*cluster),
                .self = static_cast<MemberId>(*member),
                .members = {},
                .removed = {}};
}

Result<Origin> origin_of_joiner(const ClusterPlan& plan, const Options& options,
                                const ClusterDescription* existing) {
  if (existing == nullptr) {
    return fail(ErrorCode::unavailable, "etcd: nobody said who is in the cluster that exists");
  }
  auto self = find_place(plan, options, *existing);
  if (!self) return std::unexpected(self.error());
  return Origin{.cluster = existing->cluster,
                .self = *self,
                .members = existing->members,
                .removed = existing->removed,
                .index = existing->index,
                .fresh = true};
}

Origin founder_of(const ClusterPlan& plan) {
  Origin origin{.cluster = plan.cluster, .self = plan.self, .members = {}, .removed = {}};
  for (const PlannedMember& member : plan.members) {
    origin.members.push_back(
        {.id = member.id, .name = member.name, .peer_urls = member.peer_urls, .client_urls = {}});
  }
  return origin;
}

}  // namespace

Result<std::vector<os::Address>> addresses_of(const std::vector<std::string>& peer_urls) {
  if (peer_urls.empty()) return fail(ErrorCode::invalid, "no peer URL");
  std::vector<os::Address> addresses;
  for (std::size_t i = 0; i < peer_urls.size(); ++i) {
    auto address = parse_url(peer_urls[i]);
    if (!address) return std::unexpected(address.error());
    if (std::ranges::count(peer_urls, peer_urls[i]) > 1) {
      return fail(ErrorCode::invalid, peer_urls[i] + " is there twice");
    }
    addresses.push_back(*address);
  }
  return addresses;
}

Result<MemberId> find_place(const ClusterPlan& plan, const Options& options,
                            const ClusterDescription& existing) {
  if (existing.members.size() != plan.members.size()) {
    return cannot_join(options,
                       std::format("member count is unequal: it has {}, the cluster has {}",
                                   plan.members.size(), existing.members.size()));
  }
  const MemberInfo* own = nullptr;
  for (const MemberInfo& member : existing.members) {
    std::vector<std::string> urls = member.peer_urls;
    std::ranges::sort(urls);
    const auto planned = std::ranges::find(plan.members, urls, &PlannedMember::peer_urls);
    if (planned == plan.members.end()) {
      return cannot_join(options,
                         std::format("PeerURLs: no match found for existing member ({:x}, [{}])",
                                     member.id, joined(urls)));
    }
    if (planned->id == plan.self) own = &member;
  }
  // Counts are equal and no URL comes twice, so everybody was matched.
  CHECK(own != nullptr);
  for (const MemberInfo& member : existing.members) {
    if (&member == own || member.name != options.name) continue;
    return cannot_join(
        options, std::format("\"{}\" is the name of member {:x} already", options.name, member.id));
  }
  if (!own->name.empty()) {
    return fail(ErrorCode::invalid,
                std::format("member {:x} ({}) has started before, but {} is empty: its data are "
                            "gone. Remove the member and add it anew",
                            own->id, own->name, options.data_dir));
  }
  return own->id;
}

Result<bool> knows_its_place(const os::World& world, const std::string& data_dir) {
  const std::string log_path = data_dir + "/raft.db";
  if (world.storage.exists(log_path)) {
    auto owner = raft::LogStore::owner(log_path, world.storage.vfs_name());
    if (!owner) return wrap("etcd log", owner.error());
    if (*owner) return true;
  }
  auto restored = restored_origin(world, data_dir + "/state.db");
  if (!restored) return std::unexpected(restored.error());
  return restored->has_value();
}

Result<Origin> find_origin(const os::World& world, const Options& options,
                           const ClusterDescription* existing) {
  std::optional<ClusterPlan> plan;
  if (!options.initial_cluster.empty()) {
    auto planned = plan_cluster(options);
    if (!planned) return std::unexpected(planned.error());
    plan = std::move(*planned);
  }
  const std::string log_path = options.data_dir + "/raft.db";
  if (world.storage.exists(log_path)) {
    auto owner = raft::LogStore::owner(log_path, world.storage.vfs_name());
    if (!owner) return wrap("etcd log", owner.error());
    if (*owner) {
      // A state.db of an earlier release lacks the list: it was the founders' then.
      const bool founders = plan && plan->cluster == (*owner)->cluster;
      Origin origin = founders ? founder_of(*plan) : Origin{};
      origin.cluster = (*owner)->cluster;
      origin.self = (*owner)->member.value;
      return origin;
    }
  }
  auto restored = restored_origin(world, options.data_dir + "/state.db");
  if (!restored) return std::unexpected(restored.error());
  if (*restored) return std::move(**restored);
  if (!plan) return plan_cluster(options).transform(founder_of);  // says what is missing
  if (options.initial_cluster_state == "existing") {
    return origin_of_joiner(*plan, options, existing);
  }
  Origin origin = founder_of(*plan);
  origin.fresh = true;
  return origin;
}

Result<> check_place(const MemberBook& members, const Origin& origin, const Options& options) {
  if (members.removed(origin.self)) {
    return fail(
        ErrorCode::denied,
        std::format("member {:x} has been permanently removed from the cluster; the data in "
                    "{} are of no use any more: remove them and add the member anew",
                    origin.self, options.data_dir));
  }
  const MemberInfo* own = members.find(origin.self);
  for (const auto& [id, member] : members.all()) {
    if (id == origin.self || member.name != options.name) continue;
    return fail(
        ErrorCode::invalid,
        std::format("{}: the data belong to member {:x} ({}), this is \"{}\"", options.data_dir,
                    origin.self, own == nullptr ? "" : own->name, options.name));
  }
  // Whoever joined has a list of its own; that of the founders names at least one who is known.
  if (options.initial_cluster.empty() || options.initial_cluster_state != "new") return {};
  auto plan = plan_cluster(options);
  if (!plan) return std::unexpected(plan.error());
  const bool known = std::ranges::any_of(plan->members, [&](const PlannedMember& planned) {
    return members.find(planned.id) != nullptr || members.removed(planned.id);
  });
  if (known || plan->cluster == origin.cluster) return {};
  return fail(ErrorCode::invalid,
              std::format("{}: the data belong to cluster {:x}, the configuration is of cluster "
                          "{:x}; a board of a cluster whose members changed has "
                          "initial-cluster-state = existing",
                          options.data_dir, origin.cluster, plan->cluster));
}

}  // namespace tripod::etcd
