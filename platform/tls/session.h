#pragma once
// One TLS session; inside platform/tls only. Between begin() and the end of handshake() the mbedTLS
// context, `unread_` and `output_` belong to the crypto lane while a step runs there, and to the
// loop thread otherwise.

#include <mbedtls/ssl.h>

#include "platform/async/sync.h"
#include "platform/os/board.h"
#include "platform/os/network.h"
#include "platform/tls/context.h"
#include "platform/tls/peer.h"

namespace tripod::tls {

class Session final : public os::Stream, os::StreamObserver {
 public:
  Session(os::World world, std::shared_ptr<const Context> context,
          std::unique_ptr<os::Stream> lower, std::string server_name);
  ~Session() override;

  Task<Result<>> handshake();
  /// After a failed handshake: sends the alert and waits for the peer to leave.
  Task<void> close_politely();

  void start(os::StreamObserver& observer) override;
  void write(Bytes data) override;
  std::size_t queued_bytes() const override { return lower_->queued_bytes(); }
  void finish() override;
  void set_reading(bool enabled) override;
  os::Address remote() const override { return lower_->remote(); }
  os::Address local() const override { return lower_->local(); }
  const os::TlsInfo* tls() const override { return &info_; }

 private:
  void on_data(BytesView data) override;
  void on_drained() override;
  void on_closed(Error reason) override;

  int pull(unsigned char* out, std::size_t size);
  void keep_unread();
  void send_output();

  Result<> set_up();
  Task<Result<>> wait_for_input();
  std::uint32_t verify_peer();
  Result<> take_peer(std::uint32_t flags);
  Error handshake_error(int code) const;
  Error peer_error(std::uint32_t flags) const;

  void decrypt_soon();
  void decrypt();
  bool take_plain(int code);
  void fail_with(int code);
  void end(Error reason);

  os::World world_;
  std::shared_ptr<const Context> context_;
  std::unique_ptr<os::Stream> lower_;
  std::string server_name_;
  mbedtls_ssl_context ssl_;
  os::TlsInfo info_;
  ChainDates dates_;

  Bytes arrived_;     // during the handshake: from the peer, not yet given to mbedTLS
  Bytes input_;       // owns what is left of unread_ between calls
  BytesView unread_;  // what mbedTLS reads next
  Bytes output_;      // from mbedTLS, not yet sent
  async::Signal arrival_;
  std::optional<Error> lower_ended_;

  os::StreamObserver* observer_ = nullptr;
  std::optional<Error> broken_;  // to be told by on_closed
  bool established_ = false;
  bool reading_ = true;
  bool ended_ = false;  // on_closed was called
  bool decrypt_posted_ = false;
  std::shared_ptr<Session*> self_;  // emptied by the destructor, for callbacks that come later
};

}  // namespace tripod::tls
