#pragma once
// The command line of hollow-node. Pure.

#include <string>
#include <vector>

#include "platform/base/log.h"
#include "platform/base/result.h"
#include "tools/hollow-node/kubelet.h"

namespace tripod::hollow {

struct Options {
  std::string kubeconfig;
  int nodes = 1;
  std::string name_prefix = "hollow-";
  NodeConfig node;  // of each, but for name and number
  LogLevel log_level = LogLevel::info;
  bool help = false;
};

/// "--nodes 2" and "--nodes=2". Errors name the flag, the value, and what would be accepted.
Result<Options> parse_options(const std::vector<std::string>& arguments);
std::string_view usage();

}  // namespace tripod::hollow
