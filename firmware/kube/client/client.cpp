#include "firmware/kube/client/client.h"

#include "platform/async/sync.h"
#include "platform/base/check.h"

namespace tripod::kube {
namespace {

constexpr std::size_t response_bytes_max = 64 * 1024 * 1024;
constexpr std::size_t watch_line_bytes_max = 8 * 1024 * 1024;
constexpr json::Limits document_limits{.depth_max = 64, .bytes_max = response_bytes_max};

void add_parameter(std::string& query, std::string_view key, std::string_view value) {
  if (value.empty()) return;
  if (!query.empty()) query += '&';
  query.append(key).append("=").append(http::percent_encode(value));
}

std::string_view content_type_of(PatchType type) {
  switch (type) {
    case PatchType::json: return "application/json-patch+json";
    case PatchType::merge: return "application/merge-patch+json";
    case PatchType::strategic: return "application/strategic-merge-patch+json";
  }
  CHECK(false);
}

json::Value to_json(const DeleteOptions& options) {
  json::Object body;
  body["kind"] = "DeleteOptions";
  body["apiVersion"] = "v1";
  if (options.grace_period_seconds) body["gracePeriodSeconds"] = *options.grace_period_seconds;
  if (!options.propagation_policy.empty()) body["propagationPolicy"] = options.propagation_policy;
  json::Object preconditions;
  if (!options.uid.empty()) preconditions["uid"] = options.uid;
  if (!options.resource_version.empty())
    preconditions["resourceVersion"] = options.resource_version;
  if (!preconditions.empty()) body["preconditions"] = std::move(preconditions);
  return body;
}

std::optional<WatchEventType> type_of(std::string_view text) {
  if (text == "ADDED") return WatchEventType::added;
  if (text == "MODIFIED") return WatchEventType::modified;
  if (text == "DELETED") return WatchEventType::deleted;
  if (text == "BOOKMARK") return WatchEventType::bookmark;
  return std::nullopt;
}

constexpr std::string_view accept_json = "application/json";
constexpr std::string_view accept_metadata_list =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
constexpr std::string_view accept_metadata =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

}  // namespace

struct Client::Request {
  std::string method;
  std::string path;
  std::string query;
  std::string_view accept = accept_json;
  std::string_view content_type = accept_json;
  std::optional<json::Value> body;
};

WatchStream::WatchStream(std::unique_ptr<http::Call> call, os::Clock& clock, Duration silence_max)
    : call_(std::move(call)), clock_(clock), silence_max_(silence_max) {}

Task<ApiResult<std::optional<WatchEvent>>> WatchStream::next() {
  while (true) {
    std::size_t end = buffer_.find('\n', consumed_);
    if (end != std::string::npos) {
      std::string_view line = std::string_view(buffer_).substr(consumed_, end - consumed_);
      consumed_ = end + 1;
      if (line.empty() || line == "\r") continue;
      co_return decode(line);
    }
    buffer_.erase(0, std::exchange(consumed_, 0));
    if (buffer_.size() > watch_line_bytes_max) {
      co_return std::unexpected(from_transport({ErrorCode::too_large, "watch event too large"}));
    }
    auto piece = co_await async::with_timeout(clock_, silence_max_, call_->read());
    if (!piece) co_return std::unexpected(from_transport(piece.error()));
    if (!*piece) co_return std::optional<WatchEvent>();
    buffer_ += **piece;
  }
}

ApiResult<std::optional<WatchEvent>> WatchStream::decode(std::string_view line) {
  auto document = json::parse(line, document_limits);
  if (!document) return std::unexpected(from_transport(document.error()));
  json::Value* object = json::find(*document, "object");
  std::string_view name = json::get_string(*document, "type");
  if (name == "ERROR" && object) return std::unexpected(from_status(*object));
  auto type = type_of(name);
  if (!type || !object) {
    return std::unexpected(
        from_transport({ErrorCode::corrupt, "watch event without type or object"}));
  }
  return WatchEvent{*type, std::move(*object)};
}

Client::Client(http::Transport& transport, os::Clock& clock, Options options)
    : transport_(transport),
      clock_(clock),
      options_(std::move(options)),
      limiter_(options_.requests_per_second, options_.burst) {}

http::RequestHead Client::head_of(const Request& request) const {
  http::RequestHead head{.method = request.method,
                         .path = request.path,
                         .query = request.query,
                         .authority = options_.authority,
                         .headers = {}};
  head.headers.add("accept", std::string(request.accept));
  head.headers.add("user-agent", options_.user_agent);
  if (request.body) head.headers.add("content-type", std::string(request.content_type));
  return head;
}

Task<ApiResult<>> Client::admit(bool write) {
  const Duration wait = limiter_.reserve(clock_.now());
  if (wait > Duration::zero()) {
    auto slept = co_await async::sleep_for(clock_, wait);
    if (!slept) co_return std::unexpected(from_transport(slept.error()));
  }
  if (write && options_.may_write && !options_.may_write()) {
    co_return std::unexpected(from_transport({ErrorCode::denied, "no longer the leader"}));
  }
  co_return ApiResult<>{};
}

Task<ApiResult<json::Value>> Client::send(Request request) {
  auto admitted = co_await admit(request.method != "GET");
  if (!admitted) co_return std::unexpected(admitted.error());
  http::RequestHead head = head_of(request);
  Bytes body = request.body ? json::serialize(*request.body) : Bytes();
  auto response = co_await async::with_timeout(
      clock_, options_.timeout,
      http::fetch(transport_, std::move(head), std::move(body), response_bytes_max));
  if (!response) co_return std::unexpected(from_transport(response.error()));
  if (response->head.status < 200 || response->head.status > 299) {
    co_return std::unexpected(from_response(
        response->head.status, response->head.headers.get("retry-after"), response->body));
  }
  auto document = json::parse(response->body, document_limits);
  if (!document) co_return std::unexpected(from_transport(document.error()));
  co_return std::move(*document);
}

Task<ApiResult<json::Value>> Client::get(Resource resource, std::string ns, std::string name) {
  CHECK(!name.empty());
  co_return co_await send(
      {.method = "GET", .path = path_of(resource, ns, name, {}), .query = {}, .body = {}});
}

Task<ApiResult<json::Value>> Client::get_raw(std::string path) {
  co_return co_await send({.method = "GET", .path = std::move(path), .query = {}, .body = {}});
}

Task<ApiResult<json::Value>> Client::list(Resource resource, std::string ns, ListOptions options) {
  Request request{.method = "GET", .path = path_of(resource, ns, {}, {}), .query = {}, .body = {}};
  add_parameter(request.query, "labelSelector", options.label_selector);
  add_parameter(request.query, "fieldSelector", options.field_selector);
  if (options.limit > 0) add_parameter(request.query, "limit", std::to_string(options.limit));
  add_parameter(request.query, "continue", options.continue_token);
  add_parameter(request.query, "resourceVersion", options.resource_version);
  if (options.metadata_only) request.accept = accept_metadata_list;
  co_return co_await send(std::move(request));
}

Task<ApiResult<json::Value>> Client::create(Resource resource, std::string ns, json::Value object) {
  co_return co_await send({.method = "POST",
                           .path = path_of(resource, ns, {}, {}),
                           .query = {},
                           .body = std::move(object)});
}

Task<ApiResult<json::Value>> Client::create_subresource(Resource resource, std::string ns,
                                                        std::string name, std::string subresource,
                                                        json::Value object) {
  co_return co_await send({.method = "POST",
                           .path = path_of(resource, ns, name, subresource),
                           .query = {},
                           .body = std::move(object)});
}

Task<ApiResult<json::Value>> Client::update(Resource resource, json::Value object,
                                            std::string subresource) {
  std::string path = path_of(resource, namespace_of(object), name_of(object), subresource);
  co_return co_await send(
      {.method = "PUT", .path = std::move(path), .query = {}, .body = std::move(object)});
}

Task<ApiResult<json::Value>> Client::update_status(Resource resource, json::Value object) {
  co_return co_await update(resource, std::move(object), "status");
}

Task<ApiResult<json::Value>> Client::patch(Resource resource, std::string ns, std::string name,
                                           PatchType type, json::Value body,
                                           std::string subresource) {
  co_return co_await send({.method = "PATCH",
                           .path = path_of(resource, ns, name, subresource),
                           .query = {},
                           .content_type = content_type_of(type),
                           .body = std::move(body)});
}

Task<ApiResult<json::Value>> Client::remove(Resource resource, std::string ns, std::string name,
                                            DeleteOptions options) {
  CHECK(!name.empty());
  co_return co_await send({.method = "DELETE",
                           .path = path_of(resource, ns, name, {}),
                           .query = {},
                           .body = to_json(options)});
}

Task<ApiResult<json::Value>> Client::remove_collection(Resource resource, std::string ns,
                                                       DeleteOptions options) {
  CHECK(!resource.namespaced || !ns.empty());
  co_return co_await send({.method = "DELETE",
                           .path = path_of(resource, ns, {}, {}),
                           .query = {},
                           .body = to_json(options)});
}

Task<ApiResult<>> Client::bind(std::string ns, std::string pod, std::string uid, std::string node) {
  json::Object metadata{{"name", pod}, {"namespace", ns}, {"uid", uid}};
  json::Object target{{"apiVersion", "v1"}, {"kind", "Node"}, {"name", node}};
  json::Object binding;
  binding["apiVersion"] = "v1";
  binding["kind"] = "Binding";
  binding["metadata"] = std::move(metadata);
  binding["target"] = std::move(target);
  auto answer = co_await create_subresource(resources::pods, std::move(ns), std::move(pod),
                                            "binding", std::move(binding));
  if (!answer) co_return std::unexpected(answer.error());
  co_return ApiResult<>{};
}

Task<ApiResult<std::unique_ptr<WatchStream>>> Client::watch(Resource resource, std::string ns,
                                                            WatchOptions options) {
  Request request{
      .method = "GET", .path = path_of(resource, ns, {}, {}), .query = "watch=1", .body = {}};
  add_parameter(request.query, "labelSelector", options.label_selector);
  add_parameter(request.query, "fieldSelector", options.field_selector);
  add_parameter(request.query, "resourceVersion", options.resource_version);
  add_parameter(request.query, "allowWatchBookmarks", "true");
  add_parameter(request.query, "timeoutSeconds", std::to_string(options.timeout.count()));
  if (options.metadata_only) request.accept = accept_metadata;
  auto call = co_await async::with_timeout(clock_, options_.timeout,
                                           transport_.open(head_of(request), Bytes()));
  if (!call) co_return std::unexpected(from_transport(call.error()));
  auto head = co_await async::with_timeout(clock_, options_.timeout, (*call)->head());
  if (!head) co_return std::unexpected(from_transport(head.error()));
  if (head->status != 200) {
    std::string body;
    while (body.size() < 64 * 1024) {
      auto piece = co_await async::with_timeout(clock_, options_.timeout, (*call)->read());
      if (!piece || !*piece) break;
      body += **piece;
    }
    co_return std::unexpected(from_response(head->status, head->headers.get("retry-after"), body));
  }
  co_return std::make_unique<WatchStream>(std::move(*call), clock_,
                                          options.timeout + std::chrono::seconds(30));
}

}  // namespace tripod::kube
