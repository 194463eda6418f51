#pragma once
// What a run measured. Pure: time arrives with the calls.

#include <cstdint>
#include <string>
#include <vector>

#include "platform/base/time.h"
#include "platform/grpc/status.h"

namespace tripod::load {

class Report {
 public:
  void begin(MonotonicTime now) { begin_ = now; }
  void end(MonotonicTime now) { end_ = now; }
  /// One operation that was answered.
  void answered(Duration latency);
  /// One that was not, or not with what it should be: the run has failed.
  void failed(const std::string& what, const grpc::Status& why);
  /// Of watches that run beside the operations.
  void event() { ++events_; }

  std::uint64_t operations() const { return latencies_us_.size(); }
  std::uint64_t errors() const { return errors_; }

  /// {"load": "put", "operations": 1000, ..., "errors": 0}, in one line.
  std::string to_json(std::string_view load) const;

 private:
  MonotonicTime begin_;
  MonotonicTime end_;
  std::vector<std::uint32_t> latencies_us_;
  std::uint64_t events_ = 0;
  std::uint64_t errors_ = 0;
  std::string first_error_;
};

}  // namespace tripod::load
