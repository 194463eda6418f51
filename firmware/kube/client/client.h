#pragma once
// The one door to the Kubernetes API for everything on a board that is not the API server: requests
// typed by resource, objects as JSON. The transport decides whether the server is in this process
// or behind 6443; authentication, authorization and admission apply either way.
//
// Lives on the loop thread and outlives its calls. Every call belongs to the scope of the awaiting
// coroutine.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "firmware/kube/client/api_error.h"
#include "firmware/kube/client/objects.h"
#include "firmware/kube/client/rate_limiter.h"
#include "firmware/kube/client/resource.h"
#include "platform/http/message.h"
#include "platform/os/clock.h"

namespace tripod::kube {

struct ListOptions {
  std::string label_selector;
  std::string field_selector;
  int limit = 0;  // 0: everything in one answer
  std::string continue_token;
  std::string resource_version;  // empty: the most recent state, by quorum
  bool metadata_only = false;    // PartialObjectMetadataList
};

struct WatchOptions {
  std::string label_selector;
  std::string field_selector;
  std::string resource_version;
  std::chrono::seconds timeout{420};
  bool metadata_only = false;
};

enum class PatchType : std::uint8_t { json, merge, strategic };

struct DeleteOptions {
  std::optional<std::int64_t> grace_period_seconds;
  std::string propagation_policy;  // "", "Background", "Foreground", "Orphan"
  std::string uid;                 // preconditions, when not empty
  std::string resource_version;    //
};

enum class WatchEventType : std::uint8_t { added, modified, deleted, bookmark };

struct WatchEvent {
  WatchEventType type = WatchEventType::added;
  json::Value object;
};

/// A running watch. Destroying it ends it.
class WatchStream {
 public:
  WatchStream(std::unique_ptr<http::Call> call, os::Clock& clock, Duration silence_max);
  /// The next event; nullopt when the server ended the watch in order. Fails with the server's
  /// ERROR event, or without answer when nothing came for the longest time the server may be
  /// silent.
  Task<ApiResult<std::optional<WatchEvent>>> next();

 private:
  ApiResult<std::optional<WatchEvent>> decode(std::string_view line);

  std::unique_ptr<http::Call> call_;
  os::Clock& clock_;
  Duration silence_max_;
  std::string buffer_;
  std::size_t consumed_ = 0;
};

class Client {
 public:
  struct Options {
    std::string user_agent = "tripod";
    std::string authority = "kubernetes.default.svc";
    double requests_per_second = 50;
    int burst = 100;
    std::chrono::milliseconds timeout{10'000};  // of one call that is no watch
    /// Asked before every write, in the same turn; false fails it without sending. For elected
    /// components.
    std::function<bool()> may_write;
  };

  Client(http::Transport& transport, os::Clock& clock, Options options);

  Task<ApiResult<json::Value>> get(Resource resource, std::string ns, std::string name);
  /// One page: the whole List object.
  Task<ApiResult<json::Value>> list(Resource resource, std::string ns, ListOptions options = {});
  /// `ns` is empty for cluster-scoped kinds. `subresource` "binding", "eviction", ... posts to an
  /// object by name.
  Task<ApiResult<json::Value>> create(Resource resource, std::string ns, json::Value object);
  Task<ApiResult<json::Value>> create_subresource(Resource resource, std::string ns,
                                                  std::string name, std::string subresource,
                                                  json::Value object);
  /// Namespace and name are the object's; its resourceVersion is the precondition.
  Task<ApiResult<json::Value>> update(Resource resource, json::Value object,
                                      std::string subresource = {});
  Task<ApiResult<json::Value>> update_status(Resource resource, json::Value object);
  Task<ApiResult<json::Value>> patch(Resource resource, std::string ns, std::string name,
                                     PatchType type, json::Value body,
                                     std::string subresource = {});
  /// The object in its last state, or a Status object.
  Task<ApiResult<json::Value>> remove(Resource resource, std::string ns, std::string name,
                                      DeleteOptions options = {});
  Task<ApiResult<json::Value>> remove_collection(Resource resource, std::string ns,
                                                 DeleteOptions options = {});
  /// Binds the pod to the node, guarded by the pod's uid.
  Task<ApiResult<>> bind(std::string ns, std::string pod, std::string uid, std::string node);
  Task<ApiResult<std::unique_ptr<WatchStream>>> watch(Resource resource, std::string ns,
                                                      WatchOptions options);
  /// A path of the server as it is: discovery, /version, /readyz. The body must be JSON.
  Task<ApiResult<json::Value>> get_raw(std::string path);

  os::Clock& clock() { return clock_; }

 private:
  struct Request;
  Task<ApiResult<json::Value>> send(Request request);
  Task<ApiResult<>> admit(bool write);
  http::RequestHead head_of(const Request& request) const;

  http::Transport& transport_;
  os::Clock& clock_;
  Options options_;
  TokenBucket limiter_;
};

}  // namespace tripod::kube
