// One board of a highly available Kubernetes control plane.

#include <string>
#include <vector>

#include "firmware/cli/cli.h"

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  return tripod::cli::run_command(argv[0], arguments);
}
