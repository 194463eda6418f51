// What a handler and a caller promise each other, over each of the three ways between them.

#include <gtest/gtest.h>

#include "platform/http/in_process.h"
#include "platform/http/network_transport.h"
#include "platform/http/server.h"
#include "tests/unit/platform/http/support.h"

namespace tripod::http {
namespace {

using namespace std::chrono_literals;
using namespace test;

enum class Way : std::uint8_t { http1, http2, in_process };

class TransportTest : public testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    server = std::make_unique<Server>(executor, clock, handler, limits, Logger(sink, "http"));
    ASSERT_TRUE(server->listen(network, {"127.0.0.1", 80}).has_value());
    network_options.host = "127.0.0.1";
    network_options.port = 80;
    network_options.http2_without_tls = GetParam() == Way::http2;
    if (GetParam() == Way::in_process) {
      in_process = std::make_unique<InProcessTransport>(executor, handler, "user",
                                                        std::vector<std::string>{"group"}, limits);
      transport = in_process.get();
    } else {
      over_network = std::make_unique<NetworkTransport>(executor, clock, network, network_options);
      transport = over_network.get();
    }
  }
  void TearDown() override {
    if (in_process) EXPECT_TRUE(run(executor, finished(in_process->drain())).has_value());
    if (over_network) EXPECT_TRUE(run(executor, finished(over_network->drain())).has_value());
    EXPECT_TRUE(run(executor, finished(server->drain(clock.now()))).has_value());
  }
  std::unique_ptr<Call> open(std::string path, std::optional<Bytes> body = Bytes()) {
    auto call =
        run(executor, transport->open({"POST", std::move(path), {}, {}, {}}, std::move(body)));
    EXPECT_TRUE(call && *call);
    return call && *call ? std::move(**call) : nullptr;
  }
  Result<Response> get(std::string path, Bytes body = {}) {
    auto response = run(executor, fetch(*transport, {"POST", std::move(path), "q=1", "h", {}},
                                        std::move(body), 100 << 20));
    EXPECT_TRUE(response.has_value()) << "still waiting";
    return response ? std::move(*response) : fail(ErrorCode::timeout, "still waiting");
  }

  QueueExecutor executor;
  ManualClock clock{executor};
  MemoryNetwork network{executor};
  NullSink sink;
  TestHandler handler;
  Limits limits;
  NetworkOptions network_options;
  std::unique_ptr<Server> server;
  std::unique_ptr<InProcessTransport> in_process;
  std::unique_ptr<NetworkTransport> over_network;
  Transport* transport = nullptr;
};

std::string name_of_way(const testing::TestParamInfo<Way>& way) {
  switch (way.param) {
    case Way::http1: return "http1";
    case Way::http2: return "http2";
    case Way::in_process: return "in_process";
  }
  return {};
}

INSTANTIATE_TEST_SUITE_P(Ways, TransportTest,
                         testing::Values(Way::http1, Way::http2, Way::in_process), name_of_way);

TEST_P(TransportTest, carries_request_and_response) {
  auto response = get("/a");
  ASSERT_TRUE(response.has_value()) << response.error().to_string();
  EXPECT_EQ(response->head.status, 200);
  EXPECT_EQ(response->head.headers.get("content-type"), "text/plain");
  EXPECT_EQ(response->body, "POST /a q=1 h");
}

TEST_P(TransportTest, carries_large_bodies_both_ways) {
  Bytes body;
  for (int i = 0; body.size() < 3'000'000; ++i) body += std::format("{},", i);
  auto response = get("/echo", body);
  ASSERT_TRUE(response.has_value()) << response.error().to_string();
  EXPECT_TRUE(response->body == body);
  if (over_network) EXPECT_EQ(network.connects, 1);
}

TEST_P(TransportTest, bounds_the_request_body) {
  auto response = get("/echo", Bytes(3 * 1024 * 1024 + 1, 'x'));
  ASSERT_TRUE(response.has_value()) << response.error().to_string();
  EXPECT_EQ(response->head.status, 413);
}

TEST_P(TransportTest, keeps_its_connection) {
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(get("/echo", Bytes(70'000, 'x')).has_value());
  EXPECT_EQ(handler.ended, 50);
  if (over_network) EXPECT_EQ(network.connects, 1);
}

TEST_P(TransportTest, delivers_trailers) {
  auto call = open("/trailers");
  ASSERT_TRUE(call);
  auto head = run(executor, call->head());
  ASSERT_TRUE(head && *head);
  EXPECT_EQ(run(executor, call->read())->value(), "one");
  EXPECT_EQ(run(executor, call->read())->value(), std::nullopt);
  EXPECT_EQ(call->trailers().get("x-end"), "yes");
}

TEST_P(TransportTest, a_streamed_request_arrives_as_it_is_written) {
  auto call = open("/echo", std::nullopt);
  ASSERT_TRUE(call);
  EXPECT_TRUE(run(executor, call->write("one "))->has_value());
  EXPECT_EQ(handler.started, 1);
  EXPECT_TRUE(run(executor, call->write("two"))->has_value());
  call->finish();
  auto head = run(executor, call->head());
  ASSERT_TRUE(head && *head);
  EXPECT_EQ(run(executor, call->read())->value(), "one two");
}

TEST_P(TransportTest, a_caller_that_leaves_cancels_the_handler) {
  auto call = open("/slow");
  executor.run();
  EXPECT_EQ(handler.started, 1);
  EXPECT_EQ(handler.cancelled, 0);
  call.reset();
  executor.run();
  EXPECT_EQ(handler.cancelled, 1);
  EXPECT_TRUE(get("/a").has_value());
}

TEST_P(TransportTest, a_handler_that_breaks_off_fails_the_call) {
  auto response = get("/reset");
  ASSERT_FALSE(response.has_value());
  EXPECT_TRUE(response.error() == ErrorCode::closed) << response.error().to_string();
  EXPECT_TRUE(get("/a").has_value());
}

TEST_P(TransportTest, a_slow_caller_holds_the_handler_back) {
  auto call = open("/big/500");
  executor.run();
  EXPECT_GT(handler.blocks, 5);
  EXPECT_LT(handler.blocks, 120);
  std::size_t bytes = 0;
  while (true) {
    auto piece = run(executor, call->read());
    ASSERT_TRUE(piece && *piece);
    if (!**piece) break;
    bytes += (**piece)->size();
  }
  EXPECT_EQ(bytes, 5'000'000U);
  EXPECT_EQ(handler.ended, 1);
}

TEST_P(TransportTest, bodies_that_nobody_reads_do_not_use_up_the_connection) {
  if (GetParam() != Way::http2) GTEST_SKIP() << "only HTTP/2 has a window for all streams";
  for (int i = 0; i < 40; ++i) {
    auto upload = open("/slow", Bytes(60'000, 'x'));
    auto download = open(i % 2 == 0 ? "/big/6" : "/big/20");  // whole, or cut off
    executor.run();
  }
  executor.run();
  EXPECT_GE(handler.cancelled, 40);
  auto response = get("/echo", Bytes(500'000, 'x'));
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->body.size(), 500'000U);
  EXPECT_EQ(network.connects, 1);
}

TEST_P(TransportTest, an_early_answer_needs_no_body) {
  auto call = open("/early", std::nullopt);
  EXPECT_TRUE(run(executor, call->write("begin")).has_value());  // it may fail: nobody reads it
  auto head = run(executor, call->head());
  ASSERT_TRUE(head && *head);
  EXPECT_EQ((*head)->status, 413);
  EXPECT_EQ(run(executor, call->read())->value(), "too much");
  call.reset();
  EXPECT_TRUE(get("/a").has_value());
}

TEST_P(TransportTest, many_calls_run_at_once) {
  if (GetParam() == Way::http1) GTEST_SKIP() << "one connection per call, bounded";
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 0; i < 90; ++i) calls.push_back(open("/slow"));
  executor.run();
  EXPECT_EQ(handler.started, 90);
  if (over_network) EXPECT_EQ(network.connects, 1);
  calls.clear();
  executor.run();
  EXPECT_EQ(handler.cancelled, 90);
}

TEST_P(TransportTest, a_lost_server_fails_calls_and_the_next_call_reconnects) {
  if (GetParam() == Way::in_process) GTEST_SKIP() << "there is no connection";
  auto call = open("/slow");
  executor.run();
  Scope scope(executor);
  std::optional<bool> drained;
  scope.spawn(keep(finished(server->drain(clock.now() + 1s)), &drained));
  clock.advance(2s);
  EXPECT_TRUE(drained.has_value());
  auto head = run(executor, call->head());
  ASSERT_TRUE(head && !*head);
  EXPECT_TRUE(head->error() == ErrorCode::closed);
  auto refused = run(executor, fetch(*transport, {"GET", "/a", {}, {}, {}}, {}, 100));
  ASSERT_TRUE(refused && !*refused);
  EXPECT_TRUE(refused->error() == ErrorCode::refused) << refused->error().to_string();
  server = std::make_unique<Server>(executor, clock, handler, limits, Logger(sink, "http"));
  ASSERT_TRUE(server->listen(network, {"127.0.0.1", 80}).has_value());
  EXPECT_TRUE(get("/a").has_value());
}

TEST_P(TransportTest, a_silent_server_is_given_up) {
  if (GetParam() != Way::http2) GTEST_SKIP() << "only HTTP/2 has pings";
  auto call = open("/slow");
  executor.run();
  clock.advance(5min);  // pings are answered
  EXPECT_EQ(handler.cancelled, 0);
  network.last_server_side->set_reading(false);
  clock.advance(2min);
  auto head = run(executor, call->head());
  ASSERT_TRUE(head && !*head);
  EXPECT_TRUE(head->error() == ErrorCode::timeout) << head->error().to_string();
  network.last_server_side->set_reading(true);
}

TEST_P(TransportTest, an_idle_connection_is_closed) {
  if (GetParam() == Way::in_process) GTEST_SKIP() << "there is no connection";
  ASSERT_TRUE(get("/a").has_value());
  EXPECT_EQ(over_network->connections(), 1U);
  clock.advance(4min);
  EXPECT_EQ(over_network->connections(), 0U);
  EXPECT_EQ(server->connections(), 0U);
  ASSERT_TRUE(get("/a").has_value());
  EXPECT_EQ(network.connects, 2);
}

TEST_P(TransportTest, an_in_process_peer_carries_its_identity) {
  if (GetParam() != Way::in_process) GTEST_SKIP() << "needs an in-process caller";
  class Asking final : public Handler {
   public:
    Task<void> handle(std::unique_ptr<Exchange> exchange) override {
      const Peer& peer = exchange->peer();
      co_await send(*exchange, {},
                    share(std::format("{} {} {}", peer.in_process, peer.in_process_user,
                                      peer.in_process_groups.at(0))));
    }
  } asking;
  InProcessTransport asked(executor, asking, "system:kube-scheduler", {"g"});
  auto response = run(executor, fetch(asked, {"GET", "/", {}, {}, {}}, {}, 100));
  EXPECT_EQ(response->value().body, "true system:kube-scheduler g");
}

}  // namespace
}  // namespace tripod::http
