#pragma once
// What all controllers of one leadership share: caches, the client, the event recorder, and the
// hands that carry out decisions. Made when the lease is won and destroyed when it is lost, so that
// no view outlives the right to act on it.
//
// Loop thread only. Everything is borrowed from the manager and outlives the hub.

#include <map>
#include <memory>
#include <string>

#include "firmware/controllers/shell/decision.h"
#include "firmware/controllers/shell/discovery.h"
#include "firmware/kube/client/informer.h"
#include "platform/base/metrics.h"

namespace tripod::controllers {

class Hub {
 public:
  struct Parts {
    kube::Client& client;
    kube::EventRecorder& events;
    os::Entropy& entropy;
    Logger logger;
    metrics::Registry* metrics = nullptr;
  };

  explicit Hub(Parts parts) : parts_(std::move(parts)) {}

  /// The cache of that kind, made on first use. One informer per resource, namespace and field
  /// selector; `prune` of the first use counts.
  kube::Informer& informer(const kube::Resource& resource);
  kube::Informer& informer(const kube::Resource& resource, kube::Informer::Options options);
  kube::Informer* find_informer(std::string_view group_resource);
  /// Starts the informers that are not running yet, in `scope`.
  void start(Scope& scope);
  Task<Result<>> wait_for_sync();

  /// Carries out the writes in order; stops at the first that fails and says why. Caches see each
  /// accepted write at once.
  Task<kube::ApiResult<>> execute(Decision decision, std::string component);
  void record(const Note& note, std::string_view component);

  kube::Client& client() { return parts_.client; }
  os::Clock& clock() { return parts_.client.clock(); }
  NamePool& names() { return names_; }
  os::Entropy& entropy() { return parts_.entropy; }
  metrics::Registry* metrics() { return parts_.metrics; }
  Logger logger(std::string_view name) const { return parts_.logger.named(name); }

 private:
  struct Batch;
  Task<kube::ApiResult<>> execute_one(Write write, std::string component);
  Task<kube::ApiResult<json::Value>> send(Write write);
  Task<kube::ApiResult<>> check(Write write);
  Task<kube::ApiResult<json::Value>> settle_existing(Write write, kube::ApiError error);
  Task<kube::ApiResult<>> execute_parallel(std::vector<Write> writes, std::string component);
  static Task<void> run_in_batch(Hub* hub, Batch* batch, Write write, std::string component);
  void observe(const Write& write, json::Value answer);

  struct Running {
    std::unique_ptr<kube::Informer> informer;
    bool started = false;
  };
  Parts parts_;
  NamePool names_;
  std::map<std::string, Running, std::less<>> informers_;
};

}  // namespace tripod::controllers
