// Pieces of a snapshot in any order, cut, repeated and damaged, from two members: the receiver
// answers each with a place it knows, and what it takes in is what its digest says, of the cluster
// and the entry that the sender named. A state that is damaged under a good digest is refused or
// taken in; it never ends the process.
//
// The input is steps of four bytes: what, and three numbers for it.

#include "firmware/etcd/mvcc/store.h"
#include "firmware/etcd/server/snapshot_transfer.h"
#include "platform/sim/board.h"

namespace {

using namespace tripod;
using namespace tripod::etcd;

constexpr ClusterId cluster = 7;
constexpr MemberId self = 2;
constexpr std::uint64_t entries = 3;
constexpr int steps_max = 16;

/// The stream of a state of three entries.
Bytes make_stream() {
  sim::Random random(1);
  sim::Disk disk("snapshot-source", random);
  auto store = Store::open("source.db", disk.vfs_name(), 2, [] {});
  CHECK(store.has_value());
  Store& state = **store;
  state.members().begin({{.id = 3, .name = "three", .peer_urls = {}, .client_urls = {}}}, {}, 0,
                        state.db());
  state.db().set_number("cluster_id", cluster);
  for (std::uint64_t index = 1; index <= entries; ++index) {
    Bytes command;
    append_command(command, {1, 1, index},
                   PutRequest{.key = "k", .value = Bytes(1000 * index, 'v')});
    state.apply(index, 1, command, {}, [](CommandId, const CommandReply&) {});
  }
  state.commit();
  auto reader = SnapshotReader::open("source.db", state.db().scratch());
  CHECK(reader.has_value());
  Bytes whole;
  while (whole.size() < reader->size_bytes()) whole += reader->read(1 << 20).value();
  return whole;
}

class Driver final : public SnapshotHost {
 public:
  explicit Driver(const Bytes& stream) : stream_(stream) {}
  ~Driver() override {
    Scope scope(board_.queue());
    scope.spawn(receiver_.stop());
    simulation_.run_for(std::chrono::seconds(10));
  }

  void step(int what, std::size_t a, std::size_t b, std::size_t c) {
    raft::InstallSnapshot piece{.meta = meta(), .offset = at_, .data = {}, .done = false};
    Bytes data;
    switch (what % 8) {
      case 0:  // as a sender does it
      case 1:
        data = next(a % 2 + 1);
        piece.done = at_ + data.size() == stream_.size();
        break;
      case 2:  // with a wrong bit
        data = next(a % 2 + 1);
        piece.done = at_ + data.size() == stream_.size();
        if (!data.empty()) {
          char& byte = data[(b * 256 + c) % data.size()];
          byte = static_cast<char>(byte ^ 1 << a % 8);
        }
        break;
      case 3:  // from somewhere
        piece.offset = (a * 256 + b) % (stream_.size() + 100);
        data = stream_.substr(std::min<std::size_t>(piece.offset, stream_.size()), c * 8);
        piece.done = c % 7 == 0;
        break;
      case 4:  // the digest of whatever came
        data = digest();
        piece.done = true;
        break;
      case 5:  // from another member from now on
        from_ = {a % 2 + 1};
        return;
      case 6:  // another snapshot
        piece.meta.last.index.value += a % 3;
        piece.meta.last.term.value += b % 2;
        piece.offset = c % 2 == 0 ? 0 : at_;
        data = next(1);
        break;
      default:  // time passes
        simulation_.run_for(Milliseconds(a));
        return;
    }
    deliver(std::move(piece), std::move(data));
    if (a % 5 != 0) simulation_.run_for(std::chrono::seconds(1));
  }

 private:
  /// What the receiver works on, and answers later.
  struct Work {
    std::uint64_t offset;
    Bytes data;
    bool done;
  };

  void deliver(raft::InstallSnapshot piece, Bytes data) {
    const bool idle = !work_ && !data.empty();
    Work work{piece.offset, data, piece.done};
    if (!data.empty()) piece.data = share(std::move(data));
    answered_at_once_ = false;
    delivering_ = true;
    receiver_.on_piece(from_, piece);
    delivering_ = false;
    if (idle && !answered_at_once_) work_ = std::move(work);
  }

  raft::SnapshotMeta meta() const {
    return {.last = {{entries}, {1}}, .conf_state = {.index = {}, .voters = {{3}}, .learners = {}}};
  }
  /// Pages from at_ on, or the digest at their end.
  Bytes next(std::size_t pages) const {
    const std::size_t end = stream_.size() - Sha256::digest_bytes;
    if (at_ >= end) return stream_.substr(std::min<std::size_t>(at_, end));
    return stream_.substr(at_, std::min(pages * 4096, end - at_));
  }
  Bytes digest() const { return sha256(taken_); }

  void send(raft::NodeId to, raft::MessageBody body) override {
    CHECK(to == raft::NodeId{1} || to == raft::NodeId{2});
    const auto& answer = std::get<raft::InstallSnapshotResponse>(body);
    CHECK(!answer.refused || answer.offset_next == 0);
    at_ = answer.offset_next;
    if (delivering_) {
      answered_at_once_ = true;
      return;
    }
    CHECK(work_.has_value(), "an answer to nothing");
    const Work work = *std::exchange(work_, std::nullopt);
    if (answer.refused) return;
    CHECK(at_ == work.offset + work.data.size());
    if (work.done) {
      CHECK(std::exchange(installed_, false), "taken in without being installed");
      at_ = 0;
    } else {
      if (work.offset == 0) taken_.clear();
      CHECK(work.offset == taken_.size(), "a gap");
      taken_ += work.data;
    }
  }
  bool leads() const override { return false; }
  void report(raft::NodeId, bool) override {}
  Task<bool> install(raft::SnapshotMeta meta, std::string path) override {
    CHECK(meta.last == this->meta().last, "not the state of this entry");
    CHECK(work_ && work_->done && work_->data == digest(), "not what its digest says");
    auto state = sqlite::Database::open(
        path, {.vfs = board_.disk().vfs_name(), .exclusive = false, .create = false});
    CHECK(state.has_value());
    auto owner = state->query_int64("SELECT value FROM fact WHERE name = 'member_id'");
    CHECK(owner && *owner == self, "adopted, and not this member's");
    installed_ = true;
    co_return true;
  }

  sim::Simulation simulation_{1};
  sim::Links links_{simulation_};
  sim::SimFabric fabric_{simulation_, links_};
  sim::SimBoard board_{simulation_, fabric_, "board", "10.0.0.1"};
  metrics::Registry metrics_;
  const Bytes& stream_;
  raft::NodeId from_{1};
  std::uint64_t at_ = 0;  // where the receiver wants to go on
  Bytes taken_;           // what it has, as its answers say
  std::optional<Work> work_;
  bool delivering_ = false;
  bool answered_at_once_ = false;
  bool installed_ = false;
  SnapshotReceiver receiver_{board_.world(), "received.db", cluster, self, *this, metrics_};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Bytes stream = make_stream();
  Driver driver(stream);
  for (std::size_t i = 0; i + 4 <= size && i < 4 * steps_max; i += 4) {
    driver.step(data[i], data[i + 1], data[i + 2], data[i + 3]);
  }
  return 0;
}
