#pragma once
// Byte streams between addresses. A TLS session is a Stream on top of a Stream (platform/tls).
// Everything here lives on the loop thread; callbacks never come from within the call that asked
// for them.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/bytes.h"
#include "platform/base/result.h"
#include "platform/os/clock.h"

namespace tripod::os {

/// A numeric IP address (v4 or v6, without brackets) and a port.
struct Address {
  std::string ip;
  std::uint16_t port = 0;

  /// "127.0.0.11:2379", "[::1]:2379".
  std::string to_string() const;
  friend auto operator<=>(const Address&, const Address&) = default;
};

/// What the peer proved during a TLS handshake.
struct PeerCertificate {
  std::string common_name;
  std::vector<std::string> organizations;
  WallTime not_after;
};

/// Facts of a TLS session; a plain stream has none.
struct TlsInfo {
  std::string alpn;                                    // "h2", "http/1.1", or empty
  std::shared_ptr<const PeerCertificate> certificate;  // null when the peer showed none
};

/// Receives what happens on a stream. Owned by the stream's user; outlives the stream.
class StreamObserver {
 public:
  virtual ~StreamObserver() = default;
  /// `data` is borrowed for the call. The observer may destroy the stream from here only through
  /// Executor::post.
  virtual void on_data(BytesView data) = 0;
  /// queued_bytes() fell to zero after having been above it.
  virtual void on_drained() = 0;
  /// No more data comes; exactly once. `closed`: an orderly end by the peer, to whom queued bytes
  /// are still sent (on_drained may still come). Anything else: the stream is broken, and this is
  /// the last call.
  virtual void on_closed(Error reason) = 0;
};

/// An ordered, reliable byte stream. Destroying it closes it at once, without on_closed.
class Stream {
 public:
  virtual ~Stream() = default;
  /// Starts reading. Called once, before anything else.
  virtual void start(StreamObserver& observer) = 0;
  /// Queues bytes to send; never blocks. Look at queued_bytes() to bound what piles up.
  virtual void write(Bytes data) = 0;
  virtual std::size_t queued_bytes() const = 0;
  /// Sends what is queued, then tells the peer that no more comes.
  virtual void finish() = 0;
  /// false stops on_data until true; the peer is slowed down by flow control.
  virtual void set_reading(bool enabled) = 0;
  virtual Address remote() const = 0;
  virtual Address local() const = 0;
  /// Null for a stream without TLS.
  virtual const TlsInfo* tls() const { return nullptr; }
};

/// Accepts until destroyed.
class Listener {
 public:
  virtual ~Listener() = default;
  /// The bound address; the port is real when 0 was asked for.
  virtual Address address() const = 0;
};

class Network {
 public:
  using Accept = std::move_only_function<void(std::unique_ptr<Stream>)>;
  using Connected = std::move_only_function<void(Result<std::unique_ptr<Stream>>)>;
  using Resolved = std::move_only_function<void(Result<std::vector<std::string>>)>;

  virtual ~Network() = default;
  virtual Result<std::unique_ptr<Listener>> listen(const Address& address, Accept accept) = 0;
  /// Fails with refused, timeout, unavailable (no route) or io.
  [[nodiscard]] virtual std::unique_ptr<Operation> connect(const Address& address,
                                                           Connected done) = 0;
  /// Numeric addresses of a host name, in order of preference; a numeric name resolves to itself.
  [[nodiscard]] virtual std::unique_ptr<Operation> resolve(const std::string& host,
                                                           Resolved done) = 0;
};

/// "127.0.0.1:80", "[::1]:80". Host names are not addresses.
Result<Address> parse_address(std::string_view text);

}  // namespace tripod::os
