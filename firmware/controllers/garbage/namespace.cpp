#include "firmware/controllers/garbage/namespace.h"

namespace tripod::controllers {
namespace {

using kube::ApiResult;

constexpr std::string_view finalizer = "kubernetes";
constexpr std::chrono::seconds look_again{1};

bool has_spec_finalizer(const json::Value& object) {
  const json::Array* all = json::get_array(object, "spec", "finalizers");
  return all && std::ranges::any_of(*all, [](const json::Value& each) {
           return json::as_string(each) == finalizer;
         });
}

/// "pods has 2 resource instances, secrets has 1 resource instances", as upstream words it.
std::string join(const std::map<std::string, int>& counts, std::string_view verb) {
  std::string text;
  for (const auto& [name, count] : counts) {
    text +=
        std::format("{}{} {} {} resource instances", text.empty() ? "" : ", ", name, verb, count);
  }
  return text;
}

}  // namespace

/// What emptying found and left.
struct NamespaceController::Emptied {
  std::map<std::string, int> remaining;   // kinds
  std::map<std::string, int> finalizers;  // that hold objects
  std::vector<std::string> failures;
  std::vector<std::string> undiscovered;

  bool done() const { return remaining.empty() && failures.empty() && undiscovered.empty(); }
};

NamespaceController::NamespaceController(Hub& hub)
    : Controller(hub, "namespace", "namespace-controller"),
      namespaces_(hub.informer(kube::resources::namespaces).store()) {
  namespaces_.add_handler([this](const kube::Change& change) {
    if (change.now && kube::is_deleting(*change.now))
      queue().add(std::string(kube::name_of(*change.now)));
  });
}

Task<NamespaceController::Emptied> NamespaceController::empty(std::string ns,
                                                              const Discovery* discovery) {
  Emptied result;
  result.undiscovered = discovery->missing();
  for (const Discovery::Kind& kind : discovery->kinds()) {
    if (!kind.resource.namespaced || !kind.can("list") || !kind.can("delete")) continue;
    if (kind.can("deletecollection")) {
      auto removed = co_await hub().client().remove_collection(
          kind.resource, ns, {.propagation_policy = "Background"});
      if (!removed && !removed.error().is_not_found())
        result.failures.push_back(removed.error().message);
    }
    auto left =
        co_await hub().client().list(kind.resource, ns, {.limit = 500, .metadata_only = true});
    if (!left) {
      if (!left.error().is_not_found()) result.failures.push_back(left.error().message);
      continue;
    }
    const json::Array* items = json::get_array(*left, "items");
    if (!items || items->empty()) continue;
    result.remaining[kind.resource.group_resource()] = static_cast<int>(items->size());
    for (std::size_t i = 0; i < items->size(); ++i) {
      const json::Value& item = (*items)[i];
      if (!kind.can("deletecollection") && !kube::is_deleting(item)) {
        (void)co_await hub().client().remove(kind.resource, ns, std::string(kube::name_of(item)),
                                             {.uid = std::string(kube::uid_of(item))});
      }
      if (const json::Array* holders = json::get_array(item, "metadata", "finalizers")) {
        for (const json::Value& holder : *holders)
          ++result.finalizers[std::string(json::as_string(holder))];
      }
    }
  }
  co_return result;
}

Task<ApiResult<>> NamespaceController::report(json::Value object, Emptied emptied) {
  const json::Value before = object;
  const WallTime now = hub().clock().wall_now();
  auto set = [&](std::string_view type, bool bad, std::string_view bad_reason,
                 std::string_view good_reason, std::string_view bad_message,
                 std::string_view good_message) {
    kube::set_condition(object,
                        {type, bad ? "True" : "False", bad ? bad_reason : good_reason,
                         bad ? bad_message : good_message},
                        now);
  };
  json::set(object, {"status", "phase"}, json::Value("Terminating"));
  std::string groups;
  for (const std::string& each : emptied.undiscovered)
    groups += (groups.empty() ? "" : ", ") + each;
  set("NamespaceDeletionDiscoveryFailure", !emptied.undiscovered.empty(), "DiscoveryFailed",
      "ResourcesDiscovered", "Discovery failed for some groups: " + groups,
      "All resources successfully discovered");
  set("NamespaceDeletionGroupVersionParsingFailure", false, "", "ParsedGroupVersions", "",
      "All legacy kube types successfully parsed");
  std::string failures;
  for (const std::string& each : emptied.failures)
    failures += (failures.empty() ? "" : ", ") + each;
  set("NamespaceDeletionContentFailure", !emptied.failures.empty(), "ContentDeletionFailed",
      "ContentDeleted", "Failed to delete all resource types: " + failures,
      "All content successfully deleted, may be waiting on finalization");
  set("NamespaceContentRemaining", !emptied.remaining.empty(), "SomeResourcesRemain",
      "ContentRemoved", "Some resources are remaining: " + join(emptied.remaining, "has"),
      "All content successfully removed");
  set("NamespaceFinalizersRemaining", !emptied.finalizers.empty(), "SomeFinalizersRemain",
      "ContentHasNoFinalizers",
      "Some content in the namespace has finalizers remaining: " + join(emptied.finalizers, "in"),
      "All content-preserving finalizers finished");
  if (json::equal_semantic(json::find(before, "status"), json::find(object, "status")))
    co_return ApiResult<>{};
  auto written =
      co_await hub().client().update_status(kube::resources::namespaces, std::move(object));
  if (!written) co_return std::unexpected(written.error());
  co_return ApiResult<>{};
}

Task<ApiResult<>> NamespaceController::sync(std::string key) {
  auto live = co_await hub().client().get(kube::resources::namespaces, {}, key);
  if (!live && live.error().is_not_found()) co_return ApiResult<>{};
  if (!live) co_return std::unexpected(live.error());
  if (!kube::is_deleting(*live) || !has_spec_finalizer(*live)) co_return ApiResult<>{};
  auto discovery = co_await Discovery::ask(&hub().client(), &hub().names());
  if (!discovery) co_return std::unexpected(discovery.error());
  Emptied emptied = co_await empty(key, discovery->get());
  if (!emptied.done()) {
    auto reported = co_await report(std::move(*live), std::move(emptied));
    queue().add_after(key, look_again);
    if (!reported && !reported.error().is_conflict()) co_return reported;
    co_return ApiResult<>{};
  }
  json::Array kept;
  for (const json::Value& each : *json::get_array(*live, "spec", "finalizers")) {
    if (json::as_string(each) != finalizer) kept.push_back(each);
  }
  json::set(*live, {"spec", "finalizers"}, json::Value(std::move(kept)));
  auto finalized =
      co_await hub().client().update(kube::resources::namespaces, std::move(*live), "finalize");
  if (!finalized && !finalized.error().is_not_found()) co_return std::unexpected(finalized.error());
  co_return ApiResult<>{};
}

}  // namespace tripod::controllers
