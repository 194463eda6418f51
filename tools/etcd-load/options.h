#pragma once
// The command line of etcd-load. Pure.

#include <optional>
#include <string>
#include <vector>

#include "platform/base/result.h"
#include "platform/os/network.h"

namespace tripod::load {

enum class Kind : std::uint8_t { put, get, list, mix, watch, lease };

std::string_view name_of(Kind kind);

struct Options {
  Kind kind = Kind::put;
  std::vector<os::Address> endpoints;  // connections are spread over them in turn
  std::string authority_file;          // these three together, or none: plain HTTP/2
  std::string certificate_file;
  std::string key_file;
  int clients = 1;        // requests under way at once; of watch: watches
  int connections = 1;    // at most as many as clients
  int keys = 10'000;      // written in turn; read, after they have been written once
  int value_bytes = 256;  //
  int operations = 0;     // 0: as many as `seconds` hold; of watch: events
  int seconds = 5;
  bool serializable = false;
  bool keep = false;  // of read loads: the keys are there already
  bool help = false;
};

/// "--clients 2" and "--clients=2". Errors name the flag, the value, and what would be accepted.
Result<Options> parse_options(const std::vector<std::string>& arguments);
std::string_view usage();

}  // namespace tripod::load
