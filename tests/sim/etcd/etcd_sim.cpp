// etcd_sim --seed N [--seeds COUNT] [--minutes M] [--chaos MILLISECONDS]
// [--fault syncs|stale|resume] [--quiet]: one seed of whole members, or a hunt through many.
// TRIPOD_TRACE=1 shows what happens.

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tests/sim/etcd/chaos.h"

namespace tripod::etcd::robustness {
namespace {

struct Hunt {
  std::uint64_t first = 1;
  std::uint64_t count = 1;
  std::chrono::minutes limit{0};  // 0: until `count` are done
  bool quiet = false;
  RunOptions options;
};

Hunt parse(int argc, char** argv) {
  Hunt hunt;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "0";
    const std::uint64_t number = std::strtoull(value, nullptr, 10);
    if (argument == "--seed") hunt.first = number;
    if (argument == "--seeds") hunt.count = number;
    if (argument == "--minutes") {
      hunt.limit = std::chrono::minutes(number);
      hunt.count = UINT64_MAX;
    }
    if (argument == "--chaos") hunt.options.chaos = Milliseconds(number);
    if (argument == "--quiet") hunt.quiet = true;
    if (argument == "--fault") {
      const std::string_view name = value;
      if (name == "syncs") hunt.options.fault = Fault::disk_ignores_syncs;
      if (name == "stale") hunt.options.fault = Fault::reads_are_stale;
      if (name == "resume") hunt.options.fault = Fault::watch_resumes_too_late;
    }
  }
  return hunt;
}

volatile std::uint64_t running = 0;

/// A CHECK or fatal() ends the process: say where.
void on_abort(int) {
  std::fprintf(stderr, "aborted in seed %llu\n", static_cast<unsigned long long>(running));
}

void show(std::uint64_t seed, const RunResult& result) {
  std::printf(
      "seed %llu: %zu answered, %zu not, %lld revisions, %zu crashes, %zu of them in a "
      "write, trace %016llx\n",
      static_cast<unsigned long long>(seed), result.answered, result.unanswered,
      static_cast<long long>(result.revisions), result.crashes, result.crashes_in_a_write,
      static_cast<unsigned long long>(result.trace_hash));
  for (const std::string& violation : result.violations) {
    std::printf("  VIOLATION %s\n", violation.c_str());
  }
  std::fflush(stdout);
}

bool hunt(const Hunt& hunt) {
  const auto begin = std::chrono::steady_clock::now();
  bool good = true;
  std::uint64_t done = 0;
  RunResult sum;
  for (; done < hunt.count; ++done) {
    if (hunt.limit.count() > 0 && std::chrono::steady_clock::now() - begin > hunt.limit) break;
    RunOptions options = hunt.options;
    options.seed = hunt.first + done;
    running = options.seed;
    const RunResult result = run(options);
    good = good && result.violations.empty();
    sum.answered += result.answered;
    sum.crashes += result.crashes;
    sum.crashes_in_a_write += result.crashes_in_a_write;
    if (!hunt.quiet || !result.violations.empty()) show(options.seed, result);
  }
  std::printf(
      "%llu seeds from %llu: %zu operations answered, %zu crashes, %zu of them in a write: "
      "%s\n",
      static_cast<unsigned long long>(done), static_cast<unsigned long long>(hunt.first),
      sum.answered, sum.crashes, sum.crashes_in_a_write, good ? "good" : "VIOLATIONS");
  return good;
}

}  // namespace
}  // namespace tripod::etcd::robustness

int main(int argc, char** argv) {
  using namespace tripod::etcd::robustness;
  std::signal(SIGABRT, on_abort);
  return hunt(parse(argc, argv)) ? 0 : 1;
}
