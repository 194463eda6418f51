// etcd_sim --seed N [--seeds COUNT] [--members N] [--chaos MILLISECONDS]
// [--plant fsync|stale|watch] [--quiet]: one seed of whole members, or a hunt through some
// hundreds (tools/sim starts one of these for each few hundred). With --plant a rule is broken on
// purpose, and the first seed that shows it ends the hunt. TRIPOD_TRACE=1 shows what happens.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "tests/sim/etcd/chaos.h"

namespace tripod::etcd::robustness {
namespace {

struct Hunt {
  std::uint64_t first = 1;
  std::uint64_t count = 1;
  bool quiet = false;
  RunOptions options;
};

std::optional<Fault> fault_of(std::string_view name) {
  if (name == "fsync") return Fault::disk_ignores_syncs;
  if (name == "stale") return Fault::reads_are_stale;
  if (name == "watch") return Fault::watch_resumes_too_late;
  return std::nullopt;
}

std::optional<Hunt> parse(int argc, char** argv) {
  Hunt hunt;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--quiet") {
      hunt.quiet = true;
      continue;
    }
    if (++i == argc) return std::nullopt;
    const std::uint64_t number = std::strtoull(argv[i], nullptr, 10);
    if (argument == "--seed") {
      hunt.first = number;
    } else if (argument == "--seeds") {
      hunt.count = number;
    } else if (argument == "--members") {
      hunt.options.members = number;
    } else if (argument == "--chaos") {
      hunt.options.chaos = Milliseconds(number);
    } else if (argument == "--plant") {
      const auto fault = fault_of(argv[i]);
      if (!fault) return std::nullopt;
      hunt.options.fault = *fault;
    } else {
      return std::nullopt;
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

void add(RunResult& sum, const RunResult& result) {
  sum.answered += result.answered;
  sum.crashes += result.crashes;
  sum.crashes_in_a_write += result.crashes_in_a_write;
  sum.disk_errors += result.disk_errors;
  sum.hand_overs += result.hand_overs;
  sum.comparisons += result.comparisons;
  sum.logs_taken_over += result.logs_taken_over;
}

bool hunt(const Hunt& hunt) {
  bool good = true;
  std::uint64_t done = 0;
  RunResult sum;
  while (done < hunt.count && (good || hunt.options.fault == Fault::none)) {
    RunOptions options = hunt.options;
    options.seed = hunt.first + done++;
    running = options.seed;
    const RunResult result = run(options);
    good = good && result.violations.empty();
    add(sum, result);
    if (!hunt.quiet || !result.violations.empty()) show(options.seed, result);
  }
  std::printf(
      "%llu seeds from %llu: %zu operations answered, %zu crashes, %zu of them in a write, "
      "%zu disk errors, %zu hand-overs, %zu logs taken over, %zu comparisons of members: %s\n",
      static_cast<unsigned long long>(done), static_cast<unsigned long long>(hunt.first),
      sum.answered, sum.crashes, sum.crashes_in_a_write, sum.disk_errors, sum.hand_overs,
      sum.logs_taken_over, sum.comparisons, good ? "good" : "VIOLATIONS");
  return good;
}

}  // namespace
}  // namespace tripod::etcd::robustness

int main(int argc, char** argv) {
  using namespace tripod::etcd::robustness;
  const auto wanted = parse(argc, argv);
  if (!wanted) {
    std::fputs(
        "usage: etcd_sim [--seed N] [--seeds COUNT] [--members N] [--chaos MILLISECONDS] "
        "[--plant fsync|stale|watch] [--quiet]\n",
        stderr);
    return 2;
  }
  std::signal(SIGABRT, on_abort);
  return hunt(*wanted) ? 0 : 1;
}
