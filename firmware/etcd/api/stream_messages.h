#pragma once
// The messages of etcd 3.7 that 3.6 does not have.

#include "firmware/etcd/api/messages.h"

namespace tripod::etcd {

/// A part of a RangeResponse; the last part has its header, more and count.
struct RangeStreamResponse {
  RangeResponse range_response;
};

}  // namespace tripod::etcd
