#pragma once
// Commands that speak to a cluster's API with an admin's kubeconfig:
//
//   tripod token create|list|delete   bootstrap tokens, by which boards and nodes join
//   tripod board remove NAME          takes a board out of the cluster

#include <span>
#include <string>

#include "platform/linux/machine.h"

namespace tripod::cli {

inline constexpr std::string_view api_usage =
    "  token create [--kubeconfig admin.conf] [--ttl 24h] [--description TEXT] [--token TOKEN]\n"
    "       [--nodes] [--board NAME=IP/PREFIX [--gateway IP] [--nameservers IP,...]\n"
    "       [--ntp-servers NAME,...] [--service-cidr 10.96.0.0/16]]\n"
    "                                                  a token by which boards join, as lines for\n"
    "                                                  tripod.ini, or with --board as that "
    "board's\n"
    "                                                  whole file; --nodes: kubelets, not boards\n"
    "  token list [--kubeconfig admin.conf]            the tokens that there are\n"
    "  token delete ID [--kubeconfig admin.conf]       ends one before its time\n"
    "  board remove NAME [--kubeconfig admin.conf]     takes a board out of the cluster\n";

/// What to print on success; runs the loop while it lasts. `command` is "token" or "board".
Result<std::string> api_command(linux_os::Machine& machine, std::string_view command,
                                std::span<const std::string> arguments);

}  // namespace tripod::cli
