#pragma once
// The commands of the `tripod` binary. Each prints what a person needs and returns the exit code:
// 0, 1 for a failure with one clear message on standard error, 2 for wrong usage.

#include <span>
#include <string>
#include <string_view>

namespace tripod::cli {

/// `program` as it was called: the kernel calls process 1 of a board "/init".
int run_command(std::string_view program, std::span<const std::string> arguments);

}  // namespace tripod::cli
