#pragma once
// May this board use an IPv4 address of its configuration? Asks the segment before, and listens
// afterwards (address conflict detection, RFC 5227), so that a card that was flashed twice does not
// become two members of one name. Pure: time and messages arrive, messages leave.

#include "platform/base/time.h"
#include "platform/boards/net/ip.h"

namespace tripod::boards {

using HardwareAddress = std::array<std::uint8_t, 6>;

std::string to_string(const HardwareAddress& address);

/// RFC 826, of Ethernet and IPv4; without Ethernet's own header.
struct ArpMessage {
  bool reply = false;
  HardwareAddress sender{};
  Ip sender_ip;  // zero in a probe
  Ip target_ip;
};
Bytes encode_arp(const ArpMessage& message);
std::optional<ArpMessage> decode_arp(BytesView packet);

class AddressClaim {
 public:
  enum class State : std::uint8_t {
    waiting,  // for a cable
    probing,  // asks whether somebody else has it
    held,     // this board's
    taken,    // another's; asked for again now and then
  };

  AddressClaim(Ip address, HardwareAddress own);

  struct Actions {
    std::optional<Bytes> send;  // to everyone on the segment
    bool changed = false;       // state() or other() is another one
  };
  /// The interface is there. Without a cable the address is held after some seconds.
  Actions begin(MonotonicTime now);
  /// What was held while the cable was out is asked for again.
  Actions cable_in(MonotonicTime now);
  Actions on_message(const ArpMessage& message, MonotonicTime now);
  /// To be called at wake().
  Actions on_time(MonotonicTime now);

  std::optional<MonotonicTime> wake() const { return wake_; }
  State state() const { return state_; }
  const Ip& address() const { return address_; }
  /// Who else uses it; nothing when nobody is known to.
  const std::optional<HardwareAddress>& other() const { return other_; }

 private:
  Actions probe(MonotonicTime now);
  Bytes message(bool announcement) const;

  Ip address_;
  HardwareAddress own_;
  State state_ = State::waiting;
  int probes_ = 0;
  std::optional<MonotonicTime> wake_;
  std::optional<HardwareAddress> other_;
};

}  // namespace tripod::boards
