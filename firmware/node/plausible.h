#pragma once
// What a configuration says that nobody can have meant: a gateway out of reach, a listener at an
// address that the board does not have, certificates asked for without TLS. A board carries it out
// as far as it goes, for it should not stay away after an update that knows better; whoever writes
// or checks a file is told.

#include "firmware/node/config.h"

namespace tripod::node {

/// Fails with one line per problem, each naming where the value stands and what would be accepted.
Result<> check_plausible(const Config& config);

}  // namespace tripod::node
