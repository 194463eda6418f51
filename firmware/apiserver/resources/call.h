#pragma once
// One request to a resource, read and checked as far as all verbs need it; and what the verbs work
// with.

#include <functional>
#include <string>

#include "firmware/apiserver/printers/render.h"
#include "firmware/apiserver/registry/lifecycle.h"
#include "firmware/apiserver/registry/store.h"
#include "firmware/apiserver/reply.h"
#include "firmware/apiserver/request_info.h"
#include "firmware/kube/decode.h"

namespace tripod::apiserver {

struct Call {
  RequestInfo info;
  Identity identity;
  const Resource* row = nullptr;
  RenderOptions render;
  std::string content_type;
  Bytes body;

  WriteContext context(bool dry_run) const {
    return {
        .user = identity, .now = render.now, .subresource = info.subresource, .dry_run = dry_run};
  }
};

/// The parts of the server that verbs need. Owned by the server; outlives every call.
struct Backend {
  Store& store;
  etcd::Client& etcd;
  os::World world;
  std::function<Cache*(const Resource&)> cache_of;
};

/// The object in the form the client asked for.
Reply object_reply(const Call& call, json::Value object, int status = 200);

}  // namespace tripod::apiserver
