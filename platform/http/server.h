#pragma once
// Server: HTTP/1.1 and HTTP/2 on the streams of one or more listeners, in front of one Handler. The
// version is chosen by ALPN, without TLS by the HTTP/2 preface. Enforces Limits.
//
//   Server server(executor, clock, handler, Limits{}, Logger(world.log, "http"), tls_accept);
//   server.listen(world.network, {"127.0.0.11", 6444});
//   co_await server.drain(world.clock.now() + 10s);  // before it dies
//
// Lives on the loop thread.

#include <functional>
#include <memory>
#include <vector>

#include "platform/base/log.h"
#include "platform/http/connection.h"
#include "platform/http/limits.h"
#include "platform/http/message.h"

namespace tripod::http {

/// Turns an accepted stream into a TLS session, offering "h2" and "http/1.1".
using TlsAccept =
    std::function<Task<Result<std::unique_ptr<os::Stream>>>(std::unique_ptr<os::Stream>)>;

class Server {
 public:
  /// Everything given outlives the server. Without `tls`, connections are plain.
  Server(os::Executor& executor, os::Clock& clock, Handler& handler, Limits limits, Logger log,
         TlsAccept tls = {});
  /// CHECKs that drain() has ended.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Accepts there until drained. The address that was bound, for port 0.
  Result<os::Address> listen(os::Network& network, const os::Address& address);
  /// Serves one connection, whoever accepted it.
  void accept(std::unique_ptr<os::Stream> stream);
  std::size_t connections() const { return connections_.size(); }

  /// Stops accepting, tells peers to go, waits for the requests under way; at `deadline` closes
  /// what is left.
  Task<void> drain(MonotonicTime deadline);

 private:
  struct Entry;

  Task<void> secure(std::unique_ptr<os::Stream> stream);
  void serve(std::unique_ptr<os::Stream> stream);
  std::unique_ptr<Protocol> choose(Entry& entry, ProtocolHost& host, BytesView start);
  void remove(Entry& entry);
  /// Closes connections that are past their limits and sets the timer for the next ones.
  void sweep();
  void arm(MonotonicTime when);
  MonotonicTime deadline_of(const Entry& entry) const;
  void enforce(Entry& entry);

  os::Executor& executor_;
  os::Clock& clock_;
  Handler& handler_;
  Limits limits_;
  Logger log_;
  TlsAccept tls_;
  std::vector<std::unique_ptr<os::Listener>> listeners_;
  Scope handshakes_;
  std::vector<std::unique_ptr<Entry>> connections_;
  std::unique_ptr<os::Operation> timer_;
  MonotonicTime timer_at_ = MonotonicTime::max();
  std::vector<os::Callback> when_empty_;
  bool draining_ = false;
};

}  // namespace tripod::http
