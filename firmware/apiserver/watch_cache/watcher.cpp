#include "firmware/apiserver/watch_cache/watcher.h"

#include "platform/base/check.h"

namespace tripod::apiserver {

std::string_view name_of(EventType type) {
  switch (type) {
    case EventType::added: return "ADDED";
    case EventType::modified: return "MODIFIED";
    case EventType::deleted: return "DELETED";
  }
  return {};
}

SharedBytes CacheEvent::encoded(EventType as) const {
  std::weak_ptr<const Bytes>& slot = encoded_[static_cast<std::size_t>(as)];
  if (SharedBytes known = slot.lock()) return known;
  Bytes text = "{\"type\":\"";
  text.reserve(object->json.size() + 40);
  text += name_of(as);
  text += "\",\"object\":";
  text += object->json;
  text += "}\n";
  SharedBytes made = share(std::move(text));
  slot = made;
  return made;
}

void Watcher::offer(const EventRef& event) {
  if (state_ != WatcherState::open) return;
  const bool matched = event->previous && selection_.matches(*resource_, *event->previous);
  const bool matches =
      event->type != EventType::deleted && selection_.matches(*resource_, *event->object);
  if (!matched && !matches) return;
  if (queue_.size() >= queue_max) {
    end(WatcherState::overflowed);
    return;
  }
  WatcherEvent told{EventType::modified, event, nullptr};
  if (matches && !matched) told.type = EventType::added;
  if (!matches) {
    told.type = EventType::deleted;
    if (event->type != EventType::deleted) {
      told.object = at_revision(*resource_, *event->previous, event->object->revision);
    }
  }
  queue_.push_back(std::move(told));
  changed_.notify();
}

void Watcher::end(WatcherState state) {
  if (state_ != WatcherState::open) return;
  state_ = state;
  changed_.notify();
}

WatcherEvent Watcher::pop() {
  CHECK(!queue_.empty());
  WatcherEvent event = std::move(queue_.front());
  queue_.pop_front();
  return event;
}

}  // namespace tripod::apiserver
