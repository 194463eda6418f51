#pragma once
// NetworkTransport: calls to one server over the network. With TLS it speaks what ALPN gave, HTTP/2
// by preference; one HTTP/2 connection carries all calls, or as many HTTP/1.1 ones as calls are
// under way, up to a bound. Connections are made when needed, kept while useful, pinged while busy
// and silent, and replaced when they fail. A call that fails is the caller's to repeat.
//
// Lives on the loop thread.

#include <functional>
#include <memory>
#include <vector>

#include "platform/async/sync.h"
#include "platform/http/client_protocol.h"
#include "platform/http/connection.h"
#include "platform/http/limits.h"
#include "platform/http/message.h"

namespace tripod::http {

/// Makes a TLS session as a client on a connected stream, offering "h2" and "http/1.1".
using TlsConnect =
    std::function<Task<Result<std::unique_ptr<os::Stream>>>(std::unique_ptr<os::Stream>)>;

struct NetworkOptions {
  std::string host;  // a name or a numeric address
  std::uint16_t port = 0;
  TlsConnect tls;                                   // plain without
  bool http2_without_tls = false;                   // by prior knowledge; else HTTP/1.1
  std::size_t connections_max = 8;                  // of HTTP/1.1
  std::chrono::milliseconds connect_timeout{5000};  // TCP and TLS
  std::chrono::seconds idle_timeout{90};
  std::chrono::seconds ping_interval{30};
  std::chrono::seconds ping_timeout{15};
  Limits limits;
};

class NetworkTransport final : public Transport {
 public:
  /// Everything given outlives the transport.
  NetworkTransport(os::Executor& executor, os::Clock& clock, os::Network& network,
                   NetworkOptions options);
  /// CHECKs that nothing is left: await drain() first.
  ~NetworkTransport() override;

  /// An empty `head.authority` becomes host:port. Fails with what connecting failed with.
  Task<Result<std::unique_ptr<Call>>> open(RequestHead head, std::optional<Bytes> body) override;
  /// Asks whether the server is still there (an HTTP/2 ping on each busy connection, at most one in
  /// five seconds): a connection on which nothing comes within `limit` is closed, and what is under
  /// way on it fails with `timeout`.
  void probe(Duration limit);
  /// Closes all connections; what is under way fails with `closed`.
  Task<void> drain();
  std::size_t connections() const { return entries_.size(); }

 private:
  struct Entry;

  ClientProtocol* pick() const;
  bool may_connect() const;
  Task<void> connect();
  Task<Result<std::unique_ptr<os::Stream>>> connect_stream();
  void adopt(std::unique_ptr<os::Stream> stream);
  std::unique_ptr<Protocol> make_protocol(Entry& entry, ProtocolHost& host, bool second);
  void remove(Entry& entry);
  void wake_all(const Result<>& outcome);
  void sweep();
  void arm();

  os::Executor& executor_;
  os::Clock& clock_;
  os::Network& network_;
  NetworkOptions options_;
  std::string authority_;
  Scope connecting_;
  std::vector<std::unique_ptr<Entry>> entries_;
  std::vector<async::Oneshot<void>> waiters_;
  std::unique_ptr<os::Operation> timer_;
  std::vector<os::Callback> when_empty_;
  bool first_version_ = false;  // the server spoke HTTP/1.1
  bool stopped_ = false;
};

}  // namespace tripod::http
