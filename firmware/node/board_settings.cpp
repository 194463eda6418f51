#include "firmware/node/board_settings.h"

#include <algorithm>
#include <charconv>
#include <format>

#include "platform/ini/problems.h"

namespace tripod::node {
namespace {

constexpr std::uint64_t memory_bytes_min = 32 << 20;
constexpr std::size_t servers_max = 8;
constexpr std::size_t hostname_max = 63;  // a DNS label

bool is_host(std::string_view text) {
  return !text.empty() && text.size() <= 253 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.';
  });
}

/// Reads key by key and collects what is wrong.
class BoardReader {
 public:
  explicit BoardReader(const ini::Values& values) : values_(values) {}

  Result<BoardSettings> read() {
    const std::string& hostname = values_.text("board", "hostname");
    settings_.hostname = hostname.empty() ? values_.text("node", "name") : hostname;
    if (hostname.size() > hostname_max) wrong("hostname", "expected at most 63 characters");
    settings_.hostname.resize(std::min(settings_.hostname.size(), hostname_max));
    read_network();
    read_servers();
    read_hosts();
    read_limits();
    if (problems_.any()) return problems_.error();
    return std::move(settings_);
  }

 private:
  void read_network() {
    const auto addresses = values_.list("board", "address");
    const std::string& interface = values_.text("board", "interface");
    auto network = boards::parse_network(addresses, interface, values_.list("board", "gateway"));
    if (network) {
      settings_.network = std::move(*network);
    } else if (!boards::parse_network(addresses, "", {})) {
      wrong("address", network.error().message);
    } else {
      const bool good = boards::parse_network(addresses, interface, {}).has_value();
      wrong(good ? "gateway" : "interface", network.error().message);
    }
  }

  void wrong(std::string_view key, std::string_view what) {
    problems_.add(std::format("{}: {}", values_.where("board", key), what));
  }

  void read_servers() {
    settings_.nameservers = values_.list("board", "nameservers");
    for (const std::string& server : settings_.nameservers) {
      if (!boards::parse_ip(server)) {
        wrong("nameservers", std::format("\"{}\": expected an IP address, as 192.168.1.1", server));
      }
    }
    settings_.ntp_servers = values_.list("board", "ntp-servers");
    for (const std::string& server : settings_.ntp_servers) {
      if (!is_host(server) && !boards::parse_ip(server)) {
        wrong("ntp-servers",
              std::format("\"{}\": expected a name or an IP address, as pool.ntp.org", server));
      }
    }
    for (auto [key, list] : {std::pair("nameservers", &settings_.nameservers),
                             std::pair("ntp-servers", &settings_.ntp_servers)}) {
      if (list->size() > servers_max) wrong(key, std::format("expected at most {}", servers_max));
    }
  }

  void read_hosts() {
    for (const std::string& item : values_.list("board", "hosts")) {
      std::size_t equals = item.find('=');
      if (equals == std::string::npos || !is_host(item.substr(0, equals)) ||
          !boards::parse_ip(item.substr(equals + 1))) {
        wrong("hosts", std::format("\"{}\": expected name=IP, as board-2=192.168.1.12", item));
        continue;
      }
      settings_.hosts.push_back(item.substr(equals + 1) + " " + item.substr(0, equals));
    }
  }

  void read_limits() {
    using std::chrono::duration_cast;
    using std::chrono::seconds;
    const auto timeout = values_.duration("board", "watchdog-timeout");
    settings_.watchdog_timeout = duration_cast<seconds>(timeout);
    if (timeout.count() != 0 && timeout < seconds(5)) {
      wrong("watchdog-timeout", "expected 0 (no watchdog) or at least 5s");
    }
    settings_.update_patience =
        duration_cast<seconds>(values_.duration("board", "update-patience"));
    const std::string& memory = values_.text("board", "memory-max");
    if (memory.empty()) return;
    auto bytes = parse_memory(memory);
    if (!bytes) {
      wrong("memory-max", bytes.error().message);
    } else {
      settings_.memory_bytes_max = *bytes;
    }
  }

  const ini::Values& values_;
  BoardSettings settings_;
  ini::Problems problems_;
};

}  // namespace

Result<BoardSettings> read_board_settings(const ini::Values& values) {
  return BoardReader(values).read();
}

Result<std::uint64_t> parse_memory(std::string_view text) {
  std::uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view suffix(end, static_cast<std::size_t>(text.data() + text.size() - end));
  int shift = -1;
  for (auto [name, bits] :
       {std::pair("", 0), std::pair("Ki", 10), std::pair("Mi", 20), std::pair("Gi", 30)}) {
    if (suffix == name) shift = bits;
  }
  if (error != std::errc() || shift < 0 || number > (std::uint64_t{1} << 40) >> shift ||
      number << shift < memory_bytes_min) {
    return fail(ErrorCode::invalid, "expected an amount of memory from 32Mi on, as 192Mi or 1Gi");
  }
  return number << shift;
}

}  // namespace tripod::node
