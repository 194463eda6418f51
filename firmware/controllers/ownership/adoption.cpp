#include "firmware/controllers/ownership/adoption.h"

namespace tripod::controllers {
namespace {

Write adopt(const kube::Resource& owner_resource, const json::Value& owner,
            const kube::Resource& resource, const json::Value& object) {
  json::Value body = json::Object();
  json::ensure_array(body, {"metadata", "ownerReferences"})
      .push_back(controller_reference(owner_resource, owner));
  return patch(resource, object, std::move(body));
}

Write release(const kube::Resource& resource, const json::Value& object,
              std::string_view owner_uid) {
  json::Object gone;
  gone["$patch"] = "delete";
  gone["uid"] = owner_uid;
  json::Value body = json::Object();
  json::ensure_array(body, {"metadata", "ownerReferences"}).push_back(std::move(gone));
  return patch(resource, object, std::move(body));
}

}  // namespace

json::Value controller_reference(const kube::Resource& resource, const json::Value& owner) {
  kube::OwnerReference reference{.api_version = resource.api_version(),
                                 .kind = std::string(resource.kind),
                                 .name = std::string(kube::name_of(owner)),
                                 .uid = std::string(kube::uid_of(owner)),
                                 .controller = true,
                                 .block_owner_deletion = true};
  return reference.to_json();
}

Claim claim(const kube::Resource& owner_resource, const json::Value& owner,
            const kube::LabelSelector& selector, const kube::Resource& resource,
            const std::vector<kube::ObjectPtr>& candidates) {
  Claim result;
  bool checked = false;
  for (const kube::ObjectPtr& object : candidates) {
    std::string_view holder = kube::controller_uid(*object);
    const bool matches = selector.matches(kube::labels_of(*object));
    if (holder == kube::uid_of(owner)) {
      if (matches) {
        result.owned.push_back(object);
      } else if (!kube::is_deleting(owner)) {
        result.writes.push_back(release(resource, *object, kube::uid_of(owner)));
      }
      continue;
    }
    if (!holder.empty() || !matches || kube::is_deleting(owner) || kube::is_deleting(*object))
      continue;
    if (!std::exchange(checked, true)) result.writes.push_back(check_owner(owner_resource, owner));
    result.writes.push_back(adopt(owner_resource, owner, resource, *object));
  }
  return result;
}

void index_orphans(const json::Value& object, std::vector<std::string>& out) {
  if (kube::controller_uid(object).empty()) out.emplace_back(kube::namespace_of(object));
}

void add_ownership_indexes(kube::Store& store) {
  store.add_index("owner", kube::index_by_controller);
  store.add_index("orphans", index_orphans);
}

std::vector<kube::ObjectPtr> claim_candidates(const kube::Store& store, const json::Value& owner) {
  std::vector<kube::ObjectPtr> all = store.by_index("owner", kube::uid_of(owner));
  std::ranges::copy(store.by_index("orphans", kube::namespace_of(owner)), std::back_inserter(all));
  return all;
}

}  // namespace tripod::controllers
