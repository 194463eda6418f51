#include "platform/http/network_transport.h"

#include "platform/http/v1/client.h"
#include "platform/http/v2/client.h"

namespace tripod::http {
namespace {

using namespace std::chrono_literals;

constexpr Duration finishing_max = 2s;  // for the peer to close after our last word
constexpr Duration probe_pace = 5s;     // what gRPC servers tolerate of pings (etcd's default)

}  // namespace

struct NetworkTransport::Entry {
  std::unique_ptr<Connection> connection;
  ClientProtocol* client = nullptr;  // the connection's protocol
  bool pinged = false;
  std::optional<MonotonicTime> probed_at;
  std::unique_ptr<os::Operation> probe;  // its time limit
};

NetworkTransport::NetworkTransport(os::Executor& executor, os::Clock& clock, os::Network& network,
                                   NetworkOptions options)
    : executor_(executor),
      clock_(clock),
      network_(network),
      options_(std::move(options)),
      authority_(os::Address{options_.host, options_.port}.to_string()),
      connecting_(executor) {}

NetworkTransport::~NetworkTransport() {
  CHECK(entries_.empty() && connecting_.idle(), "drain() a transport before it dies");
}

Task<Result<std::unique_ptr<Call>>> NetworkTransport::open(RequestHead head,
                                                           std::optional<Bytes> body) {
  if (head.authority.empty()) head.authority = authority_;
  while (true) {
    if (stopped_) co_return fail(ErrorCode::closed, "the transport stops");
    if (ClientProtocol* client = pick()) {
      auto stream =
          std::make_unique<ClientStream>(std::move(head), std::move(body), options_.limits);
      client->open(*stream);
      co_return stream;
    }
    async::Oneshot<void> changed;
    std::erase_if(waiters_, [](const auto& waiter) { return waiter.done(); });
    waiters_.push_back(changed);
    if (may_connect()) connecting_.spawn(connect());
    if (auto woken = co_await changed; !woken) co_return std::unexpected(std::move(woken.error()));
  }
}

ClientProtocol* NetworkTransport::pick() const {
  for (const auto& entry : entries_) {
    if (!entry->connection->closing() && entry->client->can_open()) return entry->client;
  }
  return nullptr;
}

bool NetworkTransport::may_connect() const {
  // HTTP/1.1 takes a connection per call under way; HTTP/2 takes one, and another one while the
  // last one goes away.
  if (first_version_) return entries_.size() + connecting_.running() < options_.connections_max;
  const auto usable =
      std::ranges::count_if(entries_, [](const auto& entry) { return entry->client->usable(); });
  return usable == 0 && connecting_.idle();
}

Task<void> NetworkTransport::connect() {
  auto stream = co_await async::with_timeout(clock_, options_.connect_timeout, connect_stream());
  if (stream && !stopped_) {
    adopt(std::move(*stream));
    wake_all({});
  } else if (stream) {
    wake_all(fail(ErrorCode::closed, "the transport stops"));
  } else if (stream.error() == ErrorCode::timeout) {
    wake_all(fail(ErrorCode::timeout, std::format("connecting to {}: timed out after {}",
                                                  authority_, options_.connect_timeout)));
  } else {
    wake_all(std::unexpected(std::move(stream.error())));
  }
}

Task<Result<std::unique_ptr<os::Stream>>> NetworkTransport::connect_stream() {
  auto addresses = co_await async::resolve(network_, options_.host);
  if (!addresses) co_return std::unexpected(std::move(addresses.error()));
  Error last{ErrorCode::unavailable, "the name has no address"};
  for (const std::string& ip : *addresses) {
    auto stream = co_await async::connect(network_, {ip, options_.port});
    if (stream && options_.tls) {
      stream = co_await options_.tls(std::move(*stream));
      if (!stream) stream = wrap(std::format("TLS with {}", authority_), std::move(stream.error()));
    }
    if (stream) co_return stream;
    last = std::move(stream.error());
    if (last == ErrorCode::cancelled) break;
  }
  co_return std::unexpected(std::move(last));
}

void NetworkTransport::adopt(std::unique_ptr<os::Stream> stream) {
  const os::TlsInfo* tls = stream->tls();
  const bool second = tls != nullptr ? tls->alpn == "h2" : options_.http2_without_tls;
  first_version_ = !second;
  entries_.push_back(std::make_unique<Entry>());
  Entry& entry = *entries_.back();
  entry.connection = std::make_unique<Connection>(
      executor_, clock_, std::move(stream),
      [this, &entry, second](ProtocolHost& host, BytesView) {
        return make_protocol(entry, host, second);
      },
      [this, &entry] { remove(entry); });
  entry.connection->start();
  if (!timer_) arm();
}

std::unique_ptr<Protocol> NetworkTransport::make_protocol(Entry& entry, ProtocolHost& host,
                                                          bool second) {
  auto changed = [this] { wake_all({}); };
  if (second) {
    auto session = std::make_unique<v2::ClientSession>(host, options_.limits,
                                                       options_.tls ? "https" : "http", changed);
    entry.client = session.get();
    return session;
  }
  auto session = std::make_unique<v1::ClientSession>(host, options_.limits, changed);
  entry.client = session.get();
  return session;
}

void NetworkTransport::remove(Entry& entry) {
  std::erase_if(entries_, [&](const auto& kept) { return kept.get() == &entry; });
  wake_all({});
  if (!entries_.empty()) return;
  timer_.reset();
  for (os::Callback& callback : std::exchange(when_empty_, {})) executor_.post(std::move(callback));
}

void NetworkTransport::wake_all(const Result<>& outcome) {
  for (auto& waiter : std::exchange(waiters_, {})) waiter.set(outcome);
}

void NetworkTransport::arm() {
  const Duration interval = std::min<Duration>(options_.ping_timeout, options_.idle_timeout);
  timer_ = clock_.call_at(clock_.now() + interval, [this] { sweep(); });
}

void NetworkTransport::sweep() {
  const MonotonicTime now = clock_.now();
  for (const auto& entry : entries_) {
    Connection& connection = *entry->connection;
    const Duration silent = now - connection.received_at();
    if (silent < options_.ping_interval) entry->pinged = false;
    if (connection.closing()) {
      if (now - connection.phase_since() > finishing_max) {
        connection.abort({ErrorCode::closed, "connection closed"});
      }
    } else if (entry->client->active() == 0) {
      if (now - connection.phase_since() >= options_.idle_timeout) connection.time_out();
    } else if (entry->pinged && silent >= options_.ping_interval + options_.ping_timeout) {
      connection.abort({ErrorCode::timeout, "the server does not answer"});
    } else if (!entry->pinged && silent >= options_.ping_interval) {
      entry->pinged = connection.protocol()->ping();
    }
  }
  arm();
}

void NetworkTransport::probe(Duration limit) {
  const MonotonicTime now = clock_.now();
  for (const auto& entry : entries_) {
    if (entry->connection->closing() || entry->client->active() == 0) continue;
    if (entry->probed_at && now - *entry->probed_at < probe_pace) continue;
    if (!entry->connection->protocol()->ping()) continue;
    entry->probed_at = now;
    entry->probe = clock_.call_at(now + limit, [&connection = *entry->connection, now] {
      if (connection.received_at() >= now) return;
      connection.abort({ErrorCode::timeout, "the server does not answer"});
    });
  }
}

Task<void> NetworkTransport::drain() {
  stopped_ = true;
  connecting_.cancel();
  wake_all(fail(ErrorCode::closed, "the transport stops"));
  co_await connecting_.join();
  if (entries_.empty()) co_return;
  for (const auto& entry : entries_) {
    entry->connection->abort({ErrorCode::closed, "the transport stops"});
  }
  async::Oneshot<void> emptied;
  when_empty_.push_back([emptied]() mutable { emptied.set(); });
  co_await emptied.uncancellable();
}

}  // namespace tripod::http
