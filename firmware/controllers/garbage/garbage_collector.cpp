#include "firmware/controllers/garbage/garbage_collector.h"

#include "platform/async/sync.h"

namespace tripod::controllers {
namespace {

using kube::ApiError;
using kube::ApiResult;

constexpr std::string_view foreground = "foregroundDeletion";
constexpr std::string_view orphan = "orphan";
constexpr std::chrono::seconds rediscovery{30};

std::string queue_key(std::string_view group_resource, const json::Value& object) {
  return std::format("{}|{}", group_resource, kube::key_of(object));
}

bool waits_for_children(const json::Value& object) {
  return kube::is_deleting(object) && kube::has_finalizer(object, foreground);
}

bool blocks(const json::Value& child, std::string_view owner_uid) {
  const json::Array* owners = json::get_array(child, "metadata", "ownerReferences");
  if (!owners) return false;
  return std::ranges::any_of(*owners, [&](const json::Value& owner) {
    return json::get_string(owner, "uid") == owner_uid &&
           json::get_bool(owner, "blockOwnerDeletion");
  });
}

json::Array owners_without(const json::Value& object, const std::set<std::string>& uids) {
  json::Array kept;
  if (const json::Array* owners = json::get_array(object, "metadata", "ownerReferences")) {
    for (const json::Value& owner : *owners) {
      if (!uids.contains(std::string(json::get_string(owner, "uid")))) kept.push_back(owner);
    }
  }
  return kept;
}

}  // namespace

void prune_to_ownership(json::Value& object) {
  json::Object metadata;
  for (std::string_view field : {"name", "namespace", "uid", "resourceVersion", "ownerReferences",
                                 "finalizers", "deletionTimestamp"}) {
    if (const json::Value* value = json::find(object, "metadata", field)) metadata[field] = *value;
  }
  object = json::Object{{"metadata", std::move(metadata)}};
}

GarbageCollector::GarbageCollector(Hub& hub)
    : Controller(hub, "garbage_collector", "garbage-collector-controller") {}
GarbageCollector::~GarbageCollector() = default;

Task<void> GarbageCollector::tick() {
  async::ScopeCore& outer = co_await async::current_scope();
  informers_ = std::make_unique<Scope>(outer.executor());
  {
    async::detail::CancelLink link(outer, *informers_);
    while (!outer.cancelled()) {
      auto found = co_await Discovery::ask(&hub().client(), &hub().names());
      if (found) {
        for (const Discovery::Kind& kind : (*found)->kinds()) {
          const bool watchable = kind.can("list") && kind.can("watch") && kind.can("delete");
          if (watchable && kind.resource.plural != "events") watch(kind.resource);
        }
        discovery_ = std::move(*found);
        hub().start(*informers_);
        if (!ready_ && co_await hub().wait_for_sync()) {
          ready_ = true;
          for (const auto& [uid, keys] : children_) {
            if (!by_uid_.contains(uid)) enqueue_children(uid);
          }
        }
      }
      const Duration wait = found ? Duration(rediscovery) : Duration(std::chrono::seconds(1));
      if (!co_await async::sleep_for(hub().clock(), wait)) break;
    }
    co_await informers_->join();
  }
}

void GarbageCollector::watch(const kube::Resource& resource) {
  std::string name = resource.group_resource();
  if (!watched_.insert(name).second) return;
  kube::Informer* informer = hub().find_informer(name);
  if (!informer) {
    informer = &hub().informer(resource, {.ns = {},
                                          .label_selector = {},
                                          .field_selector = {},
                                          .metadata_only = true,
                                          .prune = prune_to_ownership});
  }
  informer->store().add_handler(
      [this, name](const kube::Change& change) { on_change(name, change); });
}

void GarbageCollector::on_change(const std::string& group_resource, const kube::Change& change) {
  const json::Value& object = change.latest();
  const std::string key = queue_key(group_resource, object);
  if (change.before) {
    for (const kube::OwnerReference& owner : kube::owners_of(*change.before)) {
      auto children = children_.find(owner.uid);
      if (children == children_.end()) continue;
      children->second.erase(key);
      if (children->second.empty()) children_.erase(children);
    }
    if (!change.now || kube::uid_of(*change.before) != kube::uid_of(*change.now)) {
      by_uid_.erase(std::string(kube::uid_of(*change.before)));
      enqueue_children(kube::uid_of(*change.before));
    }
    enqueue_owners(*change.before);
  }
  if (!change.now) return;
  by_uid_[std::string(kube::uid_of(object))] = key;
  bool look = kube::is_deleting(object) &&
              (kube::has_finalizer(object, foreground) || kube::has_finalizer(object, orphan));
  for (const kube::OwnerReference& owner : kube::owners_of(object)) {
    children_[owner.uid].insert(key);
    look = look || (ready_ && !by_uid_.contains(owner.uid));
  }
  if (look) queue().add(key);
  if (waits_for_children(object)) enqueue_children(kube::uid_of(object));
}

void GarbageCollector::enqueue_children(std::string_view uid) {
  auto children = children_.find(uid);
  if (children == children_.end()) return;
  for (const std::string& key : children->second) queue().add(key);
}

/// Owners that wait for their children may be done now.
void GarbageCollector::enqueue_owners(const json::Value& object) {
  for (const kube::OwnerReference& reference : kube::owners_of(object)) {
    auto key = by_uid_.find(reference.uid);
    if (key == by_uid_.end()) continue;
    auto [resource, name] = std::pair(key->second.substr(0, key->second.find('|')),
                                      key->second.substr(key->second.find('|') + 1));
    kube::Informer* informer = hub().find_informer(resource);
    kube::ObjectPtr owner = informer ? informer->store().get(name) : nullptr;
    if (owner && waits_for_children(*owner)) queue().add(key->second);
  }
}

const kube::Resource* GarbageCollector::resource_of(std::string_view group_resource) const {
  for (const Discovery::Kind& kind : discovery_->kinds()) {
    if (kind.resource.group_resource() == group_resource) return &kind.resource;
  }
  return nullptr;
}

const Discovery::Kind* GarbageCollector::kind_of(std::string_view api_version,
                                                 std::string_view name) const {
  const kube::GroupVersion wanted = kube::parse_group_version(api_version);
  for (const Discovery::Kind& kind : discovery_->kinds()) {
    if (kind.resource.kind == name && kind.resource.group == wanted.group) return &kind;
  }
  return nullptr;
}

Task<ApiResult<>> GarbageCollector::sync(std::string key) {
  if (!ready_) {  // an unknown child might be overlooked
    queue().add_after(key, std::chrono::milliseconds(100));
    co_return ApiResult<>{};
  }
  const std::string group_resource = key.substr(0, key.find('|'));
  const kube::Resource* known = resource_of(group_resource);
  if (!known) co_return ApiResult<>{};
  const kube::Resource resource = *known;
  auto [ns, name] = kube::split_key(std::string_view(key).substr(group_resource.size() + 1));
  auto live = co_await hub().client().get(resource, std::string(ns), std::string(name));
  if (!live) {
    if (live.error().is_not_found()) co_return ApiResult<>{};
    co_return std::unexpected(live.error());
  }
  if (kube::is_deleting(*live) && kube::has_finalizer(*live, orphan)) {
    co_return co_await orphan_children(resource, std::move(*live));
  }
  if (waits_for_children(*live)) co_return co_await finish_foreground(resource, std::move(*live));
  if (kube::is_deleting(*live)) co_return ApiResult<>{};
  co_return co_await look_at_owners(resource, std::move(*live));
}

/// Foreground: the children that block go first; then the owner's finalizer.
Task<ApiResult<>> GarbageCollector::finish_foreground(kube::Resource resource, json::Value object) {
  bool blocked = false;
  if (auto children = children_.find(kube::uid_of(object)); children != children_.end()) {
    for (const std::string& key : children->second) {
      kube::Informer* informer = hub().find_informer(key.substr(0, key.find('|')));
      kube::ObjectPtr child =
          informer ? informer->store().get(key.substr(key.find('|') + 1)) : nullptr;
      if (!child || !blocks(*child, kube::uid_of(object))) continue;
      blocked = true;
      if (!kube::is_deleting(*child)) queue().add(key);
    }
  }
  if (blocked) co_return ApiResult<>{};
  co_return co_await drop_finalizer(resource, std::move(object), std::string(foreground));
}

Task<ApiResult<>> GarbageCollector::orphan_children(kube::Resource resource, json::Value object) {
  const std::string uid(kube::uid_of(object));
  std::vector<std::string> keys;
  if (auto children = children_.find(uid); children != children_.end()) {
    keys.assign(children->second.begin(), children->second.end());
  }
  for (const std::string& key : keys) {
    const std::string group_resource = key.substr(0, key.find('|'));
    const kube::Resource* child_resource = resource_of(group_resource);
    if (!child_resource) continue;
    const kube::Resource borrowed = *child_resource;
    auto [ns, name] = kube::split_key(std::string_view(key).substr(group_resource.size() + 1));
    auto child = co_await hub().client().get(borrowed, std::string(ns), std::string(name));
    if (!child && child.error().is_not_found()) continue;
    if (!child) co_return std::unexpected(child.error());
    json::Array kept = owners_without(*child, {uid});
    auto patched = co_await patch_owners(borrowed, std::move(*child), std::move(kept));
    if (!patched && !patched.error().is_not_found()) co_return patched;
  }
  co_return co_await drop_finalizer(resource, std::move(object), std::string(orphan));
}

struct GarbageCollector::Owners {
  std::vector<std::string> solid;
  std::set<std::string> absent;
  std::set<std::string> waiting;  // being deleted in the foreground
};

Task<ApiResult<>> GarbageCollector::look_at_owners(kube::Resource resource, json::Value object) {
  Owners owners;
  const json::Array* references = json::get_array(object, "metadata", "ownerReferences");
  if (!references || references->empty()) co_return ApiResult<>{};
  for (std::size_t i = 0; i < references->size(); ++i) {
    const json::Value reference = (*references)[i];
    const std::string uid(json::get_string(reference, "uid"));
    auto owner = co_await live_owner(std::string(kube::namespace_of(object)), reference);
    if (!owner) co_return std::unexpected(owner.error());
    if (!*owner) {
      owners.absent.insert(uid);
    } else if (waits_for_children(**owner)) {
      owners.waiting.insert(uid);
    } else {
      owners.solid.push_back(uid);
    }
  }
  if (!owners.solid.empty()) {
    std::set<std::string> gone = owners.absent;
    gone.insert(owners.waiting.begin(), owners.waiting.end());
    if (gone.empty()) co_return ApiResult<>{};
    json::Array kept = owners_without(object, gone);
    co_return co_await patch_owners(resource, std::move(object), std::move(kept));
  }
  kube::DeleteOptions options{.grace_period_seconds = {},
                              .propagation_policy = "Background",
                              .uid = std::string(kube::uid_of(object)),
                              .resource_version = std::string(kube::resource_version_of(object))};
  if (kube::has_finalizer(object, orphan)) {
    options.propagation_policy = "Orphan";
  } else if (kube::has_finalizer(object, foreground) ||
             (!owners.waiting.empty() && children_.contains(options.uid))) {
    options.propagation_policy = "Foreground";
  }
  auto removed =
      co_await hub().client().remove(resource, std::string(kube::namespace_of(object)),
                                     std::string(kube::name_of(object)), std::move(options));
  if (!removed && !removed.error().is_not_found()) co_return std::unexpected(removed.error());
  co_return ApiResult<>{};
}

/// Nothing when there is no such owner, or another one of that name. A kind that the server does
/// not know proves nothing.
Task<ApiResult<std::optional<json::Value>>> GarbageCollector::live_owner(std::string ns,
                                                                         json::Value reference) {
  const Discovery::Kind* kind =
      kind_of(json::get_string(reference, "apiVersion"), json::get_string(reference, "kind"));
  if (!kind) {
    co_return std::unexpected(
        ApiError{.code = 404,
                 .reason = "UnknownKind",
                 .message = std::format("no kind {} in {}", json::get_string(reference, "kind"),
                                        json::get_string(reference, "apiVersion")),
                 .retry_after = {}});
  }
  const kube::Resource resource = kind->resource;
  const std::string uid(json::get_string(reference, "uid"));
  auto live = co_await hub().client().get(resource, resource.namespaced ? ns : "",
                                          std::string(json::get_string(reference, "name")));
  if (!live && live.error().is_not_found()) co_return std::optional<json::Value>();
  if (!live) co_return std::unexpected(live.error());
  if (kube::uid_of(*live) != uid) co_return std::optional<json::Value>();
  co_return std::optional(std::move(*live));
}

Task<ApiResult<>> GarbageCollector::patch_owners(kube::Resource resource, json::Value object,
                                                 json::Array references) {
  json::Value body = json::Object();
  json::set(body, {"metadata", "uid"}, json::Value(kube::uid_of(object)));
  json::set(body, {"metadata", "resourceVersion"}, json::Value(kube::resource_version_of(object)));
  json::set(body, {"metadata", "ownerReferences"}, json::Value(std::move(references)));
  auto patched = co_await hub().client().patch(resource, std::string(kube::namespace_of(object)),
                                               std::string(kube::name_of(object)),
                                               kube::PatchType::merge, std::move(body));
  if (!patched) co_return std::unexpected(patched.error());
  co_return ApiResult<>{};
}

Task<ApiResult<>> GarbageCollector::drop_finalizer(kube::Resource resource, json::Value object,
                                                   std::string finalizer) {
  kube::remove_finalizer(object, finalizer);
  json::Value body = json::Object();
  json::set(body, {"metadata", "uid"}, json::Value(kube::uid_of(object)));
  json::set(body, {"metadata", "resourceVersion"}, json::Value(kube::resource_version_of(object)));
  const json::Value* left = json::find(object, "metadata", "finalizers");
  json::set(body, {"metadata", "finalizers"}, left ? *left : json::Value(json::Array()));
  auto patched = co_await hub().client().patch(resource, std::string(kube::namespace_of(object)),
                                               std::string(kube::name_of(object)),
                                               kube::PatchType::merge, std::move(body));
  if (!patched && !patched.error().is_not_found()) co_return std::unexpected(patched.error());
  co_return ApiResult<>{};
}

}  // namespace tripod::controllers
