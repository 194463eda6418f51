// raft_sim --seed N [--nodes 3|5] [--seeds COUNT] [--chaos MILLISECONDS] [--fault lie|term|vote]
// [--quiet]: repeats one seed with its trace, or hunts through many.

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tests/sim/raft/cluster.h"

int main(int argc, char** argv) {
  using namespace tripod::etcd::raft::sim;
  std::uint64_t first = 1;
  std::uint64_t count = 1;
  std::size_t nodes = 0;
  std::uint64_t chaos_ms = 0;
  Fault fault = Fault::none;
  bool quiet = false;
  for (int i = 1; i < argc; ++i) {
    std::string_view argument = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "0";
    if (argument == "--seed") first = std::strtoull(value, nullptr, 10);
    if (argument == "--seeds") count = std::strtoull(value, nullptr, 10);
    if (argument == "--chaos") chaos_ms = std::strtoull(value, nullptr, 10);
    if (argument == "--fault") {
      std::string_view name = value;
      if (name == "lie") fault = Fault::lie_about_persisted;
      if (name == "term") fault = Fault::forget_hard_state;
      if (name == "vote") fault = Fault::forget_vote;
    }
    if (argument == "--nodes") nodes = std::strtoull(value, nullptr, 10);
    if (argument == "--quiet") quiet = true;
  }
  bool ok = true;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    RunOptions options;
    options.seed = seed;
    options.fault = fault;
    options.nodes = nodes != 0 ? nodes : (seed % 4 == 0 ? 5 : 3);
    if (chaos_ms != 0) options.chaos = tripod::Milliseconds(chaos_ms);
    if (!quiet && count == 1) {
      options.observer = [](tripod::MonotonicTime now, std::string_view line) {
        double ms = static_cast<double>(now.time_since_epoch().count()) / 1e6 - 3600e3;
        std::printf("%10.3f %.*s\n", ms, static_cast<int>(line.size()), line.data());
      };
    }
    RunResult result = run(options);
    ok = ok && result.violations.empty();
    if (quiet && result.violations.empty()) continue;
    std::printf("seed %llu: %zu acknowledged, %zu reads, %zu terms, trace %016llx\n",
                static_cast<unsigned long long>(seed), result.acknowledged, result.reads,
                result.terms_led, static_cast<unsigned long long>(result.trace_hash));
    for (const std::string& violation : result.violations)
      std::printf("  VIOLATION %s\n", violation.c_str());
  }
  return ok ? 0 : 1;
}
