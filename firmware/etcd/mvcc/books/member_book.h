#pragma once
// The list of members: who is in the cluster, where it listens, whether it votes, and who was in it
// once. Part of the state: changed by configuration entries of the log and by what members tell of
// themselves, kept as facts of state.db (../state_db/README.md has their form). What etcd's
// cluster membership refuses, it refuses in the same words.
//
// Not thread-safe; lives on the loop thread.

#include <map>
#include <set>
#include <vector>

#include "firmware/etcd/api/errors.h"
#include "firmware/etcd/mvcc/commands/command.h"
#include "firmware/etcd/mvcc/state_db/state_db.h"

namespace tripod::etcd {

/// One step of membership, the context of a configuration entry.
struct MemberChange {
  enum class Kind : std::uint8_t { add = 1, promote = 2, remove = 3, update = 4 };

  CommandId id;  // who waits for it
  Kind kind = Kind::add;
  MemberInfo member;  // add: all of it; update: id and peer URLs; else the id
};

Bytes encode(const MemberChange& change);
Result<MemberChange> decode_member_change(BytesView bytes);

/// Who is in a cluster, as one member tells another that wants to join.
struct ClusterDescription {
  ClusterId cluster = 0;
  std::uint64_t index = 0;  // of the configuration entry that made the list
  std::vector<MemberInfo> members;
  std::vector<MemberId> removed;
};

Bytes encode(const ClusterDescription& description);
Result<ClusterDescription> decode_description(BytesView bytes);

class MemberBook {
 public:
  static constexpr std::size_t members_max = 32;

  void restore(StateDb& db);
  /// The list a member begins with. `index`: of the configuration entry that made it, 0 when the
  /// cluster was founded so.
  void begin(const std::vector<MemberInfo>& members, const std::vector<MemberId>& removed,
             std::uint64_t index, StateDb& db);
  /// Everybody else is removed, as of `index`: force-new-cluster.
  void keep_only(const MemberInfo& member, std::uint64_t index, StateDb& db);

  /// The configuration entry at `index`; one that the list holds already does nothing.
  void apply(const MemberChange& change, std::uint64_t index, StateDb& db);
  /// What a member tells of itself; of one that is not there it does nothing.
  void describe(const MemberAttributes& attributes, StateDb& db);

  bool empty() const { return members_.empty(); }
  const MemberInfo* find(MemberId id) const;
  bool removed(MemberId id) const { return removed_.contains(id); }
  /// By id.
  const std::map<MemberId, MemberInfo>& all() const { return members_; }
  const std::set<MemberId>& all_removed() const { return removed_; }
  std::vector<MemberInfo> list() const;
  std::vector<MemberId> voters() const;
  /// The last configuration entry in the list.
  std::uint64_t index() const { return index_; }

  /// What etcd refuses when it applies the change; nullopt: nothing.
  std::optional<Outcome> refuses(const MemberChange& change, std::size_t learners_max) const;
  /// Whether a majority of the voters has started, now and with one more or without `id`, as etcd's
  /// strict-reconfig-check reckons.
  bool ready_to_add_voter() const;
  bool ready_to_promote() const;
  bool ready_to_remove_voter(MemberId id) const;

 private:
  bool urls_taken(const MemberInfo& member) const;
  void store(const MemberInfo& member, StateDb& db);
  void erase(MemberId id, StateDb& db);
  void store_index(StateDb& db);

  std::map<MemberId, MemberInfo> members_;
  std::set<MemberId> removed_;
  std::uint64_t index_ = 0;
};

}  // namespace tripod::etcd
