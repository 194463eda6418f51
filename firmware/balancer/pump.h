#pragma once
// Copies bytes both ways between two streams until both directions have ended, or one side broke.
// What piles up is bounded: a side that cannot take more stops the other from being read.

#include <memory>

#include "platform/base/metrics.h"
#include "platform/os/network.h"

namespace tripod::balancer {

/// Where copied bytes are counted, as they come.
struct PumpCounters {
  metrics::Counter& received;  // from the client
  metrics::Counter& sent;      // to the client
};

class Pump {
 public:
  static constexpr std::size_t queued_bytes_max = 128 * 1024;

  /// Both streams are not started yet. `done` is posted once, when the pump may be destroyed.
  Pump(os::Executor& executor, std::unique_ptr<os::Stream> client,
       std::unique_ptr<os::Stream> backend, PumpCounters counters, os::Callback done);

  void start();
  /// Breaks both connections.
  void abort();

 private:
  /// One direction: what arrives on `from` goes to `to`.
  struct Side final : os::StreamObserver {
    Side(Pump& owner, std::unique_ptr<os::Stream> own, metrics::Counter& bytes)
        : pump(owner), stream(std::move(own)), count(bytes) {}
    void on_data(BytesView data) override;
    void on_drained() override;
    void on_closed(Error reason) override;

    Pump& pump;
    std::unique_ptr<os::Stream> stream;
    metrics::Counter& count;
    Side* other = nullptr;
    bool ended = false;   // the peer said that no more comes
    bool paused = false;  // reading waits for the other side to drain
  };

  void finish_when_sent();
  void finish();

  os::Executor& executor_;
  os::Callback done_;
  Side client_;
  Side backend_;
  bool finished_ = false;
};

}  // namespace tripod::balancer
