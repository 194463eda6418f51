#include "firmware/apiserver/resources/writes.h"

#include <format>

#include "firmware/apiserver/admission/admission.h"
#include "firmware/apiserver/resources/lists.h"
#include "firmware/kube/defaults/defaults.h"
#include "firmware/kube/object.h"
#include "firmware/kube/patch/patch.h"

namespace tripod::apiserver {

namespace {

constexpr std::string_view patch_types =
    "application/json-patch+json, application/merge-patch+json, "
    "application/strategic-merge-patch+json";

kube::Outcome<bool> dry_run_of(const Call& call, std::string_view options_kind) {
  return parse_dry_run(call.info.query.all("dryRun"), {"meta.k8s.io", options_kind});
}

kube::Outcome<kube::Decoded> decode_body(const Call& call) {
  if (auto json = check_json_body(call.content_type); !json) return std::unexpected(json.error());
  auto validation = kube::parse_field_validation(call.info.query.get("fieldValidation"));
  if (!validation) return std::unexpected(validation.error());
  return kube::decode(call.row->type(), call.body, *validation);
}

/// The namespace of the path holds; one in the body must be the same.
kube::Outcome<> settle_namespace(const Resource& row, json::Value& object,
                                 std::string_view name_space) {
  const std::string_view stated = kube::namespace_of(object);
  if (!row.namespaced) {
    json::erase(object, {"metadata", "namespace"});
    return {};
  }
  if (!stated.empty() && stated != name_space) {
    return std::unexpected(kube::errors::bad_request(
        "the namespace of the provided object does not match the namespace sent on the request"));
  }
  json::set(object, {"metadata", "namespace"}, json::Value(json::String(name_space)));
  return {};
}

Reply with_warnings(Reply reply, const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) add_warning(reply, warning);
  return reply;
}

/// 404 or 403 unless the namespace is there and takes new content.
Task<kube::Outcome<>> admit_namespace(const Backend* backend, const Resource* row,
                                      std::string name_space, std::string name) {
  if (!row->namespaced) co_return kube::Outcome<>{};
  const Resource* namespaces = find_resource("", "v1", "namespaces");
  Cache* cache = backend->cache_of(*namespaces);
  if (ObjectRef known = cache->find({}, name_space)) {
    auto document = json::parse(known->json);
    co_return admission::check_namespace(*row, name, *document);
  }
  auto stored = co_await backend->store.read(namespaces, {}, name_space);
  if (!stored) co_return std::unexpected(stored.error());
  co_return admission::check_namespace(*row, name, stored->object);
}

std::string fresh_uuid(const Backend& backend) {
  std::array<std::byte, 16> bytes{};
  backend.world.entropy.fill(bytes);
  return make_uuid(bytes);
}

kube::Outcome<> prepare_new(const Backend& backend, const Resource& row, json::Value& object,
                            const WriteContext& context) {
  if (!kube::resource_version_of(object).empty()) {
    return std::unexpected(
        kube::errors::bad_request("resourceVersion should not be set on objects to be created"));
  }
  kube::apply_defaults(row.type(), object);
  admission::mutate_create(row, object);
  if (auto allowed = admission::check_node(row, object, context); !allowed) return allowed;
  return prepare_create(row, object, fresh_uuid(backend), context);
}

}  // namespace

Task<kube::Outcome<Stored>> create_object(const Backend* backend, const Resource* row,
                                          json::Value object, Identity user, bool dry_run) {
  const std::string prefix(json::get_string(object, "metadata", "generateName"));
  const bool generates = kube::name_of(object).empty() && !prefix.empty();
  const WriteContext context{
      .user = user, .now = backend->world.clock.wall_now(), .subresource = {}, .dry_run = dry_run};
  const std::string name_space(kube::namespace_of(object));
  auto admitted =
      co_await admit_namespace(backend, row, name_space, std::string(kube::name_of(object)));
  if (!admitted) co_return std::unexpected(admitted.error());
  constexpr int attempts_max = 8;  // as upstream, for generated names
  for (int attempt = 1;; ++attempt) {
    json::Value candidate = object;
    if (generates) {
      json::set(candidate, {"metadata", "name"},
                json::Value(json::String(generate_name(prefix, backend->world.entropy.next()))));
    }
    if (auto prepared = prepare_new(*backend, *row, candidate, context); !prepared) {
      co_return std::unexpected(prepared.error());
    }
    const std::string name(kube::name_of(candidate));
    auto created = co_await backend->store.create(row, std::move(candidate), dry_run);
    if (created || !generates || created.error().code != 409) co_return created;
    if (attempt == attempts_max) {
      co_return std::unexpected(kube::errors::generate_name_conflict(row->group_resource(), name));
    }
  }
}

Reply object_reply(const Call& call, json::Value object, int status) {
  json::Value rendered = render(*call.row, std::move(object), call.render);
  if (!call.info.query.flag("pretty") || call.info.query.get("pretty").empty())
    return json_reply(rendered, status);
  Reply reply = json_reply(nullptr, status);
  reply.body = pretty_print(rendered);
  return reply;
}

Task<kube::Outcome<Reply>> create(const Backend* backend, const Call* call) {
  auto dry_run = dry_run_of(*call, "CreateOptions");
  if (!dry_run) co_return std::unexpected(dry_run.error());
  auto decoded = decode_body(*call);
  if (!decoded) co_return std::unexpected(decoded.error());
  if (auto settled = settle_namespace(*call->row, decoded->object, call->info.name_space);
      !settled) {
    co_return std::unexpected(settled.error());
  }
  auto created = co_await create_object(backend, call->row, std::move(decoded->object),
                                        call->identity, *dry_run);
  if (!created) co_return std::unexpected(created.error());
  co_return with_warnings(object_reply(*call, std::move(created->object), 201), decoded->warnings);
}

Task<kube::Outcome<Changed>> transform(const Backend* backend, const Call* call,
                                       Transform transform, bool dry_run) {
  const WriteContext context = call->context(dry_run);
  const Resource& row = *call->row;
  const auto decide = [&](const json::Value& current) -> kube::Outcome<Decision> {
    if (auto allowed = admission::check_node(row, current, context); !allowed) {
      return std::unexpected(allowed.error());
    }
    auto desired = transform(current);
    if (!desired) return std::unexpected(desired.error());
    return decide_update(row, current, std::move(*desired), context);
  };
  co_return co_await backend->store.change(call->row, call->info.name_space, call->info.name,
                                           decide, dry_run);
}

Task<kube::Outcome<Reply>> update(const Backend* backend, const Call* call) {
  auto dry_run = dry_run_of(*call, "UpdateOptions");
  if (!dry_run) co_return std::unexpected(dry_run.error());
  auto decoded = decode_body(*call);
  if (!decoded) co_return std::unexpected(decoded.error());
  json::Value& object = decoded->object;
  if (auto settled = settle_namespace(*call->row, object, call->info.name_space); !settled) {
    co_return std::unexpected(settled.error());
  }
  if (kube::name_of(object).empty()) {
    co_return std::unexpected(kube::errors::bad_request(std::format(
        "the name of the object ({} based on URL) was undeterminable: name must be provided",
        call->info.name)));
  }
  if (kube::name_of(object) != call->info.name) {
    co_return std::unexpected(kube::errors::bad_request(
        std::format("the name of the object ({}) does not match the name on the URL ({})",
                    kube::name_of(object), call->info.name)));
  }
  kube::apply_defaults(call->row->type(), object);
  const auto replace = [&](const json::Value&) -> kube::Outcome<json::Value> { return object; };
  auto changed = co_await transform(backend, call, replace, *dry_run);
  if (changed)
    co_return with_warnings(object_reply(*call, std::move(changed->object)), decoded->warnings);
  const bool creates = call->row->create_on_update && call->info.subresource.empty() &&
                       changed.error().code == 404 && kube::uid_of(object).empty() &&
                       kube::resource_version_of(object).empty();
  if (!creates) co_return std::unexpected(changed.error());
  auto created = co_await create_object(backend, call->row, object, call->identity, *dry_run);
  if (!created) co_return std::unexpected(created.error());
  co_return with_warnings(object_reply(*call, std::move(created->object), 201), decoded->warnings);
}

kube::Outcome<json::Value> parse_patch(const Call& call) {
  const std::string type = media_type(call.content_type);
  if (type != "application/json-patch+json" && type != "application/merge-patch+json" &&
      type != "application/strategic-merge-patch+json") {
    return std::unexpected(kube::errors::unsupported_media_type(patch_types));
  }
  auto document = json::parse(call.body);
  if (!document) return std::unexpected(kube::errors::bad_request(document.error().message));
  return std::move(*document);
}

kube::Outcome<json::Value> apply_patch(const kube::schema::Type& type,
                                       std::string_view content_type, const json::Value& patch,
                                       const json::Value& current) {
  const std::string media = media_type(content_type);
  if (media == "application/json-patch+json") return kube::apply_json_patch(current, patch);
  if (!patch.is_object()) {
    return std::unexpected(
        kube::errors::bad_request("cannot unmarshal patch: the patch must be an object"));
  }
  if (media == "application/merge-patch+json") return kube::apply_merge_patch(current, patch);
  return kube::apply_strategic_merge_patch(type, current, patch);
}

Task<kube::Outcome<Reply>> patch(const Backend* backend, const Call* call) {
  auto dry_run = dry_run_of(*call, "PatchOptions");
  if (!dry_run) co_return std::unexpected(dry_run.error());
  auto validation = kube::parse_field_validation(call->info.query.get("fieldValidation"));
  if (!validation) co_return std::unexpected(validation.error());
  auto document = parse_patch(*call);
  if (!document) co_return std::unexpected(document.error());
  const kube::schema::Type& type = call->row->type();
  std::vector<std::string> unknown;
  const auto apply = [&](const json::Value& current) -> kube::Outcome<json::Value> {
    auto patched = apply_patch(type, call->content_type, *document, current);
    if (!patched) return patched;
    unknown.clear();
    if (auto fits = kube::conform(type, *patched, unknown); !fits) {
      return std::unexpected(kube::cannot_handle(type, fits.error().message));
    }
    if (!unknown.empty() && *validation == kube::FieldValidation::strict) {
      std::string texts;
      for (const std::string& text : unknown) texts += (texts.empty() ? "" : ", ") + text;
      return std::unexpected(
          kube::errors::invalid({}, "",
                                {kube::invalid("patch", json::Value(json::String(call->body)),
                                               std::format("strict decoding error: {}", texts))}));
    }
    if (auto settled = settle_namespace(*call->row, *patched, call->info.name_space); !settled) {
      return std::unexpected(settled.error());
    }
    kube::apply_defaults(type, *patched);
    return patched;
  };
  auto changed = co_await transform(backend, call, apply, *dry_run);
  if (!changed) co_return std::unexpected(changed.error());
  Reply reply = object_reply(*call, std::move(changed->object));
  if (*validation == kube::FieldValidation::warn) reply = with_warnings(std::move(reply), unknown);
  co_return reply;
}

namespace {

/// Kinds whose deletion answers with the object; the others with a Status.
bool returns_deleted(const Resource& row) {
  return row.kind.kind == "Pod" || row.kind.kind == "Service" || row.kind.kind == "ServiceAccount";
}

kube::Outcome<DeleteOptions> delete_options_of(const Call& call) {
  if (!call.body.empty()) {
    if (auto json = check_json_body(call.content_type); !json) return std::unexpected(json.error());
  }
  const Query& query = call.info.query;
  return parse_delete_options(call.body, query.get("gracePeriodSeconds"),
                              query.get("propagationPolicy"), query.get("orphanDependents"),
                              query.all("dryRun"));
}

Task<kube::Outcome<Changed>> remove_one(const Backend* backend, const Call* call,
                                        std::string name_space, std::string name,
                                        const DeleteOptions* options) {
  const WriteContext context = call->context(options->dry_run);
  const auto decide = [&](const json::Value& current) -> kube::Outcome<Decision> {
    if (auto allowed = admission::check_node(*call->row, current, context); !allowed) {
      return std::unexpected(allowed.error());
    }
    return decide_delete(*call->row, current, *options, context);
  };
  co_return co_await backend->store.change(call->row, std::move(name_space), std::move(name),
                                           decide, options->dry_run);
}

}  // namespace

Task<kube::Outcome<Reply>> remove(const Backend* backend, const Call* call) {
  auto options = delete_options_of(*call);
  if (!options) co_return std::unexpected(options.error());
  auto changed =
      co_await remove_one(backend, call, call->info.name_space, call->info.name, &*options);
  if (!changed) co_return std::unexpected(changed.error());
  const bool gone = changed->action == Decision::Action::remove;
  if (gone && !returns_deleted(*call->row)) {
    co_return json_reply(kube::success_status(call->row->group_resource(), call->info.name,
                                              kube::uid_of(changed->object)));
  }
  co_return object_reply(*call, std::move(changed->object));
}

Task<kube::Outcome<Reply>> remove_collection(const Backend* backend, const Call* call) {
  auto options = delete_options_of(*call);
  if (!options) co_return std::unexpected(options.error());
  auto list_options = parse_list_options(*call->row, call->info);
  if (!list_options) co_return std::unexpected(list_options.error());
  auto page = co_await read_page(backend, call->row, std::move(*list_options));
  if (!page) co_return std::unexpected(page.error());
  json::Array items;
  for (const ObjectRef& object : page->objects) {
    auto changed = co_await remove_one(backend, call, object->name_space, object->name, &*options);
    if (changed) {
      items.push_back(std::move(changed->object));
    } else if (changed.error().code != 404) {
      co_return std::unexpected(changed.error());
    }
  }
  json::Object list;
  list["kind"] = std::format("{}List", call->row->kind.kind);
  list["apiVersion"] = call->row->kind.group_version().to_string();
  list["metadata"] = json::Object{{"resourceVersion", std::to_string(page->revision)}};
  list["items"] = std::move(items);
  co_return json_reply(list);
}

}  // namespace tripod::apiserver
