#include "firmware/etcd/server/upkeep/auto_compaction.h"

#include <algorithm>

#include "platform/base/check.h"

namespace tripod::etcd {
namespace {

constexpr Duration longest_interval = std::chrono::hours(1);
constexpr int notes_per_interval = 10;
constexpr Duration revision_interval = std::chrono::minutes(5);

}  // namespace

AutoCompaction::AutoCompaction(AutoCompactionSetting setting, MonotonicTime now)
    : setting_(setting), last_success_(now) {
  CHECK(setting.enabled());
}

Duration AutoCompaction::compact_interval() const {
  return std::min(setting_.period, longest_interval);
}

Duration AutoCompaction::interval() const {
  if (setting_.mode == AutoCompactionSetting::Mode::revision) return revision_interval;
  return compact_interval() / notes_per_interval;
}

void AutoCompaction::note(Revision revision) {
  const auto kept = setting_.mode == AutoCompactionSetting::Mode::revision
                        ? std::size_t{1}
                        : static_cast<std::size_t>(setting_.period / interval()) + 1;
  noted_.push_back(revision);
  if (noted_.size() > kept) noted_.pop_front();
}

std::optional<Revision> AutoCompaction::due(MonotonicTime now, Revision revision,
                                            bool leading) const {
  CHECK(!noted_.empty(), "note() comes first");
  if (!leading) return std::nullopt;
  if (setting_.mode == AutoCompactionSetting::Mode::revision) {
    const Revision wanted = revision - setting_.revisions;
    if (wanted <= 0 || wanted == last_revision_) return std::nullopt;
    return wanted;
  }
  // The first one waits for a whole retention.
  const Duration wait = first_ ? setting_.period : compact_interval();
  if (now - last_success_ < wait || noted_.front() == last_revision_) return std::nullopt;
  return noted_.front();
}

void AutoCompaction::compacted(MonotonicTime now, Revision revision) {
  first_ = false;
  last_success_ = now;
  last_revision_ = revision;
}

}  // namespace tripod::etcd
