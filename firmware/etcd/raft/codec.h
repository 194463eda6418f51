#pragma once
// Peer messages and configuration changes as bytes: protobuf wire format, our own field numbers
// (README.md). Unknown fields are skipped, so that members of two releases understand each other.
// Decoding bounds everything by Limits and never crashes on bytes from outside.

#include "firmware/etcd/raft/message.h"
#include "platform/base/bytes.h"
#include "platform/base/result.h"

namespace tripod::etcd::raft {

Bytes encode(const Message& message);
/// Fails with corrupt (malformed), or too_large (a limit).
Result<Message> decode(BytesView bytes, const Limits& limits);

Bytes encode(const ConfChange& change);
Result<ConfChange> decode_conf_change(BytesView bytes);

Bytes encode(const ConfState& state);
Result<ConfState> decode_conf_state(BytesView bytes, const Limits& limits);

}  // namespace tripod::etcd::raft
