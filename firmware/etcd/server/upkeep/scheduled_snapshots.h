#pragma once
// Which files a member's scheduled snapshots are, and which of them go: names by member, time and
// revision, so that a listing reads as a history. What is in them says
// mvcc/state_db/state_snapshot.h.
//
// Pure: names in, names out. The newest is the one of the highest revision; the clock of a board
// may have been wrong.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/etcd/api/messages.h"
#include "platform/base/time.h"

namespace tripod::etcd {

struct SnapshotName {
  std::string member;
  WallTime time;  // whole seconds
  Revision revision = 0;

  /// "etcd-snapshot-board-1-20261125T120000Z-r4711.db".
  std::string file() const;
  static std::optional<SnapshotName> parse(std::string_view file);
};

/// The last of this member's snapshots among the files of a directory.
std::optional<SnapshotName> newest_snapshot(const std::vector<std::string>& files,
                                            std::string_view member);

/// Of this member's snapshots all but the newest `kept`, and halves that a former life left behind;
/// everything else in the directory stays.
std::vector<std::string> snapshots_to_remove(const std::vector<std::string>& files,
                                             std::string_view member, std::size_t kept);

}  // namespace tripod::etcd
