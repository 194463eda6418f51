#pragma once
// When a leader compacts by itself, as etcd's auto-compaction-mode and auto-compaction-retention
// say.
//
// periodic: keep what happened within the retention. The revision is noted ten times an hour (or a
// retention, when that is shorter); the one noted a retention ago is compacted, at most once an
// hour. revision: keep that many revisions; looked at every five minutes.
//
// Pure: time and revisions arrive in calls. Every member notes revisions, so that a new leader goes
// on where the last one stopped.

#include <deque>
#include <optional>

#include "firmware/etcd/api/messages.h"
#include "firmware/etcd/options.h"

namespace tripod::etcd {

class AutoCompaction {
 public:
  /// `setting` is enabled.
  AutoCompaction(AutoCompactionSetting setting, MonotonicTime now);

  /// Between two calls of note().
  Duration interval() const;
  /// The revision now.
  void note(Revision revision);
  /// An interval after note(): what to compact, if this member leads and `revision` is the newest.
  std::optional<Revision> due(MonotonicTime now, Revision revision, bool leading) const;
  /// That was done, or is compacted already.
  void compacted(MonotonicTime now, Revision revision);

 private:
  Duration compact_interval() const;

  AutoCompactionSetting setting_;
  std::deque<Revision> noted_;
  MonotonicTime last_success_;
  Revision last_revision_ = 0;
  bool first_ = true;
};

}  // namespace tripod::etcd
