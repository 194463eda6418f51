#include "platform/boards/net/address/address_claim.h"

#include <algorithm>
#include <format>

namespace tripod::boards {
namespace {

// Shorter than RFC 5227 advises (up to seven seconds): a board is to be there soon.
constexpr int probes_max = 3;
constexpr Duration probe_interval = std::chrono::milliseconds(250);
constexpr Duration cable_patience = std::chrono::seconds(5);  // links negotiate for some seconds
constexpr Duration retry_interval = std::chrono::seconds(10);

constexpr std::size_t arp_bytes = 28;
constexpr std::string_view ethernet_and_ipv4("\x00\x01\x08\x00\x06\x04", 6);
constexpr char request = 1;
constexpr char answer = 2;

HardwareAddress hardware_address_at(BytesView packet, std::size_t offset) {
  HardwareAddress out{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<std::uint8_t>(packet[offset + i]);
  }
  return out;
}

void append(Bytes& out, const HardwareAddress& address) {
  for (std::uint8_t octet : address) out += static_cast<char>(octet);
}

}  // namespace

std::string to_string(const HardwareAddress& address) {
  std::string out;
  for (std::uint8_t octet : address) out += std::format("{}{:02x}", out.empty() ? "" : ":", octet);
  return out;
}

Bytes encode_arp(const ArpMessage& message) {
  Bytes out(ethernet_and_ipv4);
  out += '\0';
  out += message.reply ? answer : request;
  append(out, message.sender);
  out += message.sender_ip.bytes();
  append(out, HardwareAddress{});
  out += message.target_ip.bytes();
  return out;
}

std::optional<ArpMessage> decode_arp(BytesView packet) {
  if (packet.size() < arp_bytes || !packet.starts_with(ethernet_and_ipv4) || packet[6] != 0 ||
      (packet[7] != request && packet[7] != answer)) {
    return std::nullopt;
  }
  return ArpMessage{.reply = packet[7] == answer,
                    .sender = hardware_address_at(packet, 8),
                    .sender_ip = ipv4_of(packet.substr(14, 4)),
                    .target_ip = ipv4_of(packet.substr(24, 4))};
}

AddressClaim::AddressClaim(Ip address, HardwareAddress own) : address_(address), own_(own) {}

Bytes AddressClaim::message(bool announcement) const {
  return encode_arp({.reply = false,
                     .sender = own_,
                     .sender_ip = announcement ? address_ : Ip{},
                     .target_ip = address_});
}

AddressClaim::Actions AddressClaim::begin(MonotonicTime now) {
  wake_ = now + cable_patience;
  return {};
}

AddressClaim::Actions AddressClaim::cable_in(MonotonicTime now) {
  if (state_ == State::probing) return {};
  probes_ = 0;
  return probe(now);
}

AddressClaim::Actions AddressClaim::probe(MonotonicTime now) {
  const bool news = state_ != State::probing;
  state_ = State::probing;
  ++probes_;
  wake_ = now + probe_interval;
  return {.send = message(false), .changed = news};
}

AddressClaim::Actions AddressClaim::on_time(MonotonicTime now) {
  if (!wake_ || now < *wake_) return {};
  if (state_ == State::taken) {
    probes_ = 0;
    return probe(now);
  }
  if (state_ == State::probing && probes_ < probes_max) return probe(now);
  const bool asked = state_ == State::probing;
  state_ = State::held;
  wake_.reset();
  other_.reset();
  if (!asked) return {.send = std::nullopt, .changed = true};
  return {.send = message(true), .changed = true};
}

AddressClaim::Actions AddressClaim::on_message(const ArpMessage& message, MonotonicTime now) {
  if (message.sender == own_ || state_ == State::waiting) return {};
  const bool uses = message.sender_ip == address_;
  // Who asks at the same time means to use it, too.
  const bool asks = message.sender_ip.is_zero() && message.target_ip == address_;
  if (state_ == State::held || state_ == State::taken) {
    // It stays with whom it is; the other one is told by this board's answers.
    if (!uses || other_ == message.sender) return {};
    other_ = message.sender;
    return {.send = std::nullopt, .changed = true};
  }
  if (!uses && !asks) return {};
  state_ = State::taken;
  other_ = message.sender;
  wake_ = now + retry_interval;
  return {.send = std::nullopt, .changed = true};
}

}  // namespace tripod::boards
