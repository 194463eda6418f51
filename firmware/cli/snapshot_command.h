#pragma once
// `tripod snapshot save|status|restore|import`: snapshots of the etcd member, with the flags of
// etcdctl and etcdutl. What is done with them is firmware/etcd/backup's.

#include <span>
#include <string>

#include "platform/base/result.h"
#include "platform/linux/machine.h"

namespace tripod::cli {

inline constexpr std::string_view snapshot_usage =
    "  snapshot save FILE --endpoints URL [--cacert FILE --cert FILE --key FILE]\n"
    "                                                  the state of a running member as a file\n"
    "  snapshot status FILE [-w simple|json|table]     hash, revision, keys and size of such a "
    "file\n"
    "  snapshot restore FILE --data-dir DIR --name NAME --initial-cluster NAME=URL[,...]\n"
    "      [--initial-cluster-token tripod] [--initial-advertise-peer-urls URL[,...]] "
    "[--skip-hash-check]\n"
    "      [--bump-revision N --mark-compacted]        the data directory of a new cluster's "
    "member\n"
    "  snapshot import FILE --from URL[,URL...] [--cacert FILE --cert FILE --key FILE]\n"
    "                                                  a running etcd's keys and leases as such a "
    "file\n";

/// What to print on success; runs the loop while it lasts. `invalid` for wrong usage.
Result<std::string> snapshot_command(linux_os::Machine& machine,
                                     std::span<const std::string> arguments);

}  // namespace tripod::cli
