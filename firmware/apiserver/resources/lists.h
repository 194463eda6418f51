#pragma once
// list: from the watch cache where it can, from etcd at an old revision where it must.

#include "firmware/apiserver/registry/list_options.h"
#include "firmware/apiserver/resources/call.h"

namespace tripod::apiserver {

/// The objects of one page and how to go on.
struct Page {
  std::vector<ObjectRef> objects;
  etcd::Revision revision = 0;
  std::string next;  // continue token; empty at the end
  std::optional<std::int64_t> remaining;
};

Task<kube::Outcome<Page>> read_page(const Backend* backend, const Resource* row,
                                    ListOptions options);
Task<kube::Outcome<Reply>> list(const Backend* backend, const Call* call);

}  // namespace tripod::apiserver
