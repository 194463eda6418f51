#pragma once
// Writes Event objects about other objects. Repeated events become one with a count; many similar
// ones are combined; one object that talks too much is rate limited. Thresholds are client-go's
// (tools/record).
//
// record() never waits: events leave through a bounded queue and are dropped when it is full or the
// server is away.

#include <map>
#include <string>

#include "firmware/kube/client/client.h"
#include "platform/async/sync.h"
#include "platform/base/log.h"

namespace tripod::kube {

enum class EventType : std::uint8_t { normal, warning };

class EventRecorder {
 public:
  /// `component` is the source, "replicaset-controller"; `host` may be empty.
  EventRecorder(Client& client, Logger logger, std::string component, std::string host = {});

  /// `about` needs kind and metadata; lists and watches may leave out kind, hence `resource`. Its
  /// component may differ from the recorder's: several controllers share one recorder.
  void record(const Resource& resource, const json::Value& about, EventType type,
              std::string_view reason, std::string_view message, std::string_view component = {});

  /// Sends what is recorded until its scope is cancelled.
  Task<void> run();

 private:
  struct Pending {
    json::Value event;
    std::string aggregate_key;
  };
  struct Sent {
    std::string name;
    int count = 0;
    MonotonicTime last;
  };
  struct Similar {
    std::map<std::string, bool> messages;
    MonotonicTime since;
  };
  bool admit(std::string_view uid, std::string_view component);
  void combine(Pending& pending);
  Task<void> send(Pending pending);
  void forget_old();

  Client& client_;
  Logger logger_;
  std::string component_;
  std::string host_;
  std::uint64_t sequence_ = 0;
  async::Channel<Pending> queue_;
  std::map<std::string, Sent> sent_;
  std::map<std::string, Similar> similar_;
  std::map<std::string, TokenBucket> budgets_;
};

}  // namespace tripod::kube
