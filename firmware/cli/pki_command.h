#pragma once
// `tripod pki init`: the two authorities and every certificate of a cluster, in one folder.
// config/README.md has the table.

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/result.h"
#include "platform/os/board.h"

namespace tripod::cli {

constexpr std::string_view default_service_cidr = "10.96.0.0/16";

struct BoardName {
  std::string name;
  std::string ip;
};

struct PkiPlan {
  std::string folder;
  std::vector<BoardName> boards;
  std::string service_cidr{default_service_cidr};
  /// Further DNS names and addresses that clients reach the servers by.
  std::vector<std::string> names = {};
  /// Of certificates; authorities have ten years.
  std::chrono::seconds lifetime = std::chrono::days(365);
};

/// Makes what is missing below the plan's folder and keeps what is there; returns how many pairs it
/// made. The folder afterwards: the authorities, admin, etcd-client, and one folder per board.
Result<int> make_pki(os::World world, const PkiPlan& plan);

/// Makes what is missing and keeps what is there, so that a board can be added later. The last line
/// of the result says what was made.
Result<std::string> pki_init(os::World world, std::span<const std::string> arguments);

/// The key pair that signs updates, DIR/update.key and update.pub; kept when it is there.
Result<bool> make_update_key(os::World world, const std::string& folder);
/// `tripod pki update-key`.
Result<std::string> pki_update_key(os::World world, std::span<const std::string> arguments);

}  // namespace tripod::cli
