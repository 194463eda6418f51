#pragma once
// `tripod update` and `tripod update-file`: boards get a new boot slot over the network, and the
// signed files that hold one are made and looked at. What is done with them is firmware/update's.

#include <span>
#include <string>

#include "platform/base/result.h"
#include "platform/linux/machine.h"

namespace tripod::cli {

inline constexpr std::string_view update_usage =
    "  update FILE [--kubeconfig admin.conf] [--boards IP[:6444],...]\n"
    "                                                  update boards, one after another, the "
    "leader "
    "last;\n"
    "                                                  all that the cluster names, or these\n"
    "  update status [--kubeconfig admin.conf] [--boards IP[:6444],...]\n"
    "                                                  what boards run, and how their last update "
    "ended\n"
    "  update-file pack --board KIND --build SECONDS --image FILE --key FILE --output FILE\n"
    "                   [--version X.Y.Z]\n"
    "                                                  sign a boot slot's image, as tools/image "
    "does\n"
    "  update-file show FILE [--key update.pub]        what an update file holds, and whether it "
    "is "
    "whole\n";

/// What to print on success; runs the loop while it lasts. `invalid` for wrong usage.
Result<std::string> update_command(linux_os::Machine& machine,
                                   std::span<const std::string> arguments);
Result<std::string> update_file_command(linux_os::Machine& machine,
                                        std::span<const std::string> arguments);

}  // namespace tripod::cli
