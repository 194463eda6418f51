#include "firmware/etcd/mvcc/key_space/stored_event.h"

#include "firmware/etcd/api/codec.h"
#include "firmware/etcd/api/wire.h"

namespace tripod::etcd {

const SharedBytes& StoredEvent::encoded(bool with_previous) const {
  if (!plain_) {
    Bytes bytes;
    if (event_.type == EventType::remove) wire::append_number(bytes, 1, 1);
    wire::append_bytes(bytes, 2, encode(event_.kv));
    plain_ = share(std::move(bytes));
  }
  if (!with_previous) return plain_;
  CHECK(previous_known_);
  if (!with_previous_) {
    if (!event_.prev_kv) {
      with_previous_ = plain_;
    } else {
      Bytes bytes = *plain_;
      wire::append_bytes(bytes, 3, encode(*event_.prev_kv));
      with_previous_ = share(std::move(bytes));
    }
  }
  return with_previous_;
}

}  // namespace tripod::etcd
