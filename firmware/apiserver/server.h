#pragma once
// The Kubernetes API server of one board: an http::Handler over etcd. Every server of a cluster is
// active; they share nothing but etcd. Construct, start(), serve handle() from any number of
// listeners and in-process callers, stop().
//
// Lives on the loop thread. What it was constructed with outlives it; stop() must have returned
// before it dies.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "firmware/etcd/client.h"
#include "platform/base/metrics.h"
#include "platform/http/message.h"
#include "platform/json/json.h"
#include "platform/os/board.h"

namespace tripod::apiserver {

/// Named as kube-apiserver's flags.
struct Options {
  std::string advertise_address;     // what the `kubernetes` endpoints show; empty: not published
  std::uint16_t secure_port = 6444;  // the port beside it
  std::string service_cluster_ip_range = "10.96.0.0/16";
  std::uint16_t service_node_port_first = 30000;
  std::uint16_t service_node_port_last = 32767;
  int max_requests_inflight = 400;
  int max_mutating_requests_inflight = 200;
  std::chrono::seconds request_timeout{60};
  std::chrono::seconds min_request_timeout{
      1800};  // of watches without timeoutSeconds: this to twice this
  std::chrono::seconds event_ttl{3600};
  std::chrono::milliseconds etcd_compaction_interval{300'000};
  std::size_t watch_cache_events_max = 1000;  // per resource, for watches that resume
  std::size_t max_request_body_bytes = 3 * 1024 * 1024;
};

/// Paths that are served beside the API, to whoever is authorized: this server reads requests and
/// writes answers.
class Extension {
 public:
  struct Request {
    std::string method;
    std::string path;  // decoded
    std::string user;
    std::vector<std::string> groups;
    Bytes body;
  };
  struct Answer {
    int status = 200;
    json::Value document;
  };

  virtual ~Extension() = default;
  virtual Task<Answer> answer(Request request) = 0;
};

class Server : public http::Handler {
 public:
  Server(Options options, etcd::Client& etcd, os::World world, metrics::Registry& metrics);
  ~Server() override;

  /// Fails on options that make no sense (a range that is no CIDR). Returns when the background
  /// work has begun; readiness shows in /readyz.
  Task<Result<>> start();
  /// From now on /readyz fails, so that load balancers look elsewhere; everything else is still
  /// served.
  void begin_shutdown();
  /// Ends watches and background work. Requests under way end with their exchanges.
  Task<void> stop();
  bool ready() const;
  /// Whom paths under provisioning_prefix (auth/authorizer.h) go to; outlives this server. Before
  /// start().
  void extend(Extension& extension);

  Task<void> handle(std::unique_ptr<http::Exchange> exchange) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tripod::apiserver
