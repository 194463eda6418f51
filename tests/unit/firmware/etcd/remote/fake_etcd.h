#pragma once
// Scripted etcd endpoints on a network in memory, and a RemoteClient that uses them. Test double
// only: an endpoint says what the test tells it to say.

#include <gtest/gtest.h>

#include "firmware/etcd/api/codec.h"
#include "firmware/etcd/api/errors.h"
#include "firmware/etcd/remote/remote_client.h"
#include "platform/grpc/server.h"
#include "platform/http/server.h"
#include "tests/unit/firmware/support/test_world.h"
#include "tests/unit/platform/http/support.h"

namespace tripod::etcd::test {

using namespace std::chrono_literals;
using http::test::ManualClock;
using http::test::MemoryNetwork;
using http::test::QueueExecutor;

/// One Watch stream, seen from the server.
struct FakeStream {
  std::vector<WatchRequest> heard;
  async::Channel<Bytes> out{1000};
  bool required_leader = false;
  bool open = true;

  void say(const WatchResponse& response) { out.try_push(encode(response)); }
  std::vector<WatchCreateRequest> creations() const {
    std::vector<WatchCreateRequest> found;
    for (const WatchRequest& request : heard) {
      if (const auto* create = std::get_if<WatchCreateRequest>(&request.request)) {
        found.push_back(*create);
      }
    }
    return found;
  }
  template <typename Kind>
  std::size_t count() const {
    return static_cast<std::size_t>(std::ranges::count_if(heard, [](const WatchRequest& request) {
      return std::holds_alternative<Kind>(request.request);
    }));
  }
};

class FakeEtcd {
 public:
  FakeEtcd(QueueExecutor& executor, ManualClock& clock, MemoryNetwork& network, std::uint16_t port)
      : executor_(executor), clock_(clock), network_(network), port_(port) {
    for (const char* path : {"KV/Range", "KV/Put", "KV/Txn", "Lease/LeaseGrant"}) {
      methods_.add_unary(std::string("/etcdserverpb.") + path,
                         [this, path](grpc::CallContext context, Bytes request) {
                           return serve(path, context, std::move(request));
                         });
    }
    methods_.add_stream("/etcdserverpb.Lease/LeaseKeepAlive", grpc::MethodType::bidi_stream,
                        [this](grpc::ServerCall call) { return keep_alive(call); });
    methods_.add_stream("/etcdserverpb.Watch/Watch", grpc::MethodType::bidi_stream,
                        [this](grpc::ServerCall call) { return watch(call); });
    start();
  }
  ~FakeEtcd() { stop(); }

  void start() {
    listener_ = std::make_unique<http::Server>(executor_, clock_, methods_, http::Limits{},
                                               Logger(sink_, "fake"));
    ASSERT_TRUE(listener_->listen(network_, {"127.0.0.1", port_}).has_value());
  }
  /// Every connection breaks, and nobody listens any more.
  void stop() {
    if (!listener_) return;
    Scope stopping(executor_);
    stopping.spawn(listener_->drain(clock_.now()));
    clock_.advance(0s);
    ASSERT_TRUE(stopping.idle());
    listener_.reset();
  }

  /// As SIGSTOP: the newest connection stays and nothing is read from it.
  void freeze() { network_.last_server_side->set_reading(false); }

  FakeStream& stream() { return *streams_.back(); }
  std::size_t streams() const { return streams_.size(); }

  std::vector<std::string> calls;             // "KV/Put", ... in order
  std::vector<std::string> leaders_required;  // the calls that asked for a leader
  std::optional<grpc::Status> failure;        // what calls are answered with
  bool hangs = false;                         // calls are not answered at all
  bool acknowledges = true;                   // watches that are made
  Revision revision = 10;
  std::int64_t ttl = 45;
  std::optional<RangeRequest> last_range;

 private:
  Task<grpc::Reply<Bytes>> serve(std::string path, grpc::CallContext context, Bytes request) {
    calls.push_back(path);
    if (context.metadata().get("hasleader") == "true") leaders_required.push_back(path);
    if (hangs) co_await async::Oneshot<void>();
    if (failure) co_return std::unexpected(*failure);
    if (path == "KV/Range") {
      last_range = *decode<RangeRequest>(request);
      co_return encode(RangeResponse{.header = {.revision = revision}, .kvs = {}, .count = 0});
    }
    co_return encode(PutResponse{.header = {.revision = ++revision}, .prev_kv = {}});
  }
  Task<grpc::Status> keep_alive(grpc::ServerCall call) {
    auto request = co_await call.read();
    if (!request || !*request) co_return grpc::Status{};
    calls.emplace_back("Lease/LeaseKeepAlive");
    if (failure) co_return *failure;
    LeaseKeepAliveResponse response{.id = decode<LeaseKeepAliveRequest>(**request)->id, .ttl = ttl};
    co_await call.write(encode(response));
    co_await call.read();
    co_return grpc::Status{};
  }
  Task<grpc::Status> watch(grpc::ServerCall call) {
    auto stream = streams_.emplace_back(std::make_shared<FakeStream>());
    stream->required_leader = call.context().metadata().get("hasleader") == "true";
    if (failure) {
      stream->open = false;
      co_return *failure;
    }
    Scope writing(executor_);
    writing.spawn(write_loop(call, stream));
    while (true) {
      auto message = co_await call.read();
      if (!message || !*message) break;
      stream->heard.push_back(*decode<WatchRequest>(**message));
      const auto* create = std::get_if<WatchCreateRequest>(&stream->heard.back().request);
      if (create == nullptr || !acknowledges) continue;
      stream->say(
          {.header = {.revision = revision}, .watch_id = create->watch_id, .created = true});
    }
    stream->open = false;
    writing.cancel();
    co_await writing.join();
    co_return grpc::Status{};
  }
  static Task<void> write_loop(grpc::ServerCall call, std::shared_ptr<FakeStream> stream) {
    while (true) {
      auto message = co_await stream->out.pop();
      if (!message || !co_await call.write(std::move(*message))) co_return;
    }
  }

  QueueExecutor& executor_;
  ManualClock& clock_;
  MemoryNetwork& network_;
  std::uint16_t port_;
  http::test::NullSink sink_;
  metrics::Registry registry_;
  grpc::Server methods_{clock_, registry_};
  std::unique_ptr<http::Server> listener_;
  std::vector<std::shared_ptr<FakeStream>> streams_;
};

/// Two endpoints; the client begins with the first.
class RemoteTest : public testing::Test {
 protected:
  RemoteTest() {
    RemoteOptions options;
    options.endpoints = {{"127.0.0.1", 1, false}, {"127.0.0.1", 2, false}};
    options.prefix = "/registry";
    client = std::make_unique<RemoteClient>(world, std::move(options));
  }
  ~RemoteTest() override {
    EXPECT_TRUE(http::test::run(executor, http::test::finished(client->stop())));
  }
  /// Runs a call, with as much time as it needs.
  template <typename T>
  T finish(Task<T> task) {
    std::optional<T> out;
    Scope scope(executor);
    scope.spawn(http::test::keep(std::move(task), &out));
    for (int i = 0; i < 600 && !out; ++i) clock.advance(50ms);
    EXPECT_TRUE(out.has_value()) << "no end within 30 s";
    return std::move(*out);
  }
  Reply<PutResponse> put(std::string key = "k") {
    PutRequest request;
    request.key = std::move(key);
    return finish(client->put(std::move(request)));
  }
  Reply<RangeResponse> range() {
    RangeRequest request;
    request.key = "k";
    return finish(client->range(std::move(request)));
  }

  QueueExecutor executor;
  ManualClock clock{executor};
  MemoryNetwork network{executor};
  tripod::test::NoStorage storage;
  tripod::test::InlineLane lane{executor};
  tripod::test::CountingEntropy entropy;
  tripod::test::NamedBoard board{"board-1"};
  tripod::test::QuietLog log;
  os::World world{executor, clock, network, storage, lane, lane, lane, entropy, board, log};
  FakeEtcd one{executor, clock, network, 1};
  FakeEtcd two{executor, clock, network, 2};
  std::unique_ptr<RemoteClient> client;
};

}  // namespace tripod::etcd::test
