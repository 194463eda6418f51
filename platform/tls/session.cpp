#include "platform/tls/session.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <format>

#include "platform/base/check.h"
#include "platform/tls/context_state.h"
#include "platform/tls/stream.h"

namespace tripod::tls {
namespace {

constexpr std::size_t record_bytes_max = 16 * 1024;
constexpr std::size_t arrived_bytes_max = 64 * 1024;  // then the peer waits for the handshake
constexpr std::uint32_t no_verify_result = 0xffffffff;

}  // namespace

Session::Session(os::World world, std::shared_ptr<const Context> context,
                 std::unique_ptr<os::Stream> lower, std::string server_name)
    : world_(world),
      context_(std::move(context)),
      lower_(std::move(lower)),
      server_name_(std::move(server_name)),
      self_(std::make_shared<Session*>(this)) {
  mbedtls_ssl_init(&ssl_);
}

Session::~Session() {
  *self_ = nullptr;
  mbedtls_ssl_free(&ssl_);
}

Result<> Session::set_up() {
  int code = mbedtls_ssl_setup(&ssl_, &context_->state().config);
  if (code == 0 && context_->side() == Context::Side::client) {
    code = mbedtls_ssl_set_hostname(&ssl_, server_name_.c_str());
  }
  if (code != 0) return std::unexpected(mbedtls_error(code, "starting TLS"));
  mbedtls_ssl_set_verify(&ssl_, note_dates, &dates_);
  mbedtls_ssl_set_bio(
      &ssl_, this,
      [](void* session, const unsigned char* data, std::size_t size) {
        static_cast<Session*>(session)->output_.append(reinterpret_cast<const char*>(data), size);
        return static_cast<int>(size);
      },
      [](void* session, unsigned char* out, std::size_t size) {
        return static_cast<Session*>(session)->pull(out, size);
      },
      nullptr);
  return {};
}

int Session::pull(unsigned char* out, std::size_t size) {
  std::size_t have = std::min(size, unread_.size());
  if (have == 0) return MBEDTLS_ERR_SSL_WANT_READ;
  std::memcpy(out, unread_.data(), have);
  unread_.remove_prefix(have);
  return static_cast<int>(have);
}

void Session::keep_unread() {
  Bytes(unread_).swap(input_);  // idle sessions keep no buffer
  unread_ = input_;
}

void Session::send_output() {
  if (!output_.empty()) lower_->write(std::exchange(output_, {}));
}

// The handshake.

Task<Result<>> Session::handshake() {
  lower_->start(*this);
  // A peer that says nothing costs no buffers and no turn of the lane.
  if (context_->side() == Context::Side::server) {
    if (auto first = co_await wait_for_input(); !first) co_return first;
  }
  if (auto ready = set_up(); !ready) co_return ready;
  std::size_t taken = 0;
  while (true) {
    input_ += std::exchange(arrived_, {});
    unread_ = input_;
    int code =
        co_await async::run_on(world_.crypto_lane, [this] { return mbedtls_ssl_handshake(&ssl_); });
    taken += input_.size() - unread_.size();
    keep_unread();
    send_output();
    if (code == 0) break;
    if (code != MBEDTLS_ERR_SSL_WANT_READ) co_return std::unexpected(handshake_error(code));
    if (taken > handshake_bytes_max) {
      co_return fail(ErrorCode::too_large, std::format("TLS handshake with {}: more than {} bytes",
                                                       remote().to_string(), handshake_bytes_max));
    }
    if (auto more = co_await wait_for_input(); !more) co_return more;
  }
  co_return take_peer(co_await async::run_on(world_.crypto_lane, [this] { return verify_peer(); }));
}

Task<Result<>> Session::wait_for_input() {
  while (arrived_.empty()) {
    lower_->set_reading(true);
    if (lower_ended_) {
      co_return wrap(std::format("TLS handshake with {}", remote().to_string()), *lower_ended_);
    }
    if (auto woken = co_await arrival_.wait(); !woken) co_return std::unexpected(woken.error());
  }
  co_return Result<>{};
}

Task<void> Session::close_politely() {
  lower_->finish();
  lower_->set_reading(true);
  while (!lower_ended_) {
    arrived_.clear();
    if (!co_await arrival_.wait()) co_return;
  }
}

Error Session::handshake_error(int code) const {
  std::string peer = remote().to_string();
  std::uint32_t flags = mbedtls_ssl_get_verify_result(&ssl_);
  bool verified_badly =
      code == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED || code == MBEDTLS_ERR_SSL_BAD_CERTIFICATE;
  if (verified_badly && flags != 0 && flags != no_verify_result) return peer_error(flags);
  if (code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
    return {ErrorCode::denied,
            std::format("{} refused the TLS session: {}", peer, describe_alert(ssl_))};
  }
  return mbedtls_error(code, std::format("TLS handshake with {}", peer));
}

/// What is wrong with the peer's certificate, or with its having none.
Error Session::peer_error(std::uint32_t flags) const {
  std::string peer = remote().to_string();
  if ((flags & MBEDTLS_X509_BADCERT_MISSING) != 0) {
    return {ErrorCode::denied, std::format("{} showed no certificate", peer)};
  }
  return {ErrorCode::denied, std::format("certificate of {} {}", peer,
                                         describe_verification(flags, dates_, server_name_))};
}

/// What is wrong with the peer's certificate, after the handshake. On the crypto lane.
std::uint32_t Session::verify_peer() {
  // The library's functions take what they do not change as if they did.
  auto* chain = const_cast<mbedtls_x509_crt*>(mbedtls_ssl_get_peer_cert(&ssl_));
  if (chain == nullptr) return MBEDTLS_X509_BADCERT_MISSING;
  std::uint32_t flags = mbedtls_ssl_get_verify_result(&ssl_);
  if (context_->side() == Context::Side::client) return flags;
  if (context_->options().peers == PeerCertificates::none) return flags;
  // The handshake looked at what the certificate is for, and knew no authority.
  Context::State& state = context_->state();
  flags &= ~std::uint32_t{MBEDTLS_X509_BADCERT_NOT_TRUSTED};
  return flags | state.clients.verify(*chain, state.authority, dates_);
}

/// The handshake is done; decides whether the peer is good enough. `flags` as of verify_peer().
Result<> Session::take_peer(std::uint32_t flags) {
  const mbedtls_x509_crt* certificate = mbedtls_ssl_get_peer_cert(&ssl_);
  PeerCertificates wanted = context_->options().peers;
  bool required = wanted == PeerCertificates::required ||
                  (context_->side() == Context::Side::client && wanted != PeerCertificates::none);
  if (required && flags != 0) {
    mbedtls_ssl_send_alert_message(&ssl_, MBEDTLS_SSL_ALERT_LEVEL_FATAL, alert_for(flags));
    send_output();
    return std::unexpected(peer_error(flags));
  }
  established_ = true;
  if (const char* alpn = mbedtls_ssl_get_alpn_protocol(&ssl_)) info_.alpn = alpn;
  if (certificate == nullptr || wanted == PeerCertificates::none) return {};
  if (flags == 0) {
    info_.certificate = describe_certificate(*certificate);
  } else {  // it proves nothing
    Logger(world_.log, "tls")
        .info("certificate does not count", LogField("reason", peer_error(flags).message));
  }
  return {};
}

// The session.

void Session::start(os::StreamObserver& observer) {
  CHECK(established_ && observer_ == nullptr);
  observer_ = &observer;
  decrypt_soon();
}

void Session::write(Bytes data) {
  BytesView rest = data;
  while (!rest.empty() && established_ && !broken_) {
    std::size_t size = std::min(rest.size(), record_bytes_max);
    int written =
        mbedtls_ssl_write(&ssl_, reinterpret_cast<const unsigned char*>(rest.data()), size);
    if (written <= 0) {
      fail_with(written);
      decrypt_soon();
      break;
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  send_output();
}

void Session::finish() {
  mbedtls_ssl_close_notify(&ssl_);
  send_output();
  lower_->finish();
}

void Session::set_reading(bool enabled) {
  reading_ = enabled;
  lower_->set_reading(enabled);
  if (enabled) decrypt_soon();
}

void Session::on_data(BytesView data) {
  if (ended_) return;  // a peer that talks on after its goodbye
  if (observer_ == nullptr) {
    arrived_ += data;
    if (arrived_.size() > arrived_bytes_max) lower_->set_reading(false);
    arrival_.notify();
    return;
  }
  if (arrived_.empty() && input_.empty()) {
    unread_ = data;  // borrowed for this call; what is left of it is kept
  } else {
    arrived_ += data;
  }
  decrypt();
}

void Session::on_drained() {
  if (observer_ != nullptr) observer_->on_drained();
}

void Session::on_closed(Error reason) {
  lower_ended_ = std::move(reason);
  if (observer_ == nullptr) {
    arrival_.notify();
    return;
  }
  // An orderly end comes after the data before it. A broken stream is told at once, for whoever
  // waits for it to drain waits in vain.
  if (!(*lower_ended_ == ErrorCode::closed)) {
    if (ended_) return observer_->on_drained();  // nobody will take it any more
    broken_ = *lower_ended_;
  }
  decrypt_soon();
}

void Session::decrypt_soon() {
  if (decrypt_posted_) return;
  decrypt_posted_ = true;
  world_.executor.post([self = self_] {
    if (*self == nullptr) return;
    (*self)->decrypt_posted_ = false;
    (*self)->decrypt();
  });
}

void Session::decrypt() {
  if (observer_ == nullptr || ended_) return;
  auto self = self_;
  if (!arrived_.empty()) {
    input_ += std::exchange(arrived_, {});
    unread_ = input_;
  }
  std::array<unsigned char, record_bytes_max> plain;
  while (reading_ && !ended_ && !broken_) {
    int size = mbedtls_ssl_read(&ssl_, plain.data(), plain.size());
    if (size > 0) {
      observer_->on_data(
          BytesView(reinterpret_cast<const char*>(plain.data()), static_cast<std::size_t>(size)));
      if (*self == nullptr) return;
    } else if (!take_plain(size)) {
      break;
    }
  }
  keep_unread();
  send_output();  // alerts
  if (broken_) {
    end(*broken_);
  } else if (reading_ && lower_ended_) {
    end(*lower_ended_);
  } else if (!ended_) {
    lower_->set_reading(reading_);
  }
}

/// What mbedTLS says when it gives no data; true to go on reading.
bool Session::take_plain(int code) {
  switch (code) {
    case MBEDTLS_ERR_SSL_WANT_READ:
    case MBEDTLS_ERR_SSL_WANT_WRITE: return false;
    case MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET: return true;
    case 0:
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
      end({ErrorCode::closed, "the peer closed the session"});
      return false;
    default: fail_with(code); return false;
  }
}

void Session::fail_with(int code) {
  std::string peer = remote().to_string();
  if (code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
    broken_ = Error{ErrorCode::denied,
                    std::format("{} refused the TLS session: {}", peer, describe_alert(ssl_))};
  } else {
    broken_ = mbedtls_error(code, std::format("TLS session with {}", peer));
    broken_->code = ErrorCode::io;
  }
}

void Session::end(Error reason) {
  if (ended_) return;
  ended_ = true;
  observer_->on_closed(std::move(reason));
}

}  // namespace tripod::tls
