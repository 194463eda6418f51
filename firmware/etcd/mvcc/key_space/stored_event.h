#pragma once
// One change of the key space as watches see it: made once, shared by every watch it matches and by
// the recent history, and encoded once per form (with and without the previous value).
//
// Immutable to the outside; the lazily made forms make it unfit for a second thread.

#include <memory>
#include <vector>

#include "firmware/etcd/mvcc/state_db/revision.h"
#include "platform/base/bytes.h"

namespace tripod::etcd {

class StoredEvent {
 public:
  StoredEvent(RowId id, Event event) : id_(id), event_(std::move(event)) {}

  RowId id() const { return id_; }
  Revision revision() const { return main_of(id_); }
  EventType type() const { return event_.type; }
  bool creates() const {
    return event_.type == EventType::put && event_.kv.create_revision == event_.kv.mod_revision;
  }
  BytesView key() const { return event_.kv.key; }
  /// prev_kv is set only once set_previous() was called.
  const Event& event() const { return event_; }
  std::size_t memory_bytes() const {
    return sizeof(*this) + 2 * (event_.kv.key.size() + event_.kv.value.size());
  }

  bool previous_known() const { return previous_known_; }
  void set_previous(std::optional<KeyValue> previous) const {
    previous_known_ = true;
    event_.prev_kv = std::move(previous);
  }

  /// The Event message on the wire. With the previous value, previous_known() must hold.
  const SharedBytes& encoded(bool with_previous) const;

 private:
  RowId id_;
  mutable Event event_;
  mutable bool previous_known_ = false;
  mutable SharedBytes plain_;
  mutable SharedBytes with_previous_;
};

using SharedEvent = std::shared_ptr<const StoredEvent>;
using Events = std::vector<SharedEvent>;

}  // namespace tripod::etcd
