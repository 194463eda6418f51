#include "firmware/etcd/mvcc/watch_hub.h"

#include <algorithm>

namespace tripod::etcd {

WatchParameters WatchParameters::of(const WatchCreateRequest& request) {
  WatchParameters parameters{.key = request.key,
                             .range_end = request.range_end,
                             .start_revision = request.start_revision,
                             .prev_kv = request.prev_kv};
  // An empty key means the smallest one, as in etcd.
  if (parameters.key.empty()) parameters.key = Bytes(1, '\0');
  parameters.no_put = std::ranges::contains(request.filters, WatchFilter::no_put);
  parameters.no_delete = std::ranges::contains(request.filters, WatchFilter::no_delete);
  return parameters;
}

// --- one watch ---

HubWatch::HubWatch(WatchHub& hub, WatchParameters parameters, WatchSink& sink)
    : hub_(hub),
      parameters_(std::move(parameters)),
      range_(KeyRange::of(parameters_.key, parameters_.range_end)),
      sink_(sink) {}

HubWatch::~HubWatch() {
  hub_.forget(*this);
}

void HubWatch::wake() {
  if (place_ == Place::behind || progress_wanted_) hub_.want_work();
}

void HubWatch::request_progress() {
  if (progress_wanted_ || place_ == Place::ended) return;
  progress_wanted_ = true;
  hub_.progress_.push_back(this);
  hub_.want_work();
}

bool HubWatch::matches(const StoredEvent& event) const {
  if (event.revision() < next_ || !range_.contains(event.key())) return false;
  return event.type() == EventType::put ? !parameters_.no_put : !parameters_.no_delete;
}

// --- the hub ---

WatchHub::WatchHub(KeySpace& space, Limits limits, std::function<void()> later)
    : space_(space),
      limits_(limits),
      later_(std::move(later)),
      recent_from_(space.revision() + 1) {}

WatchHub::~WatchHub() {
  CHECK(watch_count_ == 0, "watches end before their hub");
}

std::unique_ptr<HubWatch> WatchHub::add(WatchParameters parameters, WatchSink& sink) {
  const Revision start = parameters.start_revision;
  std::unique_ptr<HubWatch> watch(new HubWatch(*this, std::move(parameters), sink));
  ++watch_count_;
  // What is published and not flushed yet was there before the watch.
  watch->next_ = start > 0 ? start : space_.revision() + 1;
  if (watch->next_ > space_.revision()) {
    insert_synced(*watch);
  } else {
    behind_.push_back(watch.get());
    want_work();
  }
  return watch;
}

void WatchHub::insert_synced(HubWatch& watch) {
  watch.place_ = HubWatch::Place::synced;
  if (watch.range_.kind == KeyRange::Kind::one) {
    by_key_[watch.parameters_.key].push_back(&watch);
    return;
  }
  const auto same = [&](const Group& group) {
    return group.begin == watch.range_.begin && group.end == watch.range_.end &&
           group.kind == watch.range_.kind;
  };
  auto place = std::ranges::find_if(groups_, same);
  if (place == groups_.end()) {
    place = std::ranges::upper_bound(groups_, watch.parameters_.key, {}, &Group::begin);
    place = groups_.insert(
        place, Group{watch.parameters_.key, Bytes(watch.range_.end), watch.range_.kind, {}});
  }
  place->watches.push_back(&watch);
}

void WatchHub::erase_synced(HubWatch& watch) {
  if (watch.range_.kind == KeyRange::Kind::one) {
    const auto found = by_key_.find(watch.parameters_.key);
    std::erase(found->second, &watch);
    if (found->second.empty()) by_key_.erase(found);
    return;
  }
  for (Group& group : groups_) std::erase(group.watches, &watch);
  std::erase_if(groups_, [](const Group& group) { return group.watches.empty(); });
}

void WatchHub::forget(HubWatch& watch) {
  if (watch.place_ == HubWatch::Place::synced) erase_synced(watch);
  std::erase(behind_, &watch);
  std::erase(progress_, &watch);
  std::ranges::replace(touched_, &watch, static_cast<HubWatch*>(nullptr));
  --watch_count_;
}

void WatchHub::fall_behind(HubWatch& watch, Revision next) {
  erase_synced(watch);
  watch.place_ = HubWatch::Place::behind;
  watch.next_ = std::max(watch.next_, next);
  watch.batch_.clear();
  behind_.push_back(&watch);
}

void WatchHub::want_work() {
  if (std::exchange(work_wanted_, true)) return;
  later_();
}

void WatchHub::restart(Revision delivered) {
  CHECK(pending_.empty(), "a turn that applies ends with flush()");
  recent_.clear();
  recent_bytes_ = 0;
  recent_from_ = space_.revision() + 1;
  std::vector<HubWatch*> synced;
  for (const auto& [key, watches] : by_key_) {
    synced.insert(synced.end(), watches.begin(), watches.end());
  }
  for (const Group& group : groups_) {
    synced.insert(synced.end(), group.watches.begin(), group.watches.end());
  }
  for (HubWatch* watch : synced) {
    // One that starts in the future may stay where it is.
    if (watch->next_ <= space_.revision()) fall_behind(*watch, delivered + 1);
  }
  want_work();
}

// --- what is new ---

void WatchHub::publish(const Events& events) {
  pending_.insert(pending_.end(), events.begin(), events.end());
}

void WatchHub::remember(const SharedEvent& event) {
  recent_.push_back(event);
  recent_bytes_ += event->memory_bytes();
  while (recent_.size() > limits_.recent_events_max || recent_bytes_ > limits_.recent_bytes_max) {
    recent_from_ = recent_.front()->revision() + 1;
    while (!recent_.empty() && recent_.front()->revision() < recent_from_) {
      recent_bytes_ -= recent_.front()->memory_bytes();
      recent_.pop_front();
    }
  }
}

void WatchHub::offer(HubWatch& watch, const SharedEvent& event) {
  if (!watch.matches(*event)) return;
  if (watch.batch_.empty()) touched_.push_back(&watch);
  add_to_batch(watch, event);
}

void WatchHub::add_to_batch(HubWatch& watch, const SharedEvent& event) {
  if (watch.parameters_.prev_kv && !event->previous_known()) {
    event->set_previous(space_.previous(*event));
  }
  watch.batch_.push_back(event);
}

void WatchHub::distribute(const SharedEvent& event) {
  if (const auto found = by_key_.find(event->key()); found != by_key_.end()) {
    for (HubWatch* watch : found->second) offer(*watch, event);
  }
  for (const Group& group : groups_) {
    if (BytesView(group.begin) > event->key()) break;
    for (HubWatch* watch : group.watches) offer(*watch, event);
  }
}

void WatchHub::flush() {
  if (pending_.empty()) return;
  const Revision first = pending_.front()->revision();
  for (const SharedEvent& event : pending_) {
    distribute(event);
    remember(event);
  }
  pending_.clear();
  // Callbacks may destroy watches, which leaves a null here.
  for (std::size_t i = 0; i < touched_.size(); ++i) {
    HubWatch* watch = touched_[i];
    if (watch == nullptr) continue;
    if (watch->sink_.ready()) {
      deliver(*watch);
    } else {
      fall_behind(*watch, first);
    }
  }
  touched_.clear();
  if (!progress_.empty()) want_work();  // of watches whose start was in the future
}

void WatchHub::deliver(HubWatch& watch) {
  const Events events = std::exchange(watch.batch_, {});
  watch.sink_.on_events(space_.revision(), events);  // `watch` may be gone now
}

// --- what is old ---

void WatchHub::work() {
  work_wanted_ = false;
  CHECK(pending_.empty(), "a turn that applies ends with flush()");
  for (std::size_t round = behind_.size(); round > 0 && !behind_.empty(); --round) {
    HubWatch* watch = behind_.front();
    behind_.pop_front();
    behind_.push_back(watch);
    if (watch->sink_.ready()) catch_up(*watch);
  }
  const auto asked = std::exchange(progress_, {});
  touched_.assign(asked.begin(), asked.end());
  for (std::size_t i = 0; i < touched_.size(); ++i) {
    HubWatch* watch = touched_[i];
    if (watch == nullptr) continue;
    // A watch that starts in the future has seen nothing to tell of, as in etcd.
    const bool started = watch->next_ <= space_.revision() + 1;
    if (!watch->synced() || !started || !watch->sink_.ready()) {
      progress_.push_back(watch);
      continue;
    }
    watch->progress_wanted_ = false;
    watch->sink_.on_events(space_.revision(), {});
  }
  touched_.clear();
}

bool WatchHub::catch_up_from_recent(HubWatch& watch) {
  if (watch.next_ < recent_from_) return false;
  auto place = std::ranges::lower_bound(recent_, watch.next_, {},
                                        [](const SharedEvent& event) { return event->revision(); });
  std::size_t bytes = 0;
  Revision next = space_.revision() + 1;
  for (Revision open = 0; place != recent_.end(); ++place) {
    const SharedEvent& event = *place;
    const bool full =
        watch.batch_.size() >= limits_.batch_events_max || bytes >= limits_.batch_bytes_max;
    if (full && event->revision() != open) {
      next = event->revision();
      break;
    }
    open = event->revision();
    if (!watch.matches(*event)) continue;
    bytes += event->memory_bytes();
    add_to_batch(watch, event);
  }
  watch.next_ = next;
  return true;
}

void WatchHub::catch_up(HubWatch& watch) {
  if (watch.next_ < space_.compact_revision()) {
    std::erase(behind_, &watch);
    watch.place_ = HubWatch::Place::ended;
    watch.sink_.on_compacted(space_.compact_revision());
    return;
  }
  if (!catch_up_from_recent(watch)) {
    watch.next_ =
        space_.history(watch.next_, limits_.slice_rows_max, [&](const SharedEvent& event) {
          if (watch.matches(*event)) add_to_batch(watch, event);
        });
  }
  if (watch.next_ > space_.revision()) {
    std::erase(behind_, &watch);
    insert_synced(watch);
  } else {
    want_work();
  }
  if (!watch.batch_.empty()) deliver(watch);
}

}  // namespace tripod::etcd
