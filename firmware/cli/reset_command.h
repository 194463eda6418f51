#pragma once
// `tripod reset`: a board that is no process 1, made new: leaves its cluster when it can, and
// removes what it keeps. (A board that is process 1 has the file factory-reset on its boot
// partition for that.)

#include <span>
#include <string>

#include "platform/linux/machine.h"

namespace tripod::cli {

inline constexpr std::string_view reset_usage =
    "  reset --config FILE [--yes] [--force] [--keep-pki]\n"
    "                                                  takes this board, which does not run, out "
    "of\n"
    "                                                  its cluster and removes its data; --force:\n"
    "                                                  even if the others cannot be told\n";

/// What to print on success; prints what will go, and asks on standard input unless --yes.
Result<std::string> reset_command(linux_os::Machine& machine,
                                  std::span<const std::string> arguments);

}  // namespace tripod::cli
