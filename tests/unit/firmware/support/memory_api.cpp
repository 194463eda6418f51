#include "tests/unit/firmware/support/memory_api.h"

#include "firmware/kube/client/objects.h"
#include "firmware/kube/selector.h"

namespace tripod::test {
namespace {

json::Value status_of(int code, std::string_view reason, std::string_view message) {
  json::Object status;
  status["kind"] = "Status";
  status["apiVersion"] = "v1";
  status["status"] = code < 300 ? "Success" : "Failure";
  status["code"] = code;
  status["reason"] = reason;
  status["message"] = message;
  return status;
}

class ReadyCall final : public http::Call {
 public:
  ReadyCall(int status, Bytes body) : status_(status), body_(std::move(body)) {}
  Task<Result<>> write(Bytes) override { co_return Result<>{}; }
  void finish() override {}
  Task<Result<http::ResponseHead>> head() override {
    co_return http::ResponseHead{.status = status_,
                                 .headers = {{"content-type", "application/json"}}};
  }
  Task<Result<std::optional<Bytes>>> read() override {
    co_return std::exchange(body_, std::nullopt);
  }
  const http::Headers& trailers() const override { return trailers_; }

 private:
  int status_;
  std::optional<Bytes> body_;
  http::Headers trailers_;
};

std::string query_value(const http::RequestHead& head, std::string_view key) {
  auto pairs = http::parse_query(head.query);
  if (!pairs) return {};
  for (auto& [name, value] : *pairs) {
    if (name == key) return value;
  }
  return {};
}

/// Merge patch, or enough of strategic merge for owner references (by uid) and conditions (by
/// type).
void merge(json::Value& into, const json::Value& from, bool strategic) {
  if (!from.is_object() || !into.is_object()) {
    into = from;
    return;
  }
  json::Object& target = into.get_object();
  for (const auto& [key, value] : from.get_object()) {
    const std::string name(key.data(), key.size());
    if (value.is_null()) {
      json::erase(target, name);
    } else if (strategic && (name == "ownerReferences" || name == "conditions")) {
      const std::string_view by = name == "conditions" ? "type" : "uid";
      if (!target[name].is_array()) target[name] = json::Array();
      json::Array& list = target[name].get_array();
      for (const json::Value& item : value.get_array()) {
        auto same = std::ranges::find_if(list, [&](const json::Value& each) {
          return json::get_string(each, by) == json::get_string(item, by);
        });
        if (json::get_string(item, "$patch") == "delete") {
          if (same != list.end()) list.erase(same);
        } else if (same != list.end()) {
          merge(*same, item, true);
        } else {
          list.push_back(item);
        }
      }
    } else if (value.is_object() && target.contains(name)) {
      merge(target[name], value, strategic);
    } else {
      target[name] = value;
    }
  }
}

bool selected(const json::Value& object, const http::RequestHead& head) {
  const std::string labels = query_value(head, "labelSelector");
  const std::string fields = query_value(head, "fieldSelector");
  if (!labels.empty() && !kube::LabelSelector::parse(labels)->matches(kube::labels_of(object)))
    return false;
  return fields.empty() || kube::FieldSelector::parse(fields)->matches(object);
}

}  // namespace

/// One watch: reads the history from where it stands, then waits.
class WatchCall final : public http::Call {
 public:
  WatchCall(MemoryApi& api, MemoryApi::Target target, http::RequestHead head, std::uint64_t from)
      : api_(api), target_(std::move(target)), head_(std::move(head)), seen_(from) {}
  Task<Result<>> write(Bytes) override { co_return Result<>{}; }
  void finish() override {}
  Task<Result<http::ResponseHead>> head() override {
    co_return http::ResponseHead{.status = 200, .headers = {}};
  }
  Task<Result<std::optional<Bytes>>> read() override {
    while (true) {
      for (const MemoryApi::Event& event : api_.history_) {
        if (event.revision <= seen_) continue;
        seen_ = event.revision;
        if (event.type != target_.type || !selected(event.object, head_)) continue;
        if (!target_.ns.empty() && kube::namespace_of(event.object) != target_.ns) continue;
        json::Object line;
        line["type"] = event.kind;
        line["object"] = event.object;
        co_return json::serialize(line) + "\n";
      }
      async::Oneshot<void> more;
      std::erase_if(api_.watchers_, [](const auto& each) { return each.done(); });
      api_.watchers_.push_back(more);
      if (auto woken = co_await more; !woken) co_return std::unexpected(woken.error());
    }
  }
  const http::Headers& trailers() const override { return trailers_; }

 private:
  MemoryApi& api_;
  MemoryApi::Target target_;
  http::RequestHead head_;
  std::uint64_t seen_;
  http::Headers trailers_;
};

MemoryApi::Target MemoryApi::parse(const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t at = 1; at <= path.size();) {
    std::size_t end = std::min(path.find('/', at), path.size());
    parts.push_back(path.substr(at, end - at));
    at = end + 1;
  }
  std::size_t at = parts[0] == "api" ? 2 : 3;
  Target target;
  if (parts.size() > at + 2 && parts[at] == "namespaces" && parts[at + 2] != "status" &&
      parts[at + 2] != "finalize") {
    target.ns = parts[at + 1];
    at += 2;
  }
  target.type = at < parts.size() ? parts[at] : "";
  if (parts.size() > at + 1) target.name = parts[at + 1];
  if (parts.size() > at + 2) target.subresource = parts[at + 2];
  return target;
}

Task<Result<std::unique_ptr<http::Call>>> MemoryApi::open(http::RequestHead head,
                                                          std::optional<Bytes> body) {
  async::Oneshot<void> turn;
  executor_.post([turn]() mutable { turn.set(); });
  if (auto passed = co_await turn; !passed) co_return std::unexpected(passed.error());
  const int refused = intercept ? intercept(head) : 0;
  if (refused < 0) co_return fail(ErrorCode::refused, "connection refused");
  if (refused > 0) {
    co_return std::make_unique<ReadyCall>(
        refused, json::serialize(status_of(refused, "Refused", "refused by the test")));
  }
  if (head.query.starts_with("watch=1")) {
    const std::string from = query_value(head, "resourceVersion");
    co_return std::make_unique<WatchCall>(*this, parse(head.path), head,
                                          std::stoull(from.empty() ? "0" : from));
  }
  Answer answer = handle(head, body.value_or(Bytes()));
  if (lose_answer && lose_answer(head)) co_return fail(ErrorCode::closed, "connection lost");
  co_return std::make_unique<ReadyCall>(answer.status, json::serialize(answer.body));
}

namespace {

json::Value kinds_of(std::string_view group_version,
                     std::initializer_list<std::array<std::string_view, 3>> kinds) {
  json::Array resources;
  for (const auto& [plural, kind, scope] : kinds) {
    json::Object one;
    one["name"] = plural;
    one["kind"] = kind;
    one["namespaced"] = scope == "namespaced";
    one["verbs"] = json::Array{"create", "delete", "deletecollection", "get",
                               "list",   "patch",  "update",           "watch"};
    resources.push_back(std::move(one));
  }
  json::Object list;
  list["kind"] = "APIResourceList";
  list["groupVersion"] = group_version;
  list["resources"] = std::move(resources);
  return list;
}

std::optional<json::Value> discovery(std::string_view path) {
  if (path == "/api/v1") {
    return kinds_of("v1", {{"pods", "Pod", "namespaced"},
                           {"configmaps", "ConfigMap", "namespaced"},
                           {"services", "Service", "namespaced"},
                           {"endpoints", "Endpoints", "namespaced"},
                           {"serviceaccounts", "ServiceAccount", "namespaced"},
                           {"events", "Event", "namespaced"},
                           {"namespaces", "Namespace", ""},
                           {"nodes", "Node", ""}});
  }
  if (path == "/apis/apps/v1") {
    return kinds_of("apps/v1", {{"deployments", "Deployment", "namespaced"},
                                {"replicasets", "ReplicaSet", "namespaced"}});
  }
  if (path == "/apis/discovery.k8s.io/v1") {
    return kinds_of("discovery.k8s.io/v1", {{"endpointslices", "EndpointSlice", "namespaced"}});
  }
  if (path != "/apis") return std::nullopt;
  json::Array groups;
  for (std::string_view each : {"apps/v1", "discovery.k8s.io/v1"}) {
    groups.push_back(json::Object{{"preferredVersion", json::Object{{"groupVersion", each}}}});
  }
  return json::Object{{"groups", std::move(groups)}};
}

}  // namespace

MemoryApi::Answer MemoryApi::handle(const http::RequestHead& head, const Bytes& body) {
  if (auto found = discovery(head.path)) return {200, std::move(*found)};
  Target target = parse(head.path);
  auto document =
      body.empty() ? Result<json::Value>(json::Value(json::Object())) : json::parse(body);
  if (!document) return {400, status_of(400, "BadRequest", document.error().message)};
  if (head.method != "GET") writes.push_back(head.method + " " + head.path);
  if (head.method == "GET" && target.name.empty()) return list_of(target, head);
  if (head.method == "POST" && target.subresource == "binding") return bind(target, *document);
  if (head.method == "POST") return create(target, std::move(*document));
  if (head.method == "DELETE" && target.name.empty()) return erase_all(target, *document);
  const std::string key = kube::make_key(target.ns, target.name);
  if (!objects_[target.type].contains(key)) {
    return {404, status_of(404, "NotFound",
                           std::format("{} \"{}\" not found", target.type, target.name))};
  }
  if (head.method == "GET") return {200, objects_[target.type][key]};
  if (head.method == "PUT") return update(target, std::move(*document));
  if (head.method == "PATCH") {
    return patch(target, *document, head.headers.get("content-type").contains("strategic"));
  }
  if (head.method == "DELETE") return erase(target, *document);
  return {405, status_of(405, "MethodNotAllowed", "no")};
}

MemoryApi::Answer MemoryApi::list_of(const Target& target, const http::RequestHead& head) {
  json::Array items;
  for (const auto& [key, object] : objects_[target.type]) {
    if (!target.ns.empty() && kube::namespace_of(object) != target.ns) continue;
    if (selected(object, head)) items.push_back(object);
  }
  json::Object list;
  list["kind"] = "List";
  list["apiVersion"] = "v1";
  list["metadata"] = json::Object{{"resourceVersion", std::to_string(revision_)}};
  list["items"] = std::move(items);
  return {200, std::move(list)};
}

std::string MemoryApi::stamp(json::Value& object) {
  std::string revision = std::to_string(++revision_);
  json::set(object, {"metadata", "resourceVersion"}, json::Value(revision));
  return revision;
}

MemoryApi::Answer MemoryApi::create(const Target& target, json::Value object) {
  const std::string key = kube::make_key(target.ns, kube::name_of(object));
  if (objects_[target.type].contains(key)) {
    return {409, status_of(409, "AlreadyExists",
                           std::format("{} \"{}\" already exists", target.type, key))};
  }
  return {201, put(target.type, std::move(object))};
}

json::Value& MemoryApi::put(std::string_view type, json::Value object) {
  json::Object& metadata = json::ensure_object(object, {"metadata"});
  metadata["uid"] = std::format("uid-{}", next_uid_++);
  if (!metadata.contains("creationTimestamp"))
    metadata["creationTimestamp"] = to_rfc3339(clock_.wall_now());
  metadata["generation"] = 1;
  if (type == "pods" && json::get_string(object, "status", "phase").empty()) {
    json::set(object, {"status", "phase"}, json::Value("Pending"));
  }
  stamp(object);
  json::Value& slot = objects_[std::string(type)][kube::key_of(object)];
  slot = std::move(object);
  announce(std::string(type), "ADDED", slot);
  return slot;
}

/// Writes `after` over `before`, or removes it when nothing holds it any more.
MemoryApi::Answer MemoryApi::store(const Target& target, json::Value before, json::Value after) {
  const std::string key = kube::key_of(before);
  if (json::equal(before, after)) return {200, std::move(before)};
  if (!json::equal_semantic(json::find(before, "spec"), json::find(after, "spec"))) {
    json::set(after, {"metadata", "generation"}, json::Value(kube::generation_of(before) + 1));
  }
  stamp(after);
  const json::Array* finalizers = json::get_array(after, "metadata", "finalizers");
  const bool held = finalizers && !finalizers->empty();
  const bool waiting =
      json::get_int(after, "metadata", "deletionGracePeriodSeconds").value_or(0) > 0;
  if (kube::is_deleting(after) && !held && !waiting && target.type != "namespaces") {
    objects_[target.type].erase(key);
    announce(target.type, "DELETED", after);
  } else {
    objects_[target.type][key] = after;
    announce(target.type, "MODIFIED", after);
  }
  return {200, std::move(after)};
}

MemoryApi::Answer MemoryApi::update(const Target& target, json::Value object) {
  json::Value before = objects_[target.type][kube::make_key(target.ns, target.name)];
  std::string_view wanted = kube::resource_version_of(object);
  if (!wanted.empty() && wanted != kube::resource_version_of(before)) {
    return {409, status_of(409, "Conflict",
                           "the object has been modified; please apply your changes to the latest "
                           "version and try again")};
  }
  json::Value after = before;
  if (target.subresource == "status") {
    if (const json::Value* status = json::find(object, "status"))
      after.as_object()["status"] = *status;
    if (const json::Value* notes = json::find(object, "metadata", "annotations")) {
      json::set(after, {"metadata", "annotations"}, *notes);
    }
  } else {
    const json::Value* status = json::find(before, "status");
    after = std::move(object);
    if (status) after.as_object()["status"] = *status;
  }
  if (target.type == "namespaces" && target.subresource == "finalize") {
    const json::Array* left = json::get_array(after, "spec", "finalizers");
    if (kube::is_deleting(after) && (!left || left->empty())) {
      stamp(after);
      objects_[target.type].erase(kube::key_of(before));
      announce(target.type, "DELETED", after);
      return {200, std::move(after)};
    }
  }
  return store(target, std::move(before), std::move(after));
}

MemoryApi::Answer MemoryApi::patch(const Target& target, const json::Value& body, bool strategic) {
  json::Value before = objects_[target.type][kube::make_key(target.ns, target.name)];
  for (std::string_view guard : {"uid", "resourceVersion"}) {
    std::string_view wanted = json::get_string(body, "metadata", guard);
    if (!wanted.empty() && wanted != json::get_string(before, "metadata", guard)) {
      return {409, status_of(409, "Conflict", std::format("precondition on {} failed", guard))};
    }
  }
  json::Value after = before;
  merge(after, body, strategic);
  return store(target, std::move(before), std::move(after));
}

MemoryApi::Answer MemoryApi::erase(const Target& target, const json::Value& options) {
  json::Value before = objects_[target.type][kube::make_key(target.ns, target.name)];
  std::string_view uid = json::get_string(options, "preconditions", "uid");
  if (!uid.empty() && uid != kube::uid_of(before))
    return {409, status_of(409, "Conflict", "uid precondition failed")};
  json::Value after = before;
  std::string_view policy = json::get_string(options, "propagationPolicy");
  if (policy == "Foreground") kube::add_finalizer(after, "foregroundDeletion");
  if (policy == "Orphan") kube::add_finalizer(after, "orphan");
  std::int64_t grace = 0;
  if (target.type == "pods" && !json::get_string(before, "spec", "nodeName").empty() &&
      kube::is_pod_active(before)) {
    grace = 30;
  }
  grace = json::get_int(options, "gracePeriodSeconds").value_or(grace);
  if (!kube::is_deleting(after)) {
    json::set(after, {"metadata", "deletionTimestamp"}, json::Value(to_rfc3339(clock_.wall_now())));
  }
  json::set(after, {"metadata", "deletionGracePeriodSeconds"}, json::Value(grace));
  return store(target, std::move(before), std::move(after));
}

MemoryApi::Answer MemoryApi::erase_all(const Target& target, const json::Value& options) {
  for (const json::Value& object : list(target.type)) {
    if (kube::namespace_of(object) != target.ns || kube::is_deleting(object)) continue;
    erase({target.type, target.ns, std::string(kube::name_of(object)), {}}, options);
  }
  return {200, status_of(200, "", "")};
}

MemoryApi::Answer MemoryApi::bind(const Target& target, const json::Value& binding) {
  const std::string key = kube::make_key(target.ns, target.name);
  if (!objects_[target.type].contains(key))
    return {404, status_of(404, "NotFound", "pod not found")};
  json::Value before = objects_[target.type][key];
  if (!json::get_string(before, "spec", "nodeName").empty()) {
    return {409, status_of(409, "Conflict", "pod is already assigned to a node")};
  }
  json::Value after = before;
  json::set(after, {"spec", "nodeName"}, json::Value(json::get_string(binding, "target", "name")));
  json::Array& conditions = json::ensure_array(after, {"status", "conditions"});
  for (std::size_t i = conditions.size(); i-- > 0;) {
    if (json::get_string(conditions[i], "type") == "PodScheduled") {
      conditions.erase(conditions.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  conditions.push_back(json::Object{{"type", "PodScheduled"}, {"status", "True"}});
  store(target, std::move(before), std::move(after));
  return {201, status_of(201, "", "")};
}

void MemoryApi::announce(const std::string& type, std::string kind, json::Value object) {
  history_.push_back({revision_, type, std::move(kind), std::move(object)});
  if (type == "pods") count_pods();
  for (auto& watcher : std::exchange(watchers_, {})) watcher.set();
}

void MemoryApi::count_pods() {
  std::map<std::string, int> counts;
  for (const auto& [key, pod] : objects_["pods"]) {
    if (kube::is_pod_active(pod)) ++counts[std::string(kube::controller_uid(pod))];
  }
  for (const auto& [uid, count] : counts) most_pods[uid] = std::max(most_pods[uid], count);
}

const json::Value* MemoryApi::find(std::string_view type, std::string_view key) const {
  auto objects = objects_.find(type);
  if (objects == objects_.end()) return nullptr;
  auto object = objects->second.find(key);
  return object == objects->second.end() ? nullptr : &object->second;
}

std::vector<json::Value> MemoryApi::list(std::string_view type) const {
  std::vector<json::Value> all;
  auto objects = objects_.find(type);
  if (objects == objects_.end()) return all;
  for (const auto& [key, object] : objects->second) all.push_back(object);
  return all;
}

void MemoryApi::modify(std::string_view type, std::string_view key,
                       const std::function<void(json::Value&)>& change) {
  json::Value before = objects_[std::string(type)].find(key)->second;
  json::Value after = before;
  change(after);
  store({std::string(type), {}, {}, {}}, std::move(before), std::move(after));
}

void MemoryApi::remove(std::string_view type, std::string_view key) {
  Objects& objects = objects_[std::string(type)];
  json::Value object = objects.find(key)->second;
  stamp(object);
  objects.erase(objects.find(key));
  announce(std::string(type), "DELETED", std::move(object));
}

}  // namespace tripod::test
