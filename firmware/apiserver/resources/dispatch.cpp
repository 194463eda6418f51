#include "firmware/apiserver/resources/dispatch.h"

#include <algorithm>

#include "firmware/apiserver/registry/list_options.h"
#include "firmware/apiserver/resources/lists.h"
#include "firmware/apiserver/resources/subresources.h"
#include "firmware/apiserver/resources/writes.h"

namespace tripod::apiserver {

namespace {

Task<kube::Outcome<Reply>> get(const Backend* backend, const Call* call) {
  const std::string_view version = call->info.query.get("resourceVersion");
  if (!version.empty()) {
    // Any state at least that new will do: the cache's.
    auto options = parse_list_options(*call->row, call->info);
    if (!options) co_return std::unexpected(options.error());
    Cache* cache = backend->cache_of(*call->row);
    if (auto reached = co_await cache->wait_for(options->revision); !reached) {
      co_return std::unexpected(reached.error());
    }
    if (ObjectRef known = cache->find(call->info.name_space, call->info.name)) {
      auto document = json::parse(known->json);
      CHECK(document.has_value());
      if (call->row->from_storage) call->row->from_storage(*document);
      co_return object_reply(*call, std::move(*document));
    }
  }
  auto stored = co_await backend->store.read(call->row, call->info.name_space, call->info.name);
  if (!stored) co_return std::unexpected(stored.error());
  co_return object_reply(*call, std::move(stored->object));
}

using Serve = Task<kube::Outcome<Reply>> (*)(const Backend*, const Call*);

struct Route {
  std::string_view subresource;
  std::string_view verb;
  Serve serve;
  bool (*has)(const Resource&);
};

bool always(const Resource&) {
  return true;
}
bool with_status(const Resource& row) {
  return row.has_status;
}
bool with_scale(const Resource& row) {
  return row.has_scale;
}
bool of_pods(const Resource& row) {
  return row.kind.kind == "Pod";
}
bool of_namespaces(const Resource& row) {
  return row.kind.kind == "Namespace";
}
bool not_of_namespaces(const Resource& row) {
  return row.kind.kind != "Namespace";
}

/// watch is a verb of every resource; its answers take another way (watches.h).
constexpr Route routes[] = {
    {"", "create", create, always},
    {"", "delete", remove, always},
    {"", "deletecollection", remove_collection, not_of_namespaces},
    {"", "get", get, always},
    {"", "list", list, always},
    {"", "patch", patch, always},
    {"", "update", update, always},
    {"", "watch", nullptr, always},
    {"binding", "create", bind, of_pods},
    {"eviction", "create", evict, of_pods},
    {"finalize", "update", finalize_namespace, of_namespaces},
    {"scale", "get", get_scale, with_scale},
    {"scale", "patch", patch_scale, with_scale},
    {"scale", "update", update_scale, with_scale},
    {"status", "get", get, with_status},
    {"status", "patch", patch, with_status},
    {"status", "update", update, with_status},
};

}  // namespace

std::vector<std::string_view> verbs_of(const Resource& resource, std::string_view subresource) {
  std::vector<std::string_view> verbs;
  for (const Route& route : routes) {
    if (route.subresource == subresource && route.has(resource)) verbs.push_back(route.verb);
  }
  return verbs;
}

std::vector<std::string_view> subresources_of(const Resource& resource) {
  std::vector<std::string_view> names;
  for (const Route& route : routes) {
    const bool known = !names.empty() && names.back() == route.subresource;
    if (!route.subresource.empty() && !known && route.has(resource))
      names.push_back(route.subresource);
  }
  return names;
}

Task<kube::Outcome<Reply>> dispatch(const Backend* backend, const Call* call) {
  const Resource& row = *call->row;
  bool known = false;
  for (const Route& route : routes) {
    if (route.subresource != call->info.subresource || !route.has(row)) continue;
    known = true;
    if (route.verb != call->info.verb || !route.serve) continue;
    // POST to a name, or writes of a namespaced object without a namespace, have no route upstream
    // either.
    const bool wants_name = call->info.verb != "create" || !route.subresource.empty();
    const bool collection = call->info.verb == "list" || call->info.verb == "deletecollection";
    if (!collection && wants_name == call->info.name.empty()) break;
    if (row.namespaced && call->info.name_space.empty() && call->info.verb != "list") break;
    co_return co_await route.serve(backend, call);
  }
  if (!known) co_return std::unexpected(kube::errors::unknown_path());
  co_return std::unexpected(kube::errors::method_not_allowed());
}

}  // namespace tripod::apiserver
