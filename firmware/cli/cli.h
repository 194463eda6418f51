#pragma once
// The commands of the `tripod` binary. Each prints what a person needs and returns the exit code:
// 0, 1 for a failure with one clear message on standard error, 2 for wrong usage.

#include <span>
#include <string>

namespace tripod::cli {

int run_command(std::span<const std::string> arguments);

}  // namespace tripod::cli
