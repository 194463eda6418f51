#include "tests/sim/etcd/cluster.h"

#include <cstdlib>
#include <format>

#include "firmware/etcd/join.h"

namespace tripod::etcd {
namespace {

std::string ip_of(std::size_t node) {
  return std::format("10.0.0.{}", node + 1);
}

/// What crashed is never destroyed, only forgotten: its coroutines will not run to their end.
/// Reachable, so that it does not count as leaked. It costs megabytes a seed: a hunt through
/// thousands of seeds takes many processes (tools/sim).
void keep_for_ever(std::shared_ptr<void> thing) {
  static auto* things = new std::vector<std::shared_ptr<void>>;
  things->push_back(std::move(thing));
}

}  // namespace

/// What a crashed member holds on to, without the thing itself.
template <typename T>
using Handle = std::shared_ptr<std::unique_ptr<T>>;

class HeldListener final : public os::Listener {
 public:
  explicit HeldListener(Handle<os::Listener> inner) : inner_(std::move(inner)) {}
  os::Address address() const override { return (*inner_)->address(); }

 private:
  Handle<os::Listener> inner_;
};

class HeldStream final : public os::Stream {
 public:
  explicit HeldStream(Handle<os::Stream> inner) : inner_(std::move(inner)) {}
  ~HeldStream() override { inner_->reset(); }
  void start(os::StreamObserver& observer) override { (*inner_)->start(observer); }
  void write(Bytes data) override {
    if (*inner_) (*inner_)->write(std::move(data));
  }
  std::size_t queued_bytes() const override { return *inner_ ? (*inner_)->queued_bytes() : 0; }
  void finish() override {
    if (*inner_) (*inner_)->finish();
  }
  void set_reading(bool enabled) override {
    if (*inner_) (*inner_)->set_reading(enabled);
  }
  os::Address remote() const override { return *inner_ ? (*inner_)->remote() : os::Address{}; }
  os::Address local() const override { return *inner_ ? (*inner_)->local() : os::Address{}; }

 private:
  Handle<os::Stream> inner_;
};

class SimCluster::BoardNetwork final : public os::Network {
 public:
  explicit BoardNetwork(os::Network& inner) : inner_(inner) {}

  Result<std::unique_ptr<os::Listener>> listen(const os::Address& address, Accept accept) override {
    auto listener = inner_.listen(
        address, [this, accept = std::move(accept)](std::unique_ptr<os::Stream> stream) mutable {
          accept(hold(std::move(stream)));
        });
    if (!listener) return std::unexpected(listener.error());
    auto handle = std::make_shared<std::unique_ptr<os::Listener>>(std::move(*listener));
    listeners_.push_back(handle);
    return std::make_unique<HeldListener>(handle);
  }
  std::unique_ptr<os::Operation> connect(const os::Address& address, Connected done) override {
    return inner_.connect(address, [this, done = std::move(done)](auto result) mutable {
      if (result) result = hold(std::move(*result));
      done(std::move(result));
    });
  }
  std::unique_ptr<os::Operation> resolve(const std::string& host, Resolved done) override {
    return inner_.resolve(host, std::move(done));
  }
  void power_off() {
    for (auto& listener : listeners_) {
      if (auto held = listener.lock()) held->reset();
    }
    for (auto& stream : streams_) {
      if (auto held = stream.lock()) held->reset();
    }
  }

 private:
  std::unique_ptr<os::Stream> hold(std::unique_ptr<os::Stream> stream) {
    auto handle = std::make_shared<std::unique_ptr<os::Stream>>(std::move(stream));
    streams_.push_back(handle);
    return std::make_unique<HeldStream>(handle);
  }

  os::Network& inner_;
  std::vector<std::weak_ptr<std::unique_ptr<os::Listener>>> listeners_;
  std::vector<std::weak_ptr<std::unique_ptr<os::Stream>>> streams_;
};

SimCluster::SimCluster(std::uint64_t seed, Setup setup)
    : simulation_(seed),
      fabric_(std::make_unique<sim::SimFabric>(simulation_, links_)),
      client_(std::make_unique<sim::SimBoard>(simulation_, *fabric_, "client", "10.0.0.99")),
      scope_(std::make_unique<Scope>(client_->queue())),
      change_(std::move(setup.change)),
      founders_(setup.size),
      nodes_(setup.size) {
  const bool shown = std::getenv("TRIPOD_TRACE") != nullptr;
  simulation_.set_trace_observer([this, shown](MonotonicTime when, std::string_view line) {
    if (line.contains("log moved to a new format")) ++logs_taken_over_;
    if (!shown) return;
    std::fprintf(stderr, "%10.3f %.*s\n",
                 std::chrono::duration<double>(when.time_since_epoch()).count(),
                 static_cast<int>(line.size()), line.data());
  });
  for (std::size_t node = 0; node < boards(); ++node) {
    make_board(node);
    if (setup.start) start(node);
  }
}

void SimCluster::make_board(std::size_t node) {
  nodes_[node].board = std::make_unique<sim::SimBoard>(simulation_, *fabric_,
                                                       std::format("node{}", node), ip_of(node));
}

std::size_t SimCluster::add_board() {
  nodes_.emplace_back();
  make_board(nodes_.size() - 1);
  return nodes_.size() - 1;
}

void SimCluster::replace_disk(std::size_t node) {
  CHECK(!running(node));
  sim::Disk& disk = board(node).disk();
  for (const std::string& path : disk.paths()) disk.remove(path);
}

std::string SimCluster::peer_url(std::size_t node) const {
  return std::format("https://{}:2380", ip_of(node));
}

SimCluster::~SimCluster() {
  scope_->cancel();
  for (std::size_t node = 0; node < nodes_.size(); ++node) {
    if (running(node)) stop(node);
  }
  run_until([this] { return scope_->idle(); }, std::chrono::minutes(1));
  // Members that crashed hold on to it, and so do streams that nobody has accepted yet.
  keep_for_ever(std::shared_ptr<void>(std::move(fabric_)));
}

Options SimCluster::options(std::size_t node) const {
  Options options;
  options.name = std::format("node{}", node);
  options.data_dir = "/data";
  options.initial_cluster_token = "sim";
  for (std::size_t other = 0; other < founders_; ++other) {
    if (other > 0) options.initial_cluster += ',';
    options.initial_cluster += std::format("node{}=https://{}:2380", other, ip_of(other));
  }
  if (!nodes_[node].initial_cluster.empty()) {
    options.initial_cluster = nodes_[node].initial_cluster;
    options.initial_cluster_state = "existing";
  }
  options.advertise_client_urls = {std::format("https://{}:2379", ip_of(node))};
  options.state_commit_interval = Milliseconds(500);
  options.state_commit_bytes = 16 * 1024;
  options.log_store = {.segment_bytes = 4 * 1024, .wal_pages = 200};
  options.compaction_slice_work_max = 8;  // many slices, for what may come between
  if (change_) change_(options);
  return options;
}

os::World SimCluster::world_of(Node& node) {
  const os::World board = node.board->world();
  return {board.executor, board.clock,       *node.network, board.storage, board.storage_lane,
          board.log_lane, board.crypto_lane, board.entropy, board.board,   board.log};
}

Result<> SimCluster::try_start(std::size_t index, const Change& change) {
  Options wanted = options(index);
  change(wanted);
  return begin(index, std::move(wanted), nullptr);
}

Result<> SimCluster::begin(std::size_t index, Options wanted,
                           std::shared_ptr<const ClusterDescription> existing) {
  Node& node = nodes_[index];
  CHECK(!node.member);
  node.metrics = std::make_unique<metrics::Registry>();
  node.network = std::make_shared<BoardNetwork>(node.board->world().network);
  auto member =
      Member::start(world_of(node), std::move(wanted), {}, *node.metrics, std::move(existing));
  if (!member) return std::unexpected(member.error());
  node.member = std::move(*member);
  node.leadership = node.member->observe_leadership([this, index] { note_leader(index); });
  return {};
}

Result<> SimCluster::join(std::size_t index, std::size_t ask, Duration patience) {
  Node& node = nodes_[index];
  // Not linearizable: the second voter of two is what the majority waits for.
  auto list = wait(member(ask).member_list({.linearizable = false}));
  if (!list) return fail(ErrorCode::unavailable, list.error().message);
  node.initial_cluster.clear();
  for (const MemberInfo& member : list->members) {
    const bool own = member.peer_urls == std::vector{peer_url(index)};
    const std::string name = own ? std::format("node{}", index) : std::format("{:x}", member.id);
    if (!node.initial_cluster.empty()) node.initial_cluster += ',';
    node.initial_cluster += name + '=' + member.peer_urls.at(0);
  }
  node.network = std::make_shared<BoardNetwork>(node.board->world().network);
  auto found = wait(find_cluster(world_of(node), options(index), {}, patience));
  if (!found) return std::unexpected(found.error());
  return begin(index, options(index), std::move(*found));
}

/// At most one member leads a term (Raft's election safety).
void SimCluster::note_leader(std::size_t node) {
  if (!member(node).is_leader()) return;
  const auto [leader, fresh] = leaders_.emplace(member(node).term(), node);
  if (fresh || leader->second == node) return;
  violations_.push_back(
      std::format("node {} and node {} both lead term {}", leader->second, node, leader->first));
}

void SimCluster::start(std::size_t node) {
  auto started = try_start(node, [](Options&) {});
  CHECK(started.has_value(), started ? "" : started.error().to_string());
}

void SimCluster::bury(Node& node) {
  node.network->power_off();
  keep_for_ever(std::shared_ptr<void>(std::move(node.leadership)));
  keep_for_ever(std::move(node.network));
  keep_for_ever(std::shared_ptr<void>(std::move(node.member)));
  keep_for_ever(std::shared_ptr<void>(std::move(node.metrics)));
}

void SimCluster::crash(std::size_t index) {
  Node& node = nodes_[index];
  bury(node);
  node.board->power_off();
  node.board->power_on();
}

void SimCluster::kill(std::size_t index) {
  Node& node = nodes_[index];
  bury(node);
  node.board->restart_processes();
}

void SimCluster::stop(std::size_t index) {
  Node& node = nodes_[index];
  Scope stopping(client_->queue());
  stopping.spawn(node.member->stop());
  CHECK(run_until([&] { return stopping.idle(); }, std::chrono::minutes(1)));
  run_for(Milliseconds(1));  // who was waiting there takes the refusal
  node.leadership.reset();
  node.member.reset();
}

void SimCluster::isolate(std::size_t node) {
  for (std::size_t other = 0; other < nodes_.size(); ++other) {
    if (other == node) continue;
    links_.cut(ip_of(node), ip_of(other));
    links_.cut(ip_of(other), ip_of(node));
  }
}

void SimCluster::cut(std::size_t from, std::size_t to) {
  links_.cut(ip_of(from), ip_of(to));
}

void SimCluster::set_loss(double share) {
  sim::LinkQuality quality = links_.quality();
  quality.loss = quality.duplication = share;
  links_.set_quality(quality);
}

std::optional<std::size_t> SimCluster::find_leader() {
  std::optional<std::size_t> found;
  for (std::size_t node = 0; node < nodes_.size(); ++node) {
    if (!running(node) || !member(node).is_leader()) continue;
    if (!found || member(node).term() > member(*found).term()) found = node;
  }
  return found;
}

std::size_t SimCluster::leader() {
  CHECK(run_until([this] { return find_leader().has_value(); }, std::chrono::minutes(1)),
        "no leader");
  return *find_leader();
}

}  // namespace tripod::etcd
