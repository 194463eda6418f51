#include "firmware/etcd/peer/transport.h"

#include <format>

#include "firmware/etcd/api/wire.h"
#include "platform/async/sync.h"

namespace tripod::etcd::peer {
namespace {

constexpr std::uint64_t protocol_version = 1;

std::string hex(std::uint64_t id) {
  return std::format("{:x}", id);
}

Bytes with_id(std::uint64_t id, BytesView rest) {
  Bytes out;
  out.reserve(8 + rest.size());
  for (unsigned shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>(id >> shift));
  return out.append(rest);
}

std::uint64_t id_of(BytesView frame) {
  std::uint64_t id = 0;
  for (unsigned i = 0; i < 8; ++i)
    id |= std::uint64_t{static_cast<std::uint8_t>(frame[i])} << (8 * i);
  return id;
}

struct Hello {
  std::uint64_t version = 0;
  ClusterId cluster = 0;
  MemberId from = 0;
  MemberId to = 0;
};

Result<Hello> read_hello(BytesView payload) {
  Hello hello;
  wire::Reader reader(payload);
  wire::Field field;
  while (reader.next(field)) {
    if (field.number == 1) hello.version = field.value;
    if (field.number == 2) hello.cluster = field.value;
    if (field.number == 3) hello.from = field.value;
    if (field.number == 4) hello.to = field.value;
  }
  if (!reader.ok()) return fail(ErrorCode::corrupt, "malformed hello");
  return hello;
}

}  // namespace

/// The connection that this member dials to one other.
struct Transport::Outgoing {
  Peer peer;
  std::shared_ptr<Link> link;  // null while not connected
  async::Oneshot<void> greeted;
  std::map<std::uint64_t, async::Oneshot<Bytes>> calls;
  MonotonicTime heard_at;
  MonotonicTime pinged_at;
  std::uint64_t sent_counted = 0;
  std::string last_trouble;  // logged once, until it changes
  MonotonicTime connected_at;
  bool leaving = false;
  std::unique_ptr<Scope> scope;  // dials in it
  metrics::Counter* sent_bytes = nullptr;
  metrics::Counter* failures = nullptr;
  metrics::Gauge* active = nullptr;
  metrics::Histogram* round_trip = nullptr;
};

/// A connection that another member dialled.
struct Transport::Incoming {
  MemberId from = 0;  // 0 until it said hello
  MonotonicTime heard_at;
  std::size_t answering = 0;
  metrics::Counter* received_bytes = nullptr;
};

Transport::Transport(const os::World& world, Setup setup, Receiver& receiver,
                     metrics::Registry& metrics)
    : world_(world),
      setup_(std::move(setup)),
      receiver_(receiver),
      metrics_(metrics),
      log_(world.log, "etcd.peer"),
      scope_(world.executor) {
  for (const Peer& peer : setup_.peers) add(peer);
}

void Transport::add(const Peer& peer) {
  const std::string self = hex(setup_.self);
  std::vector<double> bounds;
  for (double bound = 0.0001; bounds.size() < 16; bound *= 2) bounds.push_back(bound);
  auto out = std::make_unique<Outgoing>();
  const std::string to = hex(peer.id);
  out->peer = peer;
  out->scope = std::make_unique<Scope>(world_.executor);
  out->sent_bytes = &metrics_.counter("etcd_network_peer_sent_bytes_total",
                                      "The total number of bytes sent to peers.", {{"To", to}});
  out->failures = &metrics_.counter("etcd_network_peer_sent_failures_total",
                                    "The total number of send failures from peers.", {{"To", to}});
  out->active =
      &metrics_.gauge("etcd_network_active_peers", "The current number of active peer connections.",
                      {{"Local", self}, {"Remote", to}});
  out->round_trip =
      &metrics_.histogram("etcd_network_peer_round_trip_time_seconds",
                          "Round-Trip-Time histogram between peers", bounds, {{"To", to}});
  Outgoing& added = *outgoing_.emplace(peer.id, std::move(out)).first->second;
  if (started_ && !stopping_) added.scope->spawn(dial(&added));
}

void Transport::set_peers(const std::vector<Peer>& peers) {
  for (const Peer& peer : peers) {
    const auto found = outgoing_.find(peer.id);
    if (found == outgoing_.end()) {
      add(peer);
    } else if (found->second->peer.addresses != peer.addresses) {
      found->second->peer.addresses = peer.addresses;
      if (auto link = found->second->link) link->close({ErrorCode::closed, "the peer moves"});
    }
  }
  for (const auto& [id, out] : outgoing_) {
    if (std::ranges::contains(peers, id, &Peer::id) || std::exchange(out->leaving, true)) continue;
    if (started_ && !stopping_) scope_.spawn(let_go(id));
  }
}

Task<void> Transport::let_go(MemberId id) {
  // A cancelled sleep means that everything stops: stop() ends the dialling.
  if (!co_await async::sleep_for(world_.clock, farewell)) co_return;
  auto node = outgoing_.extract(id);
  const std::unique_ptr<Outgoing> gone = std::move(node.mapped());
  log_.info("let go of a member that was removed", LogField("peer", hex(id)));
  if (gone->link) gone->link->close({ErrorCode::closed, "the member was removed"});
  close_incoming(id);
  gone->scope->cancel();
  co_await gone->scope->join();
}

void Transport::close_incoming(MemberId from) {
  const auto [first, last] = greeted_.equal_range(from);
  for (auto one = first; one != last; ++one) {
    if (auto link = one->second.lock()) {
      link->send(FrameType::removed, {}, true);
      link->finish();
    }
  }
  greeted_.erase(first, last);
}

Transport::~Transport() {
  CHECK(scope_.idle(), "stop() first");
}

Result<> Transport::listen(const os::Address& address) {
  auto listener = world_.network.listen(address, [this](std::unique_ptr<os::Stream> stream) {
    if (stopping_ || incoming_ >= incoming_max) return;
    scope_.spawn(secure_and_serve(std::move(stream)));
  });
  if (!listener) return wrap("listening for peers on " + address.to_string(), listener.error());
  listeners_.push_back(std::move(*listener));
  return {};
}

void Transport::start() {
  started_ = true;
  for (auto& [id, peer] : outgoing_) peer->scope->spawn(dial(peer.get()));
}

Task<void> Transport::stop() {
  stopping_ = true;
  listeners_.clear();
  scope_.cancel();
  for (auto& [id, peer] : outgoing_) peer->scope->cancel();
  co_await scope_.join();
  for (auto& [id, peer] : outgoing_) co_await peer->scope->join();
}

std::optional<MonotonicTime> Transport::connected_since(MemberId to) const {
  const auto found = outgoing_.find(to);
  if (found == outgoing_.end() || found->second->link == nullptr) return std::nullopt;
  return found->second->connected_at;
}

bool Transport::connected(MemberId to) const {
  const auto found = outgoing_.find(to);
  return found != outgoing_.end() && found->second->link != nullptr;
}

std::size_t Transport::connected_count() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      outgoing_, [](const auto& entry) { return entry.second->link != nullptr; }));
}

bool Transport::send(MemberId to, Bytes message, bool urgent) {
  const auto found = outgoing_.find(to);
  if (found == outgoing_.end()) return false;
  Outgoing& peer = *found->second;
  if (peer.link == nullptr || !peer.link->send(FrameType::message, std::move(message), urgent)) {
    peer.failures->add();
    return false;
  }
  return true;
}

Task<Result<Bytes>> Transport::call(MemberId to, Bytes request) {
  const auto found = outgoing_.find(to);
  if (found == outgoing_.end() || found->second->link == nullptr) {
    co_return fail(ErrorCode::unavailable, std::format("member {:x} is not connected", to));
  }
  Outgoing& peer = *found->second;
  if (peer.calls.size() >= calls_max)
    co_return fail(ErrorCode::exhausted, "too many calls to a peer");
  const std::uint64_t id = next_call_++;
  async::Oneshot<Bytes> answer;
  peer.calls.emplace(id, answer);
  if (!peer.link->send(FrameType::request, with_id(id, request), true)) {
    peer.calls.erase(id);
    co_return fail(ErrorCode::unavailable, "no room on the connection to a peer");
  }
  auto result = co_await answer;
  if (const auto still = outgoing_.find(to); still != outgoing_.end()) {
    still->second->calls.erase(id);
  }
  co_return result;
}

void Transport::fail_calls(Outgoing& peer) {
  for (auto& [id, call] : std::exchange(peer.calls, {})) {
    call.fail({ErrorCode::unavailable, "the connection to a peer broke"});
  }
}

// --- who is there ---

Bytes Transport::hello(MemberId to) const {
  Bytes out;
  wire::append_number(out, 1, protocol_version);
  wire::append_number(out, 2, setup_.cluster);
  wire::append_number(out, 3, setup_.self);
  wire::append_number(out, 4, to);
  return out;
}

Result<MemberId> Transport::check_hello(BytesView payload) const {
  auto hello = read_hello(payload);
  if (!hello) return std::unexpected(hello.error());
  if (hello->version != protocol_version) {
    return fail(ErrorCode::unsupported, std::format("peer protocol version {}", hello->version));
  }
  if (hello->cluster != setup_.cluster) {
    return fail(
        ErrorCode::denied,
        std::format("cluster ID mismatch: member {:x} belongs to cluster {:x}, this one to {:x}",
                    hello->from, hello->cluster, setup_.cluster));
  }
  if (hello->to != setup_.self) {
    return fail(ErrorCode::denied,
                std::format("member {:x} expected member {:x} here, this is {:x}", hello->from,
                            hello->to, setup_.self));
  }
  const auto known = outgoing_.find(hello->from);
  if (known == outgoing_.end() || known->second->leaving) {
    return fail(ErrorCode::denied, std::format("member {:x} is not of this cluster", hello->from));
  }
  return hello->from;
}

// --- dialling ---

Task<void> Transport::dial(Outgoing* peer) {
  Duration backoff = backoff_min;
  for (std::size_t attempt = 0; !stopping_ && !peer->scope->cancelled(); ++attempt) {
    const os::Address address = peer->peer.addresses[attempt % peer->peer.addresses.size()];
    auto link = co_await async::with_timeout(world_.clock, connect_limit, open(address, peer));
    if (link) {
      backoff = backoff_min;
      peer->last_trouble.clear();
      auto ended = co_await converse(*link, peer);
      if (!stopping_) {
        log_.warn("lost a peer", LogField("peer", hex(peer->peer.id)),
                  LogField("reason", ended.error().to_string()));
      }
    } else if (!stopping_ && link.error().to_string() != peer->last_trouble) {
      peer->last_trouble = link.error().to_string();
      log_.warn("cannot reach a peer", LogField("peer", hex(peer->peer.id)),
                LogField("address", address.to_string()), LogField("reason", peer->last_trouble));
    }
    if (stopping_ || peer->scope->cancelled()) break;
    receiver_.on_unreachable(peer->peer.id);
    const auto jitter =
        Duration(world_.entropy.next() % static_cast<std::uint64_t>(backoff.count() / 4));
    if (!co_await async::sleep_for(world_.clock, backoff + jitter)) break;
    backoff = std::min(backoff * 2, backoff_max);
  }
}

/// Connects, secures, and exchanges hellos.
Task<Result<std::shared_ptr<Link>>> Transport::open(os::Address address, Outgoing* peer) {
  auto stream = co_await async::connect(world_.network, address);
  if (!stream) co_return std::unexpected(stream.error());
  if (setup_.tls.connect) {
    stream = co_await setup_.tls.connect(std::move(*stream), address.ip);
    if (!stream) co_return std::unexpected(stream.error());
  }
  auto link = std::make_shared<Link>(world_.executor, std::move(*stream), Link::Limits{});
  peer->greeted = {};
  link->start(
      [this, peer](FrameType type, BytesView payload) { on_outgoing(*peer, type, payload); },
      [peer](const Error& reason) { peer->greeted.fail(reason); });
  link->send(FrameType::hello, hello(peer->peer.id), true);
  auto greeted = peer->greeted;
  auto met = co_await greeted;
  if (!met) {
    link->close(met.error());
    co_return std::unexpected(met.error());
  }
  co_return link;
}

void Transport::on_outgoing(Outgoing& peer, FrameType type, BytesView payload) {
  peer.heard_at = world_.clock.now();
  switch (type) {
    case FrameType::hello: {
      auto from = check_hello(payload);
      if (from && *from != peer.peer.id) {
        from = fail(ErrorCode::denied, std::format("member {:x} answers there", *from));
      }
      if (from) {
        peer.greeted.set();
      } else {
        peer.greeted.fail(from.error());
      }
      return;
    }
    case FrameType::refused:
      peer.greeted.fail(
          {ErrorCode::denied, "refused by the peer: " + Bytes(payload.substr(0, 300))});
      return;
    case FrameType::response: {
      if (payload.size() < 8) return;
      const auto call = peer.calls.find(id_of(payload));
      if (call != peer.calls.end()) call->second.set(Bytes(payload.substr(8)));
      return;
    }
    case FrameType::pong:
      peer.round_trip->observe(
          std::chrono::duration<double>(peer.heard_at - peer.pinged_at).count());
      return;
    case FrameType::removed:
      peer.greeted.fail({ErrorCode::denied, "this member was removed from the cluster"});
      receiver_.on_removed(peer.peer.id);
      return;
    case FrameType::message:
    case FrameType::request:
    case FrameType::who:
    case FrameType::cluster:
    case FrameType::ping: return;  // nothing that an answering side says
  }
}

/// The life of a greeted connection; returns why it ended.
Task<Result<>> Transport::converse(std::shared_ptr<Link> link, Outgoing* peer) {
  log_.info("connected to a peer", LogField("peer", hex(peer->peer.id)),
            LogField("address", link->remote().to_string()));
  peer->link = link;
  peer->connected_at = peer->heard_at = world_.clock.now();
  peer->active->set(1);
  Scope watching(world_.executor);
  watching.spawn(watch_silence(link, peer));
  auto ended = link->ended();
  auto reason = co_await ended;
  watching.cancel();
  co_await watching.join();
  peer->link = nullptr;
  peer->active->set(0);
  fail_calls(*peer);
  link->close({ErrorCode::cancelled, "stopping"});
  co_return reason;
}

Task<void> Transport::watch_silence(std::shared_ptr<Link> link, Outgoing* peer) {
  std::uint64_t counted = 0;
  while (co_await async::sleep_for(world_.clock, ping_interval)) {
    peer->sent_bytes->add(static_cast<double>(link->sent_bytes() - counted));
    counted = link->sent_bytes();
    if (world_.clock.now() - peer->heard_at > silence_max) {
      link->close({ErrorCode::timeout, "the peer is silent"});
      break;
    }
    peer->pinged_at = world_.clock.now();
    link->send(FrameType::ping, {}, true);
  }
}

// --- answering ---

Task<void> Transport::secure_and_serve(std::unique_ptr<os::Stream> stream) {
  ++incoming_;
  const os::Address remote = stream->remote();
  if (setup_.tls.accept) {
    auto secured = co_await async::with_timeout(world_.clock, connect_limit,
                                                setup_.tls.accept(std::move(stream)));
    if (!secured) {
      if (!stopping_) {
        log_.warn("refused a connection", LogField("remote", remote.to_string()),
                  LogField("reason", secured.error().to_string()));
      }
      --incoming_;
      co_return;
    }
    stream = std::move(*secured);
  }
  co_await serve(std::move(stream));
  --incoming_;
}

Task<void> Transport::serve(std::unique_ptr<os::Stream> stream) {
  auto link = std::make_shared<Link>(world_.executor, std::move(stream), Link::Limits{});
  Incoming state;
  state.heard_at = world_.clock.now();
  link->start([this, &state, weak = std::weak_ptr(link)](FrameType type, BytesView payload) {
    if (auto self = weak.lock()) on_incoming(self, state, type, payload);
  });
  auto check = [](Transport* self, std::shared_ptr<Link> watched,
                  Incoming* incoming) -> Task<void> {
    std::uint64_t counted = 0;
    while (co_await async::sleep_for(self->world_.clock, silence_max)) {
      if (incoming->received_bytes != nullptr) {
        incoming->received_bytes->add(static_cast<double>(watched->received_bytes() - counted));
        counted = watched->received_bytes();
      }
      if (self->world_.clock.now() - incoming->heard_at > silence_max) {
        watched->close({ErrorCode::timeout, "the peer is silent"});
      }
    }
  };
  Scope watching(world_.executor);
  watching.spawn(check(this, link, &state));
  auto ended = link->ended();
  co_await ended;
  link->close({ErrorCode::cancelled, "stopping"});
  watching.cancel();
  co_await watching.join();
  // Calls being answered hold `state`; they end soon, for they have limits of their own.
  while (state.answering > 0) {
    async::Oneshot<void> soon;
    auto timer = world_.clock.call_at(world_.clock.now() + Milliseconds(10),
                                      [soon]() mutable { soon.set(); });
    co_await soon.uncancellable();
  }
}

void Transport::on_incoming(const std::shared_ptr<Link>& link, Incoming& state, FrameType type,
                            BytesView payload) {
  state.heard_at = world_.clock.now();
  if (state.from == 0) {
    greet(link, state, type, payload);
    return;
  }
  if (type == FrameType::message) {
    receiver_.on_message(state.from, payload);
  } else if (type == FrameType::ping) {
    link->send(FrameType::pong, {}, true);
  } else if (type == FrameType::request && payload.size() >= 8 && state.answering < calls_max &&
             !stopping_) {
    ++state.answering;
    auto run = [](Transport* self, std::shared_ptr<Link> to, Incoming* incoming,
                  Bytes frame) -> Task<void> {
      co_await self->answer(std::move(to), incoming->from, std::move(frame));
      --incoming->answering;
    };
    scope_.spawn(run(this, link, &state, Bytes(payload)));
  }
}

/// The first frame of a connection.
void Transport::greet(const std::shared_ptr<Link>& link, Incoming& state, FrameType type,
                      BytesView payload) {
  if (type == FrameType::who) {
    link->send(FrameType::cluster, receiver_.describe_cluster(), true);
    link->finish();
    return;
  }
  auto from = type == FrameType::hello ? check_hello(payload)
                                       : fail(ErrorCode::corrupt, "the first frame is no hello");
  if (!from) {
    log_.warn("refused a peer", LogField("remote", link->remote().to_string()),
              LogField("reason", from.error().message));
    const auto said = read_hello(payload);
    const bool gone = said && said->cluster == setup_.cluster && receiver_.was_removed(said->from);
    link->send(gone ? FrameType::removed : FrameType::refused, from.error().message, true);
    link->finish();
    return;
  }
  state.from = *from;
  state.received_bytes = &metrics_.counter("etcd_network_peer_received_bytes_total",
                                           "The total number of bytes received from peers.",
                                           {{"From", hex(state.from)}});
  std::erase_if(greeted_, [](const auto& entry) { return entry.second.expired(); });
  greeted_.emplace(state.from, link);
  link->send(FrameType::hello, hello(state.from), true);
}

Task<void> Transport::answer(std::shared_ptr<Link> link, MemberId from, Bytes frame) {
  const std::uint64_t id = id_of(frame);
  const Bytes response = co_await receiver_.on_request(from, frame.substr(8));
  link->send(FrameType::response, with_id(id, response), true);
}

}  // namespace tripod::etcd::peer
