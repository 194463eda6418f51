#pragma once
// One watch of one client on one cache: the events it has not yet sent. Bounded; a client that does
// not keep up is dropped and watches again.

#include <deque>
#include <memory>

#include "firmware/apiserver/watch_cache/object.h"
#include "platform/async/sync.h"

namespace tripod::apiserver {

enum class EventType : std::uint8_t { added, modified, deleted };
std::string_view name_of(EventType type);  // "ADDED"

/// A change of one object. Encoded forms are made for the first watcher that needs them and shared
/// while any holds them.
class CacheEvent {
 public:
  CacheEvent(EventType kind, ObjectRef now, ObjectRef before)
      : type(kind), object(std::move(now)), previous(std::move(before)) {}

  EventType type;
  ObjectRef object;    // of a deletion: the last state, at the revision of the deletion
  ObjectRef previous;  // null for added

  /// {"type":"...","object":{...}}\n
  SharedBytes encoded(EventType as) const;
  /// What it keeps alive; the state before is mostly another event's.
  std::size_t cost_bytes() const { return object->cost_bytes() + sizeof(CacheEvent); }

 private:
  mutable std::weak_ptr<const Bytes> encoded_[3];
};

using EventRef = std::shared_ptr<const CacheEvent>;

/// What one watcher is to be told of an event: its own view of what appears and disappears.
struct WatcherEvent {
  EventType type;
  EventRef event;
  ObjectRef object;  // when it differs from event->object (left the selection), else null
};

enum class WatcherState : std::uint8_t { open, overflowed, ended };

class Watcher {
 public:
  static constexpr std::size_t queue_max = 1000;

  Watcher(const Resource& resource, Selection selection)
      : resource_(&resource), selection_(std::move(selection)) {}

  /// Translates the event into the selection's terms and queues it, if it concerns it.
  void offer(const EventRef& event);
  void end(WatcherState state);

  bool empty() const { return queue_.empty(); }
  WatcherEvent pop();
  WatcherState state() const { return state_; }
  /// Notified on every queued event and on the end.
  async::Signal& changed() { return changed_; }
  const Selection& selection() const { return selection_; }

 private:
  const Resource* resource_;
  Selection selection_;
  std::deque<WatcherEvent> queue_;
  async::Signal changed_;
  WatcherState state_ = WatcherState::open;
};

}  // namespace tripod::apiserver
