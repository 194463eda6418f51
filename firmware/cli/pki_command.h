#pragma once
// `tripod pki init`: the two authorities and every certificate of a cluster, in one folder.
// config/README.md has the table.

#include <span>
#include <string>

#include "platform/base/result.h"
#include "platform/os/board.h"

namespace tripod::cli {

/// Makes what is missing and keeps what is there, so that a board can be added later. The last line
/// of the result says what was made.
Result<std::string> pki_init(os::World world, std::span<const std::string> arguments);

}  // namespace tripod::cli
