#include "platform/boards/net/dhcp/dhcp_client.h"

#include <algorithm>

namespace tripod::boards {
namespace {

constexpr Duration pause_first = std::chrono::seconds(2);
constexpr Duration pause_max = std::chrono::seconds(64);
constexpr int request_attempts_max = 4;
constexpr std::uint32_t lease_s_min = 10;
constexpr std::uint32_t lease_s_max =
    30 * 24 * 3600;  // longer ones, and "for ever", are renewed monthly
constexpr Duration extend_pause_min = std::chrono::seconds(60);

/// The network of an address without a mask, by its class.
int classful_bits(const Ip& address) {
  if (address.octets[0] < 128) return 8;
  return address.octets[0] < 192 ? 16 : 24;
}

}  // namespace

DhcpRequest DhcpClient::message(DhcpType type, MonotonicTime now) const {
  DhcpRequest out;
  out.type = type;
  out.transaction = transaction_;
  auto waited = std::chrono::duration_cast<std::chrono::seconds>(now - began_).count();
  out.seconds = static_cast<std::uint16_t>(std::clamp<std::int64_t>(waited, 0, 0xffff));
  out.hardware_address = hardware_address_;
  out.hostname = hostname_;
  return out;
}

/// Twice as long each time, and up to a second more or less, so that boards that were switched on
/// together do not ask together.
Duration DhcpClient::pause(std::uint32_t random) const {
  Duration base = pause_first;
  for (int i = 1; i < attempts_ && base < pause_max; ++i) base *= 2;
  return std::min(base, pause_max) + std::chrono::milliseconds(random % 2000) -
         std::chrono::milliseconds(1000);
}

DhcpActions DhcpClient::discover(MonotonicTime now, std::uint32_t random) {
  if (state_ != State::selecting) {
    state_ = State::selecting;
    transaction_ = random;
    attempts_ = 0;
    began_ = now;
    server_.reset();
  }
  ++attempts_;
  wake_ = now + pause(random);
  DhcpRequest out = message(DhcpType::discover, now);
  out.requested = wanted_;
  return {.send = DhcpActions::Send{encode_dhcp(out), std::nullopt}, .changed = false};
}

DhcpActions DhcpClient::request(MonotonicTime now, std::uint32_t random) {
  ++attempts_;
  wake_ = now + pause(random);
  DhcpRequest out = message(DhcpType::request, now);
  out.requested = wanted_;
  out.server = server_;  // none: INIT-REBOOT, the address of before
  return {.send = DhcpActions::Send{encode_dhcp(out), std::nullopt}, .changed = false};
}

DhcpActions DhcpClient::start(MonotonicTime now, std::uint32_t random) {
  if (!wanted_) {
    state_ = State::idle;
    return discover(now, random);
  }
  state_ = State::requesting;
  transaction_ = random;
  attempts_ = 0;
  began_ = now;
  server_.reset();
  return request(now, random);
}

void DhcpClient::stop() {
  state_ = State::idle;
  // What is held is still given back in time.
  wake_ = lease_ ? std::optional(expires_at_) : std::nullopt;
}

DhcpActions DhcpClient::extend(MonotonicTime now) {
  const bool renewing = state_ == State::renewing;
  const MonotonicTime until = renewing ? rebind_at_ : expires_at_;
  const Duration left = until - now;
  wake_ = now + std::min(left, std::max(left / 2, extend_pause_min));
  DhcpRequest out = message(DhcpType::request, now);
  out.client = lease_->address.ip;
  return {.send = DhcpActions::Send{encode_dhcp(out),
                                    renewing ? std::optional(lease_->server) : std::nullopt},
          .changed = false};
}

DhcpActions DhcpClient::give_up(MonotonicTime now) {
  const bool had = lease_.has_value();
  lease_.reset();
  wanted_.reset();
  server_.reset();
  state_ = State::idle;
  wake_ = now + pause_first;  // a server that refuses for ever is not asked without a pause
  return {.send = std::nullopt, .changed = had};
}

DhcpActions DhcpClient::accept(const DhcpReply& reply, MonotonicTime now) {
  const std::uint32_t lease_s = std::clamp(reply.lease_s.value_or(3600), lease_s_min, lease_s_max);
  std::uint32_t rebind_s = reply.rebinding_s.value_or(lease_s / 8 * 7);
  if (rebind_s >= lease_s) rebind_s = lease_s - lease_s / 8;
  std::uint32_t renew_s = reply.renewal_s.value_or(lease_s / 2);
  if (renew_s >= rebind_s) renew_s = lease_s / 2;
  renew_at_ = now + std::chrono::seconds(renew_s);
  rebind_at_ = now + std::chrono::seconds(rebind_s);
  expires_at_ = now + std::chrono::seconds(lease_s);
  wake_ = renew_at_;
  state_ = State::bound;

  DhcpLease lease;
  lease.address = {reply.address,
                   reply.prefix_bits != 0 ? reply.prefix_bits : classful_bits(reply.address)};
  if (!reply.routers.empty()) lease.gateway = reply.routers.front();
  lease.nameservers = reply.nameservers;
  lease.ntp_servers = reply.ntp_servers;
  lease.server = reply.server;
  wanted_ = reply.address;
  const bool changed = lease_ != lease;
  lease_ = std::move(lease);
  return {.send = std::nullopt, .changed = changed};
}

DhcpActions DhcpClient::on_message(BytesView bytes, MonotonicTime now, std::uint32_t random) {
  auto reply = decode_dhcp(bytes);
  if (!reply || state_ == State::idle || state_ == State::bound ||
      reply->transaction != transaction_ || reply->hardware_address != hardware_address_) {
    return {};
  }
  if (state_ == State::selecting) {
    if (reply->type != DhcpType::offer || reply->address.is_zero() || reply->server.is_zero()) {
      return {};
    }
    state_ = State::requesting;
    attempts_ = 0;
    wanted_ = reply->address;
    server_ = reply->server;
    return request(now, random);
  }
  if (reply->type == DhcpType::nak) return give_up(now);
  if (reply->type != DhcpType::ack || reply->address.is_zero()) return {};
  return accept(*reply, now);
}

DhcpActions DhcpClient::on_time(MonotonicTime now, std::uint32_t random) {
  if (!wake_ || now < *wake_) return {};
  if (lease_ && now >= expires_at_) {
    const bool unplugged = state_ == State::idle;
    DhcpActions actions = give_up(now);
    if (unplugged) wake_.reset();
    return actions;
  }
  switch (state_) {
    case State::idle:
    case State::selecting: return discover(now, random);
    case State::requesting:
      if (attempts_ < request_attempts_max) return request(now, random);
      if (!lease_) wanted_.reset();
      return discover(now, random);
    case State::bound:
      state_ = State::renewing;
      transaction_ = random;
      began_ = now;
      return extend(now);
    case State::renewing:
      if (now >= rebind_at_) state_ = State::rebinding;
      return extend(now);
    case State::rebinding: return extend(now);
  }
  return {};
}

}  // namespace tripod::boards
