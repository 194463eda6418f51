// How a snapshot from the leader takes the place of this member's state.
#include <format>

#include "firmware/etcd/server/core.h"

namespace tripod::etcd {

void Member::Implementation::send(raft::NodeId to, raft::MessageBody body) {
  replica->send({{plan.self}, to, replica->raft().term(), std::move(body)});
}

bool Member::Implementation::leads() const {
  return !stopping && replica->raft().role() == raft::Role::leader;
}

void Member::Implementation::report(raft::NodeId to, bool delivered) {
  replica->report_snapshot(to, delivered);
}

/// The power may go at any point: until the file has its new name the old state is there, whole,
/// and the log goes on from it; afterwards the new one, which says itself that the log may be
/// behind it (installed_snapshot()).
Task<bool> Member::Implementation::install(raft::SnapshotMeta meta, std::string path) {
  const auto wanted = [this, &meta] {
    return !stopping && replica->raft().role() != raft::Role::leader &&
           meta.last.index > replica->raft().committed();
  };
  if (!wanted()) co_return false;
  co_await housekeeper->pause();
  co_await snapshots->hold();
  bool installed = false;
  if (wanted()) {
    auto replaced = replace_state(path);
    installed = replaced.has_value();
    if (!replaced) {
      log.warn("a snapshot cannot take the place of the state",
               LogField("reason", replaced.error().to_string()));
    }
  }
  if (auto resumed = housekeeper->resume(options.data_dir + "/state.db"); !resumed) {
    fatal(std::format("etcd state: {}", resumed.error().to_string()));
  }
  snapshots->release();
  if (!installed) co_return false;
  ++installed_snapshots;
  applied_term = meta.last.term;
  replica->installed(meta);
  reads->applied({store->applied_index()});
  follow_members();
  co_return true;
}

/// Within one turn: nobody sees the member without a state.
Result<> Member::Implementation::replace_state(const std::string& path) {
  // With nothing left in the WAL, the database file alone is the old state.
  if (auto durable = store->db().make_durable(); !durable) return durable;
  const std::string state_path = options.data_dir + "/state.db";
  store->close();
  auto done = put_in_place(world.storage, path, state_path);
  if (done) done = store->reopen(state_path, world.storage.vfs_name());
  if (!done) {
    fatal(std::format("etcd state: putting a snapshot in its place: {}", done.error().to_string()));
  }
  return {};
}

}  // namespace tripod::etcd
