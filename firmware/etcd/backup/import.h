#pragma once
// A snapshot made from a running etcd, or tripod, over the client API, key for key (README.md says
// what is taken). Lives on the loop thread; its file work blocks, so it is for a command, not for a
// server.

#include <string>

#include "firmware/etcd/remote/remote_client.h"
#include "platform/os/board.h"

namespace tripod::etcd::backup {

struct ImportReport {
  Revision revision = 0;
  std::size_t keys = 0;
  std::size_t leases = 0;
};

/// Writes `file`, which must not be there yet. A compaction that overtakes the reading makes it
/// begin anew, a few times. Fails with the source's own words.
Task<Result<ImportReport>> import_snapshot(os::World world, RemoteClient* source, std::string file);

}  // namespace tripod::etcd::backup
