// power_sim [--members N]... [--steps N] [--stride N] [--seed N]: the power goes at every operation
// of the disk, of one member and of three together unless the numbers are given; then the same
// where the load was the release before's, whose raft.db what starts again takes over.

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tests/sim/etcd/power.h"

int main(int argc, char** argv) {
  using namespace tripod::etcd::robustness;
  PowerOptions options;
  std::vector<std::size_t> sizes;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view argument = argv[i];
    const std::size_t number = std::strtoull(argv[i + 1], nullptr, 10);
    if (argument == "--members") sizes.push_back(number);
    if (argument == "--steps") options.steps = number;
    if (argument == "--stride") options.stride = number;
    if (argument == "--seed") options.seed = number;
  }
  if (sizes.empty()) sizes = {1, 3};
  bool good = true;
  for (const bool old_format : {false, true}) {
    options.old_format = old_format;
    for (const std::size_t size : sizes) {
      options.members = size;
      const PowerResult result = cut_power_everywhere(options);
      std::printf("%s\n", to_text(options, result).c_str());
      for (const std::string& violation : result.violations) {
        std::printf("  %s\n", violation.c_str());
      }
      std::fflush(stdout);
      good = good && result.violations.empty();
    }
  }
  return good ? 0 : 1;
}
