#pragma once
// The apiserver_* series of requests, named and labelled as upstream. Bounded: only resources of
// the registry get labels.

#include <string>
#include <unordered_map>

#include "firmware/apiserver/registry/resource.h"
#include "firmware/apiserver/request_info.h"
#include "platform/base/metrics.h"

namespace tripod::apiserver {

class RequestMetrics {
 public:
  explicit RequestMetrics(metrics::Registry& registry);

  /// One request is over. `row` is null for paths and unknown resources.
  void observe(const RequestInfo& info, const Resource* row, int code, Duration took);
  metrics::Gauge& inflight(bool mutating) { return mutating ? mutating_ : read_only_; }
  metrics::Gauge& watches() { return watches_; }
  void drop() { dropped_.add(); }

 private:
  metrics::Registry& registry_;
  metrics::Gauge& mutating_;
  metrics::Gauge& read_only_;
  metrics::Gauge& watches_;
  metrics::Counter& dropped_;
  std::unordered_map<std::string, metrics::Counter*> totals_;
  std::unordered_map<std::string, metrics::Histogram*> durations_;
};

}  // namespace tripod::apiserver
