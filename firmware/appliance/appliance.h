#pragma once
// tripod as process 1 of a board that has nothing else: brings the machine up, runs the server as
// its child, keeps it running, and takes the machine down in order.
//
//   if (appliance::is_board(argv[0])) appliance::run_board(version);
//
// A board that cannot start its server says why on the console, blinks, and waits for a person; it
// does not reboot by itself. See README.md for the order of things.

#include <string>
#include <string_view>

namespace tripod::appliance {

/// True for process 1 of a machine, which the kernel calls "init".
bool is_board(std::string_view program);

/// Ends with the machine.
void run_board(std::string version);

}  // namespace tripod::appliance
