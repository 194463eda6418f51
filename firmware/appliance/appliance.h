#pragma once
// tripod as process 1 of a board that has nothing else: brings the machine up, runs the server as
// its child, keeps it running, and takes the machine down in order.
//
//   if (appliance::is_board()) appliance::run_board(version);
//
// A board that cannot start its server says why on the console, blinks, and waits for a person; it
// does not reboot by itself. See README.md for the order of things.

#include <string>

namespace tripod::appliance {

/// True for process 1.
bool is_board();

/// Ends with the machine.
void run_board(std::string version);

}  // namespace tripod::appliance
