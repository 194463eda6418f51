#include "firmware/apiserver/kinds/strategies.h"
#include "firmware/kube/object.h"

namespace tripod::apiserver::kinds {

void create_namespace(json::Value& name_space, const WriteContext&) {
  json::set(name_space, {"spec"}, json::Value{{"finalizers", json::Array{"kubernetes"}}});
  json::set(name_space, {"status"}, json::Value{{"phase", "Active"}});
  kube::set_label(name_space, "kubernetes.io/metadata.name", kube::name_of(name_space));
}

void update_namespace(json::Value& name_space, const json::Value& old,
                      const WriteContext& context) {
  // spec.finalizers changes only through the finalize subresource.
  if (context.subresource.empty()) {
    if (const json::Value* spec = json::find(old, "spec")) json::set(name_space, {"spec"}, *spec);
  }
  kube::set_label(name_space, "kubernetes.io/metadata.name", kube::name_of(name_space));
}

bool may_delete_namespace(std::string_view name) {
  return name != "default" && name != "kube-system" && name != "kube-public";
}

}  // namespace tripod::apiserver::kinds
