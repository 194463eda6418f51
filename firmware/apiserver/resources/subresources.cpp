#include "firmware/apiserver/resources/subresources.h"

#include <format>

#include "firmware/apiserver/kinds/strategies.h"
#include "firmware/apiserver/resources/writes.h"
#include "firmware/kube/object.h"

namespace tripod::apiserver {

namespace {

kube::Outcome<json::Value> decode_as(const Call& call, const kube::schema::Type& type) {
  if (auto json = check_json_body(call.content_type); !json) return std::unexpected(json.error());
  auto validation = kube::parse_field_validation(call.info.query.get("fieldValidation"));
  if (!validation) return std::unexpected(validation.error());
  auto decoded = kube::decode(type, call.body, *validation);
  if (!decoded) return std::unexpected(decoded.error());
  return std::move(decoded->object);
}

json::Value created_status() {
  json::Object status;
  status["kind"] = "Status";
  status["apiVersion"] = "v1";
  status["metadata"] = json::Object();
  status["status"] = "Success";
  status["code"] = 201;
  return status;
}

const kube::schema::Type& scale_type() {
  return kube::schema::must_find_type("autoscaling", "v1", "Scale");
}

kube::Outcome<bool> dry_run_of(const Call& call, std::string_view options_kind) {
  return parse_dry_run(call.info.query.all("dryRun"), {"meta.k8s.io", options_kind});
}

}  // namespace

Task<kube::Outcome<Reply>> get_scale(const Backend* backend, const Call* call) {
  auto stored = co_await backend->store.read(call->row, call->info.name_space, call->info.name);
  if (!stored) co_return std::unexpected(stored.error());
  co_return json_reply(kinds::scale_of(stored->object));
}

Task<kube::Outcome<Reply>> update_scale(const Backend* backend, const Call* call) {
  auto dry_run = dry_run_of(*call, "UpdateOptions");
  if (!dry_run) co_return std::unexpected(dry_run.error());
  auto scale = decode_as(*call, scale_type());
  if (!scale) co_return std::unexpected(scale.error());
  const auto apply = [&](const json::Value& current) -> kube::Outcome<json::Value> {
    json::Value desired = current;
    if (auto applied = kinds::apply_scale(desired, *scale); !applied)
      return std::unexpected(applied.error());
    return desired;
  };
  auto changed = co_await transform(backend, call, apply, *dry_run);
  if (!changed) co_return std::unexpected(changed.error());
  co_return json_reply(kinds::scale_of(changed->object));
}

Task<kube::Outcome<Reply>> patch_scale(const Backend* backend, const Call* call) {
  auto dry_run = dry_run_of(*call, "PatchOptions");
  if (!dry_run) co_return std::unexpected(dry_run.error());
  auto document = parse_patch(*call);
  if (!document) co_return std::unexpected(document.error());
  const auto apply = [&](const json::Value& current) -> kube::Outcome<json::Value> {
    auto scale = apply_patch(scale_type(), call->content_type, *document, kinds::scale_of(current));
    if (!scale) return scale;
    std::vector<std::string> unknown;
    if (auto fits = kube::conform(scale_type(), *scale, unknown); !fits) {
      return std::unexpected(kube::cannot_handle(scale_type(), fits.error().message));
    }
    json::Value desired = current;
    if (auto applied = kinds::apply_scale(desired, *scale); !applied)
      return std::unexpected(applied.error());
    return desired;
  };
  auto changed = co_await transform(backend, call, apply, *dry_run);
  if (!changed) co_return std::unexpected(changed.error());
  co_return json_reply(kinds::scale_of(changed->object));
}

Task<kube::Outcome<Reply>> bind(const Backend* backend, const Call* call) {
  auto dry_run = dry_run_of(*call, "CreateOptions");
  if (!dry_run) co_return std::unexpected(dry_run.error());
  auto binding = decode_as(*call, kube::schema::must_find_type("", "v1", "Binding"));
  if (!binding) co_return std::unexpected(binding.error());
  const std::string_view kind = json::get_string(*binding, "target", "kind");
  kube::FieldErrors errors;
  if (!kind.empty() && kind != "Node") {
    errors.push_back(
        kube::not_supported("target.kind", json::Value(json::String(kind)), {"Node", "<empty>"}));
  }
  if (json::get_string(*binding, "target", "name").empty())
    errors.push_back(kube::required("target.name"));
  const std::string name(kube::name_of(*binding));
  if (!errors.empty())
    co_return std::unexpected(kube::errors::invalid({"", "Binding"}, name, errors));
  if (!call->info.name.empty() && !name.empty() && name != call->info.name) {
    co_return std::unexpected(
        kube::errors::bad_request("name in URL does not match name in Binding object"));
  }
  Call of_pod = *call;
  of_pod.row = find_resource("", "v1", "pods");
  if (of_pod.info.name.empty()) of_pod.info.name = name;
  of_pod.info.subresource = "binding";
  const WallTime now = call->render.now;
  const auto apply = [&](const json::Value& current) -> kube::Outcome<json::Value> {
    json::Value pod = current;
    if (auto bound = kinds::bind_pod(pod, *binding, now); !bound)
      return std::unexpected(bound.error());
    return pod;
  };
  auto changed = co_await transform(backend, &of_pod, apply, *dry_run);
  if (!changed) co_return std::unexpected(changed.error());
  co_return json_reply(created_status(), 201);
}

Task<kube::Outcome<Reply>> evict(const Backend* backend, const Call* call) {
  auto eviction = decode_as(*call, kube::schema::must_find_type("policy", "v1", "Eviction"));
  if (!eviction) co_return std::unexpected(eviction.error());
  if (const std::string_view name = kube::name_of(*eviction);
      !name.empty() && name != call->info.name) {
    co_return std::unexpected(
        kube::errors::bad_request("name in URL does not match name in Eviction object"));
  }
  Call deletion = *call;
  const json::Value* options = json::find(*eviction, "deleteOptions");
  deletion.body = options ? json::serialize(*options) : Bytes();
  deletion.info.subresource.clear();
  auto removed = co_await remove(backend, &deletion);
  if (!removed) co_return std::unexpected(removed.error());
  co_return json_reply(created_status(), 201);
}

Task<kube::Outcome<Reply>> finalize_namespace(const Backend* backend, const Call* call) {
  auto dry_run = dry_run_of(*call, "UpdateOptions");
  if (!dry_run) co_return std::unexpected(dry_run.error());
  auto wanted = decode_as(*call, call->row->type());
  if (!wanted) co_return std::unexpected(wanted.error());
  const auto apply = [&](const json::Value& current) -> kube::Outcome<json::Value> {
    json::Value desired = current;
    const json::Value* finalizers = json::find(*wanted, "spec", "finalizers");
    json::set(desired, {"spec", "finalizers"},
              finalizers ? *finalizers : json::Value(json::Array()));
    for (std::string_view key : {"resourceVersion", "uid"}) {
      if (const json::Value* value = json::find(*wanted, "metadata", key)) {
        json::set(desired, {"metadata", key}, *value);
      }
    }
    return desired;
  };
  auto changed = co_await transform(backend, call, apply, *dry_run);
  if (!changed) co_return std::unexpected(changed.error());
  co_return object_reply(*call, std::move(changed->object));
}

}  // namespace tripod::apiserver
