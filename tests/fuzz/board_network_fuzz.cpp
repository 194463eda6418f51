// What a board hears from its network and its kernel before it knows anybody: DHCP packets, time
// answers, multicast DNS, ARP, rtnetlink datagrams, and the first bytes of its disks. The first
// byte chooses the decoder.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "platform/base/check.h"
#include "platform/boards/disk/partition_table.h"
#include "platform/boards/disk/superblock.h"
#include "platform/boards/net/address/address_claim.h"
#include "platform/boards/net/dhcp/dhcp_client.h"
#include "platform/boards/net/mdns/mdns_message.h"
#include "platform/boards/net/route/route_message.h"
#include "platform/boards/time/sntp.h"

namespace {

using namespace tripod;

void dhcp(BytesView input) {
  constexpr std::uint32_t transaction = 0x30303030;
  if (auto message = boards::unwrap_dhcp(input)) CHECK(message->size() + 28 <= input.size());
  boards::DhcpClient client({0x30, 0x30, 0x30, 0x30, 0x30, 0x30}, "board");
  MonotonicTime now(std::chrono::seconds(1));
  std::ignore = client.start(now, transaction);
  std::ignore = client.on_message(input, now, transaction);
  std::ignore = client.on_message(input, now, transaction);
  // Whatever a server said, the client wakes again, later, and for ever.
  for (int i = 0; i < 20; ++i) {
    CHECK(client.wake().has_value());
    CHECK(*client.wake() >= now);
    now = *client.wake();
    std::ignore = client.on_time(now, transaction);
    std::ignore = client.on_message(input, now, transaction);
  }
}

void disk(BytesView input) {
  std::ignore = boards::identify(input);
  constexpr std::uint64_t disk_sectors = 1 << 20;
  for (int number : {1, 2, 3}) {
    auto grown = boards::grow(input, disk_sectors, number);
    if (!grown) continue;
    for (const boards::DiskEdit& edit : grown->edits) {
      CHECK(edit.offset + edit.bytes.size() <= disk_sectors * boards::sector_bytes);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  BytesView input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0: dhcp(input); break;
    case 1: std::ignore = boards::decode_sntp_answer(input, 0x3030303030303030, {}, {}, {}); break;
    case 2: std::ignore = boards::decode_route_datagram(input); break;
    case 3: disk(input); break;
    default:
      std::ignore = boards::decode_mdns(input);
      std::ignore = boards::decode_arp(input);
      break;
  }
  return 0;
}
