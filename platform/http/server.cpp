#include "platform/http/server.h"

#include "platform/async/sync.h"
#include "platform/http/v1/server.h"
#include "platform/http/v2/server.h"

namespace tripod::http {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view http2_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr Duration sweep_interval_min = 1s;  // time limits are this exact
constexpr Duration finishing_max = 5s;       // for the peer to close after our last word
constexpr Duration handshake_max = 10s;

}  // namespace

struct Server::Entry {
  Peer peer;
  std::string alpn;
  std::unique_ptr<Connection> connection;
  bool pinged = false;
  bool mute = false;  // its version has no pings
};

Server::Server(os::Executor& executor, os::Clock& clock, Handler& handler, Limits limits,
               Logger log, TlsAccept tls)
    : executor_(executor),
      clock_(clock),
      handler_(handler),
      limits_(limits),
      log_(std::move(log)),
      tls_(std::move(tls)),
      handshakes_(executor) {}

Server::~Server() {
  CHECK(connections_.empty(), "drain() a server before it dies");
}

Result<os::Address> Server::listen(os::Network& network, const os::Address& address) {
  auto listener = network.listen(address, [this](auto stream) { accept(std::move(stream)); });
  if (!listener) return std::unexpected(std::move(listener.error()));
  listeners_.push_back(std::move(*listener));
  return listeners_.back()->address();
}

void Server::accept(std::unique_ptr<os::Stream> stream) {
  if (draining_ || connections_.size() + handshakes_.running() >= limits_.connections_max) {
    log_.warn("connection refused", LogField("peer", stream->remote().to_string()),
              LogField("connections", connections_.size()));
    return;
  }
  if (tls_) {
    handshakes_.spawn(secure(std::move(stream)));
  } else {
    serve(std::move(stream));
  }
}

Task<void> Server::secure(std::unique_ptr<os::Stream> stream) {
  const std::string peer = stream->remote().to_string();
  auto session = co_await async::with_timeout(clock_, handshake_max, tls_(std::move(stream)));
  if (!session) {
    log_.debug("TLS handshake failed", LogField("peer", peer),
               LogField("error", session.error().to_string()));
    co_return;
  }
  if (!draining_) serve(std::move(*session));
}

void Server::serve(std::unique_ptr<os::Stream> stream) {
  auto entry = std::make_unique<Entry>();
  entry->peer.address = stream->remote();
  if (const os::TlsInfo* tls = stream->tls()) {
    entry->peer.certificate = tls->certificate;
    entry->alpn = tls->alpn;
  }
  Entry& kept = *entry;
  entry->connection = std::make_unique<Connection>(
      executor_, clock_, std::move(stream),
      [this, &kept](ProtocolHost& host, BytesView start) { return choose(kept, host, start); },
      [this, &kept] { remove(kept); });
  connections_.push_back(std::move(entry));
  kept.connection->start();
  arm(clock_.now() + limits_.header_timeout);
}

std::unique_ptr<Protocol> Server::choose(Entry& entry, ProtocolHost& host, BytesView start) {
  bool second = entry.alpn == "h2";
  if (entry.alpn.empty()) {
    if (start.empty()) return nullptr;
    second = http2_preface.starts_with(start.substr(0, http2_preface.size()));
    if (second && start.size() < http2_preface.size()) return nullptr;
  }
  if (second) {
    return std::make_unique<v2::ServerSession>(host, executor_, handler_, entry.peer, limits_);
  }
  return std::make_unique<v1::ServerSession>(host, executor_, handler_, entry.peer, limits_);
}

void Server::remove(Entry& entry) {
  std::erase_if(connections_, [&](const auto& kept) { return kept.get() == &entry; });
  if (!connections_.empty()) return;
  timer_.reset();
  timer_at_ = MonotonicTime::max();
  for (os::Callback& callback : std::exchange(when_empty_, {})) executor_.post(std::move(callback));
}

MonotonicTime Server::deadline_of(const Entry& entry) const {
  const Connection& connection = *entry.connection;
  if (connection.closing()) return connection.phase_since() + finishing_max;
  switch (connection.phase()) {
    case Phase::head: return connection.phase_since() + limits_.header_timeout;
    case Phase::body: return connection.phase_since() + limits_.body_timeout;
    case Phase::idle: return connection.phase_since() + limits_.idle_timeout;
    case Phase::busy:
      if (connection.stalled_since()) return *connection.stalled_since() + limits_.stall_timeout;
      if (entry.mute) return MonotonicTime::max();
      return connection.received_at() +
             (entry.pinged ? limits_.ping_interval + limits_.ping_timeout : limits_.ping_interval);
  }
  return MonotonicTime::max();
}

void Server::enforce(Entry& entry) {
  Connection& connection = *entry.connection;
  if (connection.closing()) return connection.abort({ErrorCode::closed, "the peer did not close"});
  if (connection.phase() != Phase::busy) return connection.time_out();
  if (connection.stalled_since()) {
    return connection.abort({ErrorCode::timeout, "the peer takes nothing"});
  }
  if (entry.pinged) return connection.abort({ErrorCode::timeout, "the peer does not answer"});
  entry.pinged = connection.protocol()->ping();
  entry.mute = !entry.pinged;
}

void Server::sweep() {
  timer_at_ = MonotonicTime::max();
  const MonotonicTime now = clock_.now();
  MonotonicTime next = now + limits_.header_timeout;  // a head may begin at any time
  for (const auto& entry : connections_) {
    if (entry->connection->received_at() + limits_.ping_interval > now) entry->pinged = false;
    if (deadline_of(*entry) <= now) enforce(*entry);
    next = std::min(next, std::max(deadline_of(*entry), now + sweep_interval_min));
  }
  if (!connections_.empty()) arm(next);
}

void Server::arm(MonotonicTime when) {
  if (when >= timer_at_) return;
  timer_at_ = when;
  timer_ = clock_.call_at(when, [this] { sweep(); });
}

Task<void> Server::drain(MonotonicTime deadline) {
  draining_ = true;
  listeners_.clear();
  handshakes_.cancel();
  co_await handshakes_.join();
  for (const auto& entry : connections_) entry->connection->drain();
  if (connections_.empty()) co_return;
  async::Oneshot<void> emptied;
  when_empty_.push_back([emptied]() mutable { emptied.set(); });
  auto alarm = clock_.call_at(deadline, [this] {
    for (const auto& entry : connections_) {
      entry->connection->abort({ErrorCode::closed, "the server stops"});
    }
  });
  co_await emptied.uncancellable();
}

}  // namespace tripod::http
