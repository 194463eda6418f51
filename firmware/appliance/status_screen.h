#pragma once
// What a person at the board's screen or serial line sees of it, as text: name, addresses, roles,
// health, clock. Pure.

#include <string>
#include <vector>

namespace tripod::appliance {

struct StatusFacts {
  std::string version;
  std::string hostname;
  std::string board;
  struct Interface {
    std::string name;
    bool carrier = false;
    std::vector<std::string> addresses;
  };
  std::vector<Interface> interfaces;
  std::vector<std::string> roles;
  std::string health;    // "ready: serves, leads etcd"
  std::string memory;    // "12.0 MiB server, 5.0 MiB process 1, 180 of 230 MiB available"
  std::string clock;     // "synchronized with 192.168.1.1"
  std::string time;      // RFC 3339
  std::string last_end;  // of the server; empty: it never ended
  int restarts = 0;
  std::string update;   // "tries 0.2.0 in slot b"; empty: nothing to say
  std::string problem;  // what a person has to mend, one line each
};

/// Lines of at most `columns`, each with its end.
std::string render_status(const StatusFacts& facts, std::size_t columns);

}  // namespace tripod::appliance
