#pragma once
// The connections between the members of one cluster. Each member dials every other one and sends
// on what it dialled; what the others dialled brings their messages. A connection begins with both
// sides saying who they are (hello): another cluster, another member than expected, or a stranger
// is refused, and says so in the log.
//
// Messages may be lost, never reordered within their class, never repeated. Nothing is queued for a
// peer that is not connected.
//
// Lives on the loop thread.

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "firmware/etcd/api/messages.h"
#include "firmware/etcd/options.h"
#include "firmware/etcd/peer/link.h"
#include "platform/base/metrics.h"
#include "platform/os/board.h"

namespace tripod::etcd::peer {

struct Peer {
  MemberId id = 0;
  std::vector<os::Address> addresses;  // tried in turn
};

/// What the member does with what arrives; outlives the transport.
class Receiver {
 public:
  virtual ~Receiver() = default;
  virtual void on_message(MemberId from, BytesView message) = 0;
  /// Messages to `peer` may have been lost.
  virtual void on_unreachable(MemberId peer) = 0;
  /// Answers a call(). Runs in the transport's scope.
  virtual Task<Bytes> on_request(MemberId from, Bytes request) = 0;
  /// The answer to who asks before joining (discover.h).
  virtual Bytes describe_cluster() = 0;
  /// Whether that member was in the cluster once.
  virtual bool was_removed(MemberId member) = 0;
  /// `by` says that this member was removed.
  virtual void on_removed(MemberId by) = 0;
};

class Transport {
 public:
  struct Setup {
    ClusterId cluster = 0;
    MemberId self = 0;
    std::vector<Peer> peers;  // without this member
    PeerTls tls;
  };
  static constexpr Duration connect_limit = std::chrono::seconds(3);
  static constexpr Duration backoff_min = Milliseconds(50);
  static constexpr Duration backoff_max = std::chrono::seconds(1);
  static constexpr Duration ping_interval = std::chrono::seconds(1);
  static constexpr Duration silence_max = std::chrono::seconds(4);
  static constexpr Duration farewell = std::chrono::seconds(1);
  static constexpr std::size_t incoming_max = 128;
  static constexpr std::size_t calls_max = 4096;

  Transport(const os::World& world, Setup setup, Receiver& receiver, metrics::Registry& metrics);
  /// CHECKs that stop() has ended.
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  Result<> listen(const os::Address& address);
  /// Starts dialling.
  void start();
  Task<void> stop();
  /// The members as they are now, without this one. A new one is dialled; one that moved is dialled
  /// anew; one that is gone is let go of after `farewell`, so that it hears of it.
  void set_peers(const std::vector<Peer>& peers);

  /// False: dropped.
  bool send(MemberId to, Bytes message, bool urgent);
  /// Fails with unavailable when `to` is not connected or the connection breaks before the answer.
  /// Waits without limit.
  Task<Result<Bytes>> call(MemberId to, Bytes request);
  bool connected(MemberId to) const;
  /// Since when; nullopt while it is not.
  std::optional<MonotonicTime> connected_since(MemberId to) const;
  std::size_t connected_count() const;

 private:
  struct Outgoing;
  struct Incoming;

  void add(const Peer& peer);
  Task<void> let_go(MemberId id);
  void close_incoming(MemberId from);
  void greet(const std::shared_ptr<Link>& link, Incoming& state, FrameType type, BytesView payload);
  Task<void> dial(Outgoing* peer);
  Task<Result<std::shared_ptr<Link>>> open(os::Address address, Outgoing* peer);
  Task<Result<>> converse(std::shared_ptr<Link> link, Outgoing* peer);
  Task<void> serve(std::unique_ptr<os::Stream> stream);
  Task<void> secure_and_serve(std::unique_ptr<os::Stream> stream);
  Task<void> answer(std::shared_ptr<Link> link, MemberId from, Bytes frame);
  Task<void> watch_silence(std::shared_ptr<Link> link, Outgoing* peer);
  void on_outgoing(Outgoing& peer, FrameType type, BytesView payload);
  void on_incoming(const std::shared_ptr<Link>& link, Incoming& state, FrameType type,
                   BytesView payload);
  Bytes hello(MemberId to) const;
  /// Who says so; or why it is refused.
  Result<MemberId> check_hello(BytesView payload) const;
  void fail_calls(Outgoing& peer);

  os::World world_;
  Setup setup_;
  Receiver& receiver_;
  metrics::Registry& metrics_;
  Logger log_;
  std::map<MemberId, std::unique_ptr<Outgoing>> outgoing_;
  std::vector<std::unique_ptr<os::Listener>> listeners_;
  std::size_t incoming_ = 0;
  std::multimap<MemberId, std::weak_ptr<Link>> greeted_;  // of incoming connections
  std::uint64_t next_call_ = 1;
  Scope scope_;
  bool started_ = false;
  bool stopping_ = false;
};

}  // namespace tripod::etcd::peer
