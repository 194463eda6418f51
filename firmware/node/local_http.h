#pragma once
// Metrics and health of this board over plain HTTP, for loopback only: /metrics, /healthz, /readyz.
// And the figures of the process, which every exposition carries.

#include <functional>

#include "platform/base/metrics.h"
#include "platform/http/message.h"
#include "platform/os/board.h"

namespace tripod::node {

/// Keeps process_cpu_seconds_total, process_resident_memory_bytes and the like fresh (Prometheus
/// client conventions).
void register_process_metrics(metrics::Registry& registry, os::Board& board);

class LocalHttp final : public http::Handler {
 public:
  /// `ready` says why the board is not, or nothing.
  LocalHttp(metrics::Registry& registry, std::function<Result<>()> ready)
      : registry_(registry), ready_(std::move(ready)) {}

  Task<void> handle(std::unique_ptr<http::Exchange> exchange) override;

 private:
  metrics::Registry& registry_;
  std::function<Result<>()> ready_;
};

}  // namespace tripod::node
