#include "firmware/apiserver/registry/lifecycle.h"

#include <algorithm>
#include <array>
#include <format>

#include "firmware/apiserver/kinds/strategies.h"
#include "firmware/kube/object.h"
#include "firmware/kube/validation/validation.h"

namespace tripod::apiserver {

namespace {

bool same(const json::Value& left, const json::Value& right, std::string_view key) {
  return json::equal_semantic(json::find(left, key), json::find(right, key));
}

/// The server's own metadata comes from the stored object, whatever the client sent.
void keep_metadata(json::Value& object, const json::Value& current) {
  for (std::string_view key : {"uid", "creationTimestamp", "deletionTimestamp",
                               "deletionGracePeriodSeconds", "generation", "selfLink"}) {
    const json::Value* value = json::find(current, "metadata", key);
    if (value) {
      json::set(object, {"metadata", key}, *value);
    } else {
      json::erase(object, {"metadata", key});
    }
  }
  json::erase(object, {"metadata", "managedFields"});
}

void copy_or_erase(json::Value& object, const json::Value& from, std::string_view key) {
  if (const json::Value* value = json::find(from, key)) {
    json::set(object, {key}, *value);
  } else {
    json::erase(object, {key});
  }
}

/// Everything but metadata, for kinds without a spec.
bool content_differs(const Resource& resource, const json::Value& left, const json::Value& right) {
  if (resource.kind.kind == "EndpointSlice") {
    return !same(left, right, "endpoints") || !same(left, right, "ports") ||
           !same(left, right, "addressType") ||
           !json::equal_semantic(kube::labels_of(left), kube::labels_of(right));
  }
  if (!same(left, right, "spec")) return true;
  return resource.kind.kind == "Deployment" &&
         !json::equal_semantic(json::find(left, "metadata", "annotations"),
                               json::find(right, "metadata", "annotations"));
}

void set_generation(json::Value& object, std::int64_t generation) {
  json::set(object, {"metadata", "generation"}, json::Value(generation));
}

std::size_t finalizer_count(const json::Value& object) {
  const json::Array* finalizers = json::get_array(object, "metadata", "finalizers");
  return finalizers ? finalizers->size() : 0;
}

bool has_namespace_finalizers(const Resource& resource, const json::Value& object) {
  if (resource.kind.kind != "Namespace") return false;
  const json::Array* finalizers = json::get_array(object, "spec", "finalizers");
  return finalizers && !finalizers->empty();
}

/// An object that is being deleted goes with its last finalizer, once its grace is over.
bool is_finished(const Resource& resource, const json::Value& current, const json::Value& updated) {
  return kube::is_deleting(current) && finalizer_count(updated) == 0 &&
         json::get_int(current, "metadata", "deletionGracePeriodSeconds").value_or(0) == 0 &&
         !has_namespace_finalizers(resource, updated);
}

kube::Outcome<> check_update_preconditions(const Resource& resource, const json::Value& current,
                                           const json::Value& desired) {
  const std::string_view name = kube::name_of(current);
  const std::string_view wanted = kube::resource_version_of(desired);
  if ((wanted.empty() || wanted == "0") && !resource.unconditional_update) {
    return std::unexpected(
        kube::errors::invalid(resource.kind.group_kind(), name,
                              {kube::invalid("metadata.resourceVersion", json::Value(0),
                                             "must be specified for an update")}));
  }
  const std::string_view uid = kube::uid_of(desired);
  if (!uid.empty() && uid != kube::uid_of(current)) {
    return std::unexpected(kube::errors::conflict(
        resource.group_resource(), name,
        std::format("Precondition failed: UID in precondition: {}, UID in object meta: {}", uid,
                    kube::uid_of(current))));
  }
  if (!wanted.empty() && wanted != "0" && wanted != kube::resource_version_of(current)) {
    return std::unexpected(kube::errors::conflict(resource.group_resource(), name));
  }
  return {};
}

/// A status update takes status (and harmless metadata) from the request, all else from what is
/// stored.
void keep_all_but_status(const Resource& resource, json::Value& object, const json::Value& current,
                         const WriteContext& context) {
  copy_or_erase(object, current, "spec");
  if (const json::Value* owners = json::find(current, "metadata", "ownerReferences")) {
    json::set(object, {"metadata", "ownerReferences"}, *owners);
  }
  if (resource.prepare_status) resource.prepare_status(object, current, context);
}

}  // namespace

void fill_new(const Resource& resource, json::Value& object, std::string_view uid,
              const WriteContext& context) {
  for (std::string_view key : {"deletionTimestamp", "deletionGracePeriodSeconds", "selfLink",
                               "managedFields", "resourceVersion"}) {
    json::erase(object, {"metadata", key});
  }
  json::set(object, {"metadata", "uid"}, json::Value(json::String(uid)));
  json::set(object, {"metadata", "creationTimestamp"},
            json::Value(json::String(to_rfc3339(context.now))));
  if (resource.has_generation) {
    set_generation(object, 1);
  } else {
    json::erase(object, {"metadata", "generation"});
  }
  if (resource.has_status && !resource.status_on_create) {
    json::set(object, {"status"}, json::Value(json::Object()));
  }
  if (resource.prepare_create) resource.prepare_create(object, context);
}

kube::Outcome<> prepare_create(const Resource& resource, json::Value& object, std::string_view uid,
                               const WriteContext& context) {
  fill_new(resource, object, uid, context);
  auto errors = kube::validate(
      {.type = resource.type(), .object = object, .namespaced = resource.namespaced});
  if (!errors.empty()) {
    return std::unexpected(
        kube::errors::invalid(resource.kind.group_kind(), kube::name_of(object), errors));
  }
  return {};
}

kube::Outcome<Decision> decide_update(const Resource& resource, const json::Value& current,
                                      json::Value desired, const WriteContext& context) {
  if (auto held = check_update_preconditions(resource, current, desired); !held) {
    return std::unexpected(held.error());
  }
  keep_metadata(desired, current);
  json::set(desired, {"metadata", "resourceVersion"},
            json::Value(json::String(kube::resource_version_of(current))));
  const bool of_status = context.subresource == "status";
  if (of_status) {
    keep_all_but_status(resource, desired, current, context);
  } else {
    if (resource.has_status && context.subresource != "binding")
      copy_or_erase(desired, current, "status");
    if (resource.prepare_update) resource.prepare_update(desired, current, context);
  }
  if (resource.has_generation && !of_status && content_differs(resource, desired, current)) {
    set_generation(desired, kube::generation_of(current) + 1);
  }
  if (context.subresource != "binding") {
    auto errors = kube::validate({.type = resource.type(),
                                  .object = desired,
                                  .old = &current,
                                  .subresource = context.subresource,
                                  .namespaced = resource.namespaced});
    if (!errors.empty()) {
      return std::unexpected(
          kube::errors::invalid(resource.kind.group_kind(), kube::name_of(current), errors));
    }
  }
  if (is_finished(resource, current, desired))
    return Decision{Decision::Action::remove, std::move(desired)};
  if (json::equal(desired, current)) return Decision{Decision::Action::keep, {}};
  return Decision{Decision::Action::write, std::move(desired)};
}

namespace {

kube::StatusError invalid_options(kube::FieldErrors errors) {
  return kube::errors::invalid({"meta.k8s.io", "DeleteOptions"}, "", errors);
}

kube::Outcome<> read_body(BytesView body, DeleteOptions& options, std::string& orphan,
                          std::vector<std::string>& dry_run) {
  auto parsed = json::parse(body);
  if (!parsed || !parsed->is_object()) {
    return std::unexpected(kube::errors::bad_request(
        std::format("couldn't get version/kind; json parse error: {}",
                    parsed ? "the body is no object" : parsed.error().message)));
  }
  if (auto seconds = json::get_int(*parsed, "gracePeriodSeconds"))
    options.grace_period_seconds = seconds;
  options.propagation = json::get_string(*parsed, "propagationPolicy");
  options.uid = json::get_string(*parsed, "preconditions", "uid");
  options.resource_version = json::get_string(*parsed, "preconditions", "resourceVersion");
  if (const json::Value* value = json::find(*parsed, "orphanDependents");
      value && value->is_bool()) {
    orphan = value->get_bool() ? "true" : "false";
  }
  if (const json::Array* values = json::get_array(*parsed, "dryRun")) {
    for (const json::Value& value : *values) dry_run.emplace_back(json::as_string(value));
  }
  return {};
}

}  // namespace

kube::Outcome<bool> parse_dry_run(const std::vector<std::string_view>& values,
                                  const kube::GroupKind& options_kind) {
  for (std::string_view value : values) {
    if (value == "All") continue;
    return std::unexpected(kube::errors::invalid(
        options_kind, "",
        {kube::not_supported("dryRun", json::Value(json::Array{json::Value(json::String(value))}),
                             {"All"})}));
  }
  return !values.empty();
}

kube::Outcome<DeleteOptions> parse_delete_options(
    BytesView body, std::string_view query_grace, std::string_view query_propagation,
    std::string_view query_orphan, const std::vector<std::string_view>& query_dry_run) {
  DeleteOptions options;
  std::string orphan;
  std::vector<std::string> dry_run;
  if (!body.empty()) {  // the query does not count then
    if (auto read = read_body(body, options, orphan, dry_run); !read)
      return std::unexpected(read.error());
  } else {
    if (!query_grace.empty()) {
      std::int64_t seconds = 0;
      const auto end = query_grace.data() + query_grace.size();
      if (std::from_chars(query_grace.data(), end, seconds).ptr != end) {
        return std::unexpected(kube::errors::bad_request(
            std::format("invalid gracePeriodSeconds {}", kube::go_quote(query_grace))));
      }
      options.grace_period_seconds = seconds;
    }
    options.propagation = query_propagation;
    orphan = query_orphan;
    dry_run.assign(query_dry_run.begin(), query_dry_run.end());
  }
  if (!orphan.empty() && !options.propagation.empty()) {
    return std::unexpected(invalid_options(
        {kube::invalid("propagationPolicy", json::Value(json::String(options.propagation)),
                       "orphanDependents and deletionPropagation cannot be both set")}));
  }
  if (!options.propagation.empty() && options.propagation != "Orphan" &&
      options.propagation != "Background" && options.propagation != "Foreground") {
    return std::unexpected(invalid_options(
        {kube::not_supported("propagationPolicy", json::Value(json::String(options.propagation)),
                             {"Foreground", "Background", "Orphan", "nil"})}));
  }
  if (!orphan.empty())
    options.propagation = orphan == "true" || orphan == "1" ? "Orphan" : "Background";
  const std::vector<std::string_view> views(dry_run.begin(), dry_run.end());
  auto dry = parse_dry_run(views, {"meta.k8s.io", "DeleteOptions"});
  if (!dry) return std::unexpected(dry.error());
  options.dry_run = *dry;
  return options;
}

namespace {

kube::Outcome<> check_delete_preconditions(const Resource& resource, const json::Value& current,
                                           const DeleteOptions& options) {
  const auto refuse = [&](std::string_view what, std::string_view wanted, std::string_view found,
                          std::string_view hint) -> kube::Outcome<> {
    return std::unexpected(kube::errors::conflict(
        resource.group_resource(), kube::name_of(current),
        std::format("Precondition failed: {} in precondition: {}, {} in object meta: {}{}", what,
                    wanted, what, found, hint)));
  };
  if (!options.uid.empty() && options.uid != kube::uid_of(current)) {
    return refuse("UID", options.uid, kube::uid_of(current), "");
  }
  if (!options.resource_version.empty() &&
      options.resource_version != kube::resource_version_of(current)) {
    return refuse("ResourceVersion", options.resource_version, kube::resource_version_of(current),
                  "");
  }
  return {};
}

/// The finalizers that make the garbage collector do what the policy says.
void set_propagation_finalizers(const Resource& resource, json::Value& object,
                                const std::string& propagation) {
  constexpr std::string_view orphan = "orphan";
  constexpr std::string_view foreground = "foregroundDeletion";
  std::string policy = propagation;
  if (policy.empty()) {
    if (kube::has_finalizer(object, orphan)) policy = "Orphan";
    if (kube::has_finalizer(object, foreground)) policy = "Foreground";
    // As in the days of core/v1's first controllers.
    if (policy.empty() && resource.kind.kind == "ReplicationController") policy = "Orphan";
  }
  kube::remove_finalizer(object, orphan);
  kube::remove_finalizer(object, foreground);
  if (policy == "Orphan") kube::add_finalizer(object, orphan);
  if (policy == "Foreground") kube::add_finalizer(object, foreground);
}

void mark_deleting(json::Value& object, WallTime when, std::int64_t grace_seconds) {
  const bool first = !kube::is_deleting(object);
  json::set(object, {"metadata", "deletionTimestamp"}, json::Value(json::String(to_rfc3339(when))));
  json::set(object, {"metadata", "deletionGracePeriodSeconds"}, json::Value(grace_seconds));
  const std::int64_t generation = kube::generation_of(object);
  if (first && generation > 0) set_generation(object, generation + 1);
}

/// Removes, unless finalizers still hold the object.
Decision remove_or_mark(const json::Value& current, json::Value object,
                        const WriteContext& context) {
  if (finalizer_count(object) == 0) return {Decision::Action::remove, std::move(object)};
  const auto marked = kube::time_at(object, {"metadata", "deletionTimestamp"});
  const WallTime when = marked && *marked <= context.now ? *marked : context.now;
  mark_deleting(object, when, 0);
  if (json::equal(object, current)) return {Decision::Action::keep, std::move(object)};
  return {Decision::Action::write, std::move(object)};
}

Decision delete_gracefully(const Resource& resource, const json::Value& current, json::Value object,
                           const DeleteOptions& options, const WriteContext& context) {
  const std::int64_t grace = resource.grace_seconds(current, options.grace_period_seconds);
  if (!kube::is_deleting(current)) {
    if (grace == 0) return remove_or_mark(current, std::move(object), context);
    mark_deleting(object, context.now + std::chrono::seconds(grace), grace);
    return {Decision::Action::write, std::move(object)};
  }
  const std::int64_t pending =
      json::get_int(current, "metadata", "deletionGracePeriodSeconds").value_or(0);
  if (pending == 0) return remove_or_mark(current, std::move(object), context);
  // A grace under way can only be shortened.
  if (!options.grace_period_seconds || *options.grace_period_seconds >= pending) {
    return {Decision::Action::keep, current};
  }
  const std::int64_t wanted = std::max<std::int64_t>(*options.grace_period_seconds, 0);
  if (wanted == 0) return remove_or_mark(current, std::move(object), context);
  const auto ends = kube::time_at(current, {"metadata", "deletionTimestamp"}).value_or(context.now);
  const WallTime sooner = ends - std::chrono::seconds(pending) + std::chrono::seconds(wanted);
  mark_deleting(object, std::max(sooner, context.now), sooner < context.now ? 1 : wanted);
  return {Decision::Action::write, std::move(object)};
}

kube::Outcome<Decision> delete_namespace(const Resource& resource, const json::Value& current,
                                         json::Value object, const WriteContext& context) {
  const std::string_view name = kube::name_of(current);
  if (!kinds::may_delete_namespace(name)) {
    return std::unexpected(kube::errors::forbidden(resource.group_resource(), name,
                                                   "this namespace may not be deleted"));
  }
  if (!has_namespace_finalizers(resource, current))
    return remove_or_mark(current, std::move(object), context);
  if (kube::is_deleting(current)) {
    return std::unexpected(
        kube::errors::conflict(resource.group_resource(), name,
                               "The system is ensuring all content is removed from this namespace. "
                               " Upon completion, this namespace "
                               "will automatically be purged by the system."));
  }
  mark_deleting(object, context.now, 0);
  json::erase(object, {"metadata", "deletionGracePeriodSeconds"});
  json::set(object, {"status", "phase"}, "Terminating");
  return Decision{Decision::Action::write, std::move(object)};
}

}  // namespace

kube::Outcome<Decision> decide_delete(const Resource& resource, const json::Value& current,
                                      const DeleteOptions& options, const WriteContext& context) {
  if (auto held = check_delete_preconditions(resource, current, options); !held) {
    return std::unexpected(held.error());
  }
  json::Value object = current;
  set_propagation_finalizers(resource, object, options.propagation);
  if (resource.kind.kind == "Namespace")
    return delete_namespace(resource, current, std::move(object), context);
  if (resource.graceful)
    return delete_gracefully(resource, current, std::move(object), options, context);
  return remove_or_mark(current, std::move(object), context);
}

std::string make_uuid(std::span<const std::byte, 16> random) {
  std::array<std::byte, 16> bytes{};
  std::ranges::copy(random, bytes.begin());
  bytes[6] = (bytes[6] & std::byte{0x0f}) | std::byte{0x40};
  bytes[8] = (bytes[8] & std::byte{0x3f}) | std::byte{0x80};
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += std::format("{:02x}", std::to_integer<unsigned>(bytes[i]));
  }
  return text;
}

std::string generate_name(std::string_view base, std::uint64_t random) {
  constexpr std::string_view alphabet = "bcdfghjklmnpqrstvwxz2456789";
  constexpr std::size_t base_max = 63 - 5;
  std::string name(base.substr(0, base_max));
  for (int i = 0; i < 5; ++i) {
    name += alphabet[random % alphabet.size()];
    random /= alphabet.size();
  }
  return name;
}

}  // namespace tripod::apiserver
