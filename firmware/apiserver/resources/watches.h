#pragma once
// watch: a stream of events from the watch cache, one JSON document per line, until its time is up,
// the client goes or falls too far behind.

#include "firmware/apiserver/registry/list_options.h"
#include "firmware/apiserver/resources/call.h"

namespace tripod::apiserver {

/// Sends the whole response. Errors that are known before the head is sent come back; later ones
/// are ERROR events. `timeout` is for clients that name none.
Task<kube::Outcome<>> watch(const Backend* backend, const Call* call, http::Exchange* exchange,
                            Duration timeout);

}  // namespace tripod::apiserver
