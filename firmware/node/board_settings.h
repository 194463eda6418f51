#pragma once
// Section [board] of the configuration: what process 1 makes of the machine before the server
// starts. A board that runs under another operating system has no such section.

#include <string>
#include <vector>

#include "platform/boards/net/network_plan.h"
#include "platform/ini/schema.h"

namespace tripod::node {

struct BoardSettings {
  std::string hostname;
  boards::NetworkPlan network;
  std::vector<std::string> nameservers;
  std::vector<std::string> ntp_servers;       // names or addresses
  std::vector<std::string> hosts;             // lines of /etc/hosts: "192.168.1.12 board-2"
  std::uint64_t memory_bytes_max = 0;         // of the server; 0: no limit
  std::chrono::seconds watchdog_timeout{0};   // 0: none
  std::chrono::seconds update_patience{300};  // for a new boot slot to be healthy
};

/// Fails with one line per problem, each naming where the value stands and what would be accepted.
Result<BoardSettings> read_board_settings(const ini::Values& values);

/// "192Mi", "1Gi", "200000000": bytes. Kubernetes' binary suffixes.
Result<std::uint64_t> parse_memory(std::string_view text);

}  // namespace tripod::node
