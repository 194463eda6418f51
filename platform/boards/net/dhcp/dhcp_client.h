#pragma once
// The DHCPv4 client of one interface (RFC 2131, chapter 4.4) as a pure machine: messages and time
// come in, messages and leases go out. It asks at once, again with growing pauses, renews at T1
// with the server that gave the lease, from T2 on with any, and gives the address up when the lease
// ends. Random draws come with the event.

#include <optional>
#include <vector>

#include "platform/base/time.h"
#include "platform/boards/net/dhcp/dhcp_message.h"

namespace tripod::boards {

struct DhcpLease {
  IpPrefix address;
  std::optional<Ip> gateway;
  std::vector<Ip> nameservers;
  std::vector<Ip> ntp_servers;
  Ip server;

  friend bool operator==(const DhcpLease&, const DhcpLease&) = default;
};

struct DhcpActions {
  struct Send {
    Bytes message;
    std::optional<Ip> to;  // nothing: everyone on the wire
  };
  std::optional<Send> send;
  bool changed = false;  // lease() is another one, or none
};

class DhcpClient {
 public:
  enum class State : std::uint8_t { idle, selecting, requesting, bound, renewing, rebinding };

  DhcpClient(HardwareAddress hardware_address, std::string hostname)
      : hardware_address_(hardware_address), hostname_(std::move(hostname)) {}

  /// A cable came in. A lease that is held is asked for again, and kept meanwhile.
  DhcpActions start(MonotonicTime now, std::uint32_t random);
  /// A cable went out: nothing is sent until start().
  void stop();
  DhcpActions on_message(BytesView message, MonotonicTime now, std::uint32_t random);
  /// To be called at wake(), or later.
  DhcpActions on_time(MonotonicTime now, std::uint32_t random);

  std::optional<MonotonicTime> wake() const { return wake_; }
  const std::optional<DhcpLease>& lease() const { return lease_; }
  State state() const { return state_; }

 private:
  DhcpActions discover(MonotonicTime now, std::uint32_t random);
  DhcpActions request(MonotonicTime now, std::uint32_t random);
  DhcpActions extend(MonotonicTime now);
  DhcpActions accept(const DhcpReply& reply, MonotonicTime now);
  DhcpActions give_up(MonotonicTime now);
  DhcpRequest message(DhcpType type, MonotonicTime now) const;
  Duration pause(std::uint32_t random) const;

  HardwareAddress hardware_address_;
  std::string hostname_;
  State state_ = State::idle;
  std::optional<MonotonicTime> wake_;
  std::uint32_t transaction_ = 0;
  int attempts_ = 0;
  MonotonicTime began_;
  std::optional<Ip> wanted_;  // offered, or held before
  std::optional<Ip> server_;  // whose offer was taken
  std::optional<DhcpLease> lease_;
  MonotonicTime renew_at_;
  MonotonicTime rebind_at_;
  MonotonicTime expires_at_;
};

}  // namespace tripod::boards
