#pragma once
// encode and decode for every message of messages.h, in protobuf's wire format with etcd's field
// numbers.
//
// Pure. encode() makes one allocation of the exact size; decode() copies what it keeps.

#include "firmware/etcd/api/messages.h"
#include "platform/base/result.h"

namespace tripod::etcd {

/// What a decoder accepts at most; sizes are bounded by the caller.
struct DecodeLimits {
  std::size_t depth_max = 130;         // messages inside each other; a nested Txn counts two
  std::size_t elements_max = 1 << 16;  // elements of all repeated fields together
};

/// For responses, whose sender is trusted with the size of its answers.
inline constexpr DecodeLimits response_limits{.depth_max = 130,
                                              .elements_max = std::size_t{1} << 24U};

template <typename Message>
Bytes encode(const Message& message);

template <typename Message>
std::size_t encoded_size(const Message& message);

template <typename Message>
void append_encoded(Bytes& out, const Message& message);

/// Fails with `invalid` on malformed bytes and past the limits. Unknown fields are skipped.
template <typename Message>
Result<Message> decode(BytesView bytes, DecodeLimits limits = {});

/// A WatchResponse whose events are encoded already, each as an Event message: `response.events` is
/// not looked at.
Bytes encode_with_events(const WatchResponse& response, const std::vector<SharedBytes>& events);

}  // namespace tripod::etcd
