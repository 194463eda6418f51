#include "tests/sim/etcd/watcher.h"

#include <algorithm>
#include <format>

namespace tripod::etcd::robustness {

void Watcher::attach(Client& client, Revision skip) {
  watch_.reset();
  cancelled_ = false;
  watch_ = client.watch({.key = key_,
                         .range_end = range_end_,
                         .start_revision = seen_ + 1 + skip,
                         .filters = {},
                         .prev_kv = true},
                        *this);
}

void Watcher::on_events(Revision revision, const std::vector<Event>& events) {
  if (events.empty()) {
    bookmarks_.push_back({revision, events_.size()});
    seen_ = std::max(seen_, revision);
    return;
  }
  if (events.front().kv.mod_revision <= end_of_last_batch_) {
    violated(std::format("revision {} was told after {}: twice, out of order or torn",
                         events.front().kv.mod_revision, end_of_last_batch_));
  }
  Revision last = 0;
  for (const Event& event : events) {
    if (event.kv.mod_revision < last) violated("revisions fall within one batch");
    last = event.kv.mod_revision;
    if (!in_range(event.kv.key, key_, range_end_)) violated("told of " + event.kv.key);
    if (on_event) on_event(event);
    events_.push_back(event);
  }
  end_of_last_batch_ = last;
  seen_ = std::max(seen_, last);
  if (!watches_everything()) return;
  for (std::string& what : model_.learn(events)) violated(std::move(what));
}

/// A watch that was away too long goes on where the history begins.
void Watcher::on_cancelled(Revision compact_revision, grpc::Status status) {
  cancelled_ = true;
  const bool too_late = compact_revision > seen_ + 1 && compact_revision <= model_.compacted();
  if (!too_late || watches_everything()) {
    violated(std::format("cancelled: {} (compacted at {}, seen {})", status.message,
                         compact_revision, seen_));
    return;
  }
  gaps_.push_back({seen_ + 1, compact_revision});
  seen_ = compact_revision - 1;
}

bool Watcher::in_gap(Revision revision) const {
  return std::ranges::any_of(
      gaps_, [revision](const Gap& gap) { return revision >= gap.first && revision < gap.end; });
}

std::vector<std::string> Watcher::check() const {
  std::vector<std::string> violations = violations_;
  std::size_t told = 0;
  auto bookmark = bookmarks_.begin();
  const auto differs = [&](std::string what) { violations.push_back(name_ + ": " + what); };
  for (const auto& [revision, events] : model_.revisions()) {
    if (revision > seen_) break;
    while (bookmark != bookmarks_.end() && bookmark->revision < revision) {
      if (bookmark->events < told) {
        differs(std::format("bookmark {} came before its events", bookmark->revision));
      }
      ++bookmark;
    }
    for (const Event& event : events) {
      if (!in_range(event.kv.key, key_, range_end_) || in_gap(revision)) continue;
      if (told == events_.size()) {
        differs(std::format("was never told of {} at revision {}", event.kv.key, revision));
        return violations;
      }
      const Event& heard = events_[told++];
      if (heard.kv.mod_revision != revision || heard.type != event.type ||
          !same(heard.kv, event.kv)) {
        differs(std::format("told of {} at revision {} where {} at {} happened", heard.kv.key,
                            heard.kv.mod_revision, event.kv.key, revision));
        return violations;
      }
      const auto before = model_.at(event.kv.key, revision - 1);
      if (!heard.prev_kv && model_.may_lack_previous(event)) continue;
      if (before.has_value() != heard.prev_kv.has_value() ||
          (before && !same(*before, *heard.prev_kv))) {
        differs(std::format("wrong previous value of {} at revision {}", event.kv.key, revision));
      }
    }
  }
  if (told < events_.size()) differs("was told of what did not happen");
  return violations;
}

}  // namespace tripod::etcd::robustness
