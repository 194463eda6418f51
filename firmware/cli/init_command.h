#pragma once
// `tripod init`: everything that a new cluster of boards needs on its cards, in one folder. For
// each board a configuration and the certificates it may hold; for the person an admin's kubeconfig
// and the authorities, which stay off the boards. The text of a configuration is pure, for tests.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/result.h"
#include "platform/os/board.h"

namespace tripod::cli {

/// A board of a plan, "board-1" at 192.168.1.11/24.
struct PlannedBoard {
  std::string name;
  std::string ip;
  unsigned prefix_length = 0;
};

/// The lines by which a board joins a cluster that runs.
struct JoinLines {
  std::string url;  // "https://192.168.1.11:6443"
  std::string token;
  std::string ca_hash;  // "sha256:..."

  /// As they stand in section [node].
  std::string text() const;
};

struct ClusterPlan {
  std::vector<PlannedBoard> boards;  // the first has the load balancer
  std::string gateway;               // these three as in section [board], empty for none
  std::string nameservers;
  std::string ntp_servers;
  std::string service_cidr;
  std::string token;
  std::size_t signers = 0;        // the first so many hold the authorities' keys
  std::optional<JoinLines> join;  // instead of being there from the beginning
};

/// "192.168.1.11/24" and 3 -> that one and the two after it; or a list of as many as there are
/// boards
/// ("192.168.1.11/24, 10.0.0.7/16, ..."; 0 boards: as many as the list has).
Result<std::vector<PlannedBoard>> plan_boards(std::string_view addresses, std::size_t count);

/// The tripod.ini of board `index`, as it goes onto its card.
std::string board_ini(const ClusterPlan& plan, std::size_t index);
/// Whether boards accept what board_ini() makes of it: what it was made of may be wrong.
Result<> check_plan(const ClusterPlan& plan);

/// Writes --dir; keeps certificates that are there, so that it can be run again with more boards.
/// The result says what was made and what to do with it.
Result<std::string> init_cluster(os::World world, std::span<const std::string> arguments);

}  // namespace tripod::cli
