#include "tools/etcd-load/report.h"

#include "platform/json/json.h"

namespace tripod::load {

void Report::answered(Duration latency) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(latency).count();
  latencies_us_.push_back(static_cast<std::uint32_t>(std::min<std::int64_t>(us, UINT32_MAX)));
}

void Report::failed(const std::string& what, const grpc::Status& why) {
  if (errors_++ == 0) {
    first_error_ = std::format("{}: {}: {}", what, grpc::name_of(why.code), why.message);
  }
}

std::string Report::to_json(std::string_view load) const {
  std::vector<std::uint32_t> sorted = latencies_us_;
  std::ranges::sort(sorted);
  // The nearest rank: the smallest latency that so many per mille do not exceed.
  auto at = [&](std::size_t per_mille) {
    if (sorted.empty()) return 0.0;
    const std::size_t rank = std::max<std::size_t>(1, (sorted.size() * per_mille + 999) / 1000);
    return static_cast<double>(sorted[rank - 1]) / 1000;
  };
  const double seconds = std::chrono::duration<double>(end_ - begin_).count();
  json::Object out;
  out["load"] = load;
  out["operations"] = sorted.size();
  out["seconds"] = seconds;
  out["throughput"] = seconds > 0 ? static_cast<double>(sorted.size()) / seconds : 0.0;
  out["p50_ms"] = at(500);
  out["p99_ms"] = at(990);
  out["max_ms"] = at(1000);
  out["events"] = events_;
  out["errors"] = errors_;
  if (errors_ > 0) out["first_error"] = first_error_;
  return json::serialize(out);
}

}  // namespace tripod::load
