#pragma once
// Multicast DNS (RFC 6762 on RFC 1035): as much of it as it takes to answer for one name's
// addresses, and to notice that somebody else answers for it, too. Pure.

#include <optional>
#include <vector>

#include "platform/boards/net/ip.h"

namespace tripod::boards {

enum class DnsType : std::uint16_t { a = 1, aaaa = 28, any = 255 };

struct MdnsMessage {
  std::uint16_t id = 0;
  bool response = false;
  struct Question {
    std::string name;  // lower case, without the last dot: "board-1.local"
    DnsType type = DnsType::any;
  };
  std::vector<Question> questions;  // for addresses; others are left out
  struct Record {
    std::string name;
    Ip ip;
  };
  std::vector<Record> records;  // addresses among the answers
};

inline constexpr std::size_t mdns_bytes_max = 9000;

/// Nothing when it is malformed.
std::optional<MdnsMessage> decode_mdns(BytesView message);

struct MdnsAnswer {
  std::string name;
  std::vector<Ip> addresses;
  /// For a plain resolver that asked from another port: its own id and question come back, and it
  /// does not keep the answer for long.
  std::optional<std::uint16_t> legacy_id;
  DnsType legacy_type = DnsType::a;
};
Bytes encode_mdns(const MdnsAnswer& answer);

}  // namespace tripod::boards
