// Server and channel against each other over HTTP/2 in memory, and what the wire shows.

#include <gtest/gtest.h>

#include "platform/grpc/channel.h"
#include "platform/grpc/server.h"
#include "platform/http/network_transport.h"
#include "platform/http/server.h"
#include "tests/unit/platform/http/support.h"

namespace tripod::grpc {
namespace {

using namespace std::chrono_literals;
using namespace http::test;

Task<Reply<Bytes>> echo(CallContext call, Bytes message) {
  if (message == "refuse") co_return reject(StatusCode::out_of_range, "etcdserver: mvcc: é");
  if (message == "who") co_return Bytes(call.metadata().get("token"));
  if (message == "wait") {
    auto waited = co_await async::Oneshot<void>();
    co_return std::unexpected(Status::from_error(waited.error()));
  }
  co_return message;
}

Task<Status> count_up(ServerCall call) {
  auto request = co_await call.read();
  if (!request) co_return request.error();
  for (int i = 0; i < std::stoi(**request); ++i) {
    if (auto written = co_await call.write(std::to_string(i)); !written) co_return written.error();
  }
  co_return Status{};
}

Task<Status> chat(ServerCall call) {
  while (true) {
    auto message = co_await call.read();
    if (!message) co_return message.error();
    if (!*message) co_return Status{};
    if (**message == "bye") co_return Status{StatusCode::aborted, "bye"};
    if (auto written = co_await call.write(share("you said " + **message)); !written) {
      co_return written.error();
    }
  }
}

class GrpcTest : public testing::Test {
 protected:
  GrpcTest() {
    methods.add_unary("/pkg.Echo/Echo", echo);
    methods.add_stream("/pkg.Echo/Count", MethodType::server_stream, count_up);
    methods.add_stream("/pkg.Echo/Chat", MethodType::bidi_stream, chat);
    EXPECT_TRUE(listener.listen(network, {"127.0.0.1", 80}).has_value());
  }
  ~GrpcTest() override {
    EXPECT_TRUE(run(executor, finished(transport.drain())).has_value());
    EXPECT_TRUE(run(executor, finished(listener.drain(clock.now()))).has_value());
  }
  Reply<Bytes> call(std::string method, Bytes request, CallOptions options = {}) {
    auto reply =
        run(executor, channel.unary(std::move(method), std::move(request), std::move(options)));
    return reply ? std::move(*reply) : reject(StatusCode::unknown, "still waiting");
  }
  Result<http::Response> raw(http::RequestHead head, Bytes body) {
    auto response =
        run(executor, http::fetch(transport, std::move(head), std::move(body), 1 << 20));
    return response ? std::move(*response) : fail(ErrorCode::timeout, "still waiting");
  }

  QueueExecutor executor;
  ManualClock clock{executor};
  MemoryNetwork network{executor};
  NullSink sink;
  metrics::Registry registry;
  TestHandler other;
  Server methods{clock, registry, {.message_bytes_max = 100'000}, &other};
  http::Server listener{executor, clock, methods, http::Limits{}, Logger(sink, "http")};
  http::NetworkTransport transport{
      executor, clock, network, {.host = "127.0.0.1", .port = 80, .http2_without_tls = true}};
  Channel channel{clock, transport};
};

TEST_F(GrpcTest, unary_calls_return_a_message_or_a_status) {
  EXPECT_EQ(call("/pkg.Echo/Echo", "hello"), "hello");
  EXPECT_EQ(call("/pkg.Echo/Echo", ""), "");
  EXPECT_EQ(call("/pkg.Echo/Echo", Bytes(90'000, 'x')), Bytes(90'000, 'x'));
  EXPECT_EQ(call("/pkg.Echo/Echo", "who", {.metadata = {{"token", "abc"}}}), "abc");
  EXPECT_EQ(call("/pkg.Echo/Echo", "refuse").error(),
            (Status{StatusCode::out_of_range, "etcdserver: mvcc: é"}));
}

TEST_F(GrpcTest, bytes_and_messages_are_counted) {
  metrics::Counter received;
  metrics::Counter sent;
  methods.count_bytes(received, sent);
  EXPECT_TRUE(call("/pkg.Echo/Echo", "12345").has_value());
  EXPECT_TRUE(call("/pkg.Echo/Echo", Bytes(50'000, 'x')).has_value());
  EXPECT_EQ(received.value(), 50'005);
  EXPECT_EQ(sent.value(), 50'005);
  const std::string labels =
      "{grpc_method=\"Echo\",grpc_service=\"pkg.Echo\",grpc_type=\"unary\"} 2";
  for (const char* name : {"started", "msg_received", "msg_sent"}) {
    EXPECT_TRUE(registry.expose().contains(std::format("grpc_server_{}_total{}", name, labels)));
  }
}

TEST_F(GrpcTest, unknown_methods_are_named_as_grpc_go_does) {
  EXPECT_EQ(call("/pkg.Echo/None", "").error(),
            (Status{StatusCode::unimplemented, "unknown method None for service pkg.Echo"}));
  EXPECT_EQ(call("/pkg.Ech/None", "").error(),
            (Status{StatusCode::unimplemented, "unknown service pkg.Ech"}));
  EXPECT_EQ(call("/nothing", "").error().code, StatusCode::unimplemented);
}

TEST_F(GrpcTest, messages_are_bounded) {
  EXPECT_EQ(call("/pkg.Echo/Echo", Bytes(100'001, 'x')).error(),
            (Status{StatusCode::resource_exhausted,
                    "grpc: received message larger than max (100001 vs. 100000)"}));
  EXPECT_EQ(call("/pkg.Echo/Echo", "hello"), "hello");
}

TEST_F(GrpcTest, a_deadline_ends_the_call_on_both_sides) {
  std::optional<Reply<Bytes>> reply;
  Scope scope(executor);
  scope.spawn(keep(channel.unary("/pkg.Echo/Echo", "wait", {.timeout = 3s}), &reply));
  clock.advance(2s);
  EXPECT_FALSE(reply.has_value());
  clock.advance(2s);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->error(), (Status{StatusCode::deadline_exceeded, "context deadline exceeded"}));
  EXPECT_NE(registry.expose().find(
                "grpc_server_handled_total{grpc_code=\"DeadlineExceeded\","
                "grpc_method=\"Echo\",grpc_service=\"pkg.Echo\",grpc_type=\"unary\"} 1"),
            std::string::npos)
      << registry.expose();
}

TEST_F(GrpcTest, a_server_streams_many_messages) {
  auto opened = run(executor, channel.open("/pkg.Echo/Count"));
  ASSERT_TRUE(opened && *opened);
  ClientCall& stream = ***opened;
  EXPECT_TRUE(run(executor, stream.write("5000"))->has_value());
  for (int i = 0; i < 5000; ++i) {
    auto message = run(executor, stream.read());
    ASSERT_TRUE(message && *message && **message) << i;
    ASSERT_EQ(***message, std::to_string(i));
  }
  EXPECT_EQ(run(executor, stream.read())->value(), std::nullopt);
}

TEST_F(GrpcTest, both_sides_talk_at_once) {
  auto opened = run(executor, channel.open("/pkg.Echo/Chat"));
  ASSERT_TRUE(opened && *opened);
  ClientCall& stream = ***opened;
  for (const char* word : {"a", "b"}) {
    EXPECT_TRUE(run(executor, stream.write(word))->has_value());
    EXPECT_EQ(run(executor, stream.read())->value(), std::string("you said ") + word);
  }
  EXPECT_TRUE(run(executor, stream.write("bye"))->has_value());
  EXPECT_EQ(run(executor, stream.read())->error(), (Status{StatusCode::aborted, "bye"}));
}

TEST_F(GrpcTest, half_close_ends_the_stream) {
  auto opened = run(executor, channel.open("/pkg.Echo/Chat"));
  ASSERT_TRUE(opened && *opened);
  (**opened)->finish();
  EXPECT_EQ(run(executor, (**opened)->read())->value(), std::nullopt);
}

TEST_F(GrpcTest, other_requests_go_to_the_fallback) {
  auto response = raw({"GET", "/health", {}, "h", {}}, {});
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->body, "GET /health  h");
  EXPECT_EQ(
      raw({"POST", "/pkg.Echo/Echo", {}, "h", {{"content-type", "application/grpcx"}}}, {})->body,
      "POST /pkg.Echo/Echo  h");
}

TEST_F(GrpcTest, errors_are_trailers_only) {
  auto response =
      raw({"POST", "/pkg.Echo/Echo", {}, {}, {{"content-type", "application/grpc+proto"}}},
          framed("refuse"));
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->head.status, 200);
  EXPECT_EQ(response->head.headers.get("grpc-status"), "11");
  EXPECT_EQ(response->head.headers.get("grpc-message"), "etcdserver: mvcc: %C3%A9");
}

TEST_F(GrpcTest, wrong_requests_are_answered_by_the_protocols_rules) {
  auto gzip = raw({"POST",
                   "/pkg.Echo/Echo",
                   {},
                   {},
                   {{"content-type", "application/grpc"}, {"grpc-encoding", "gzip"}}},
                  framed("x"));
  EXPECT_EQ(gzip->head.headers.get("grpc-status"), "12");
  EXPECT_EQ(gzip->head.headers.get("grpc-accept-encoding"), "identity");
  auto get = raw({"GET", "/pkg.Echo/Echo", {}, {}, {{"content-type", "application/grpc"}}}, {});
  EXPECT_EQ(get->head.status, 405);
  auto timeout = raw({"POST",
                      "/pkg.Echo/Echo",
                      {},
                      {},
                      {{"content-type", "application/grpc"}, {"grpc-timeout", "5"}}},
                     framed("x"));
  EXPECT_EQ(timeout->head.status, 400);
  auto cut = raw({"POST", "/pkg.Echo/Echo", {}, {}, {{"content-type", "application/grpc"}}},
                 framed("hello").substr(0, 7));
  EXPECT_EQ(cut->head.headers.get("grpc-status"), "13");
}

TEST_F(GrpcTest, without_a_fallback_other_content_is_415) {
  Server strict(clock, registry);
  http::Server second(executor, clock, strict, http::Limits{}, Logger(sink, "http"));
  ASSERT_TRUE(second.listen(network, {"127.0.0.1", 81}).has_value());
  http::NetworkTransport to_second(executor, clock, network,
                                   {.host = "127.0.0.1", .port = 81, .http2_without_tls = true});
  auto response = run(executor, http::fetch(to_second, {"GET", "/", {}, {}, {}}, {}, 1000));
  EXPECT_EQ(response->value().head.status, 415);
  EXPECT_TRUE(run(executor, finished(to_second.drain())).has_value());
  EXPECT_TRUE(run(executor, finished(second.drain(clock.now()))).has_value());
}

TEST_F(GrpcTest, a_lost_connection_is_unavailable) {
  Channel nowhere(clock, transport);
  EXPECT_TRUE(run(executor, finished(listener.drain(clock.now()))).has_value());
  EXPECT_EQ(call("/pkg.Echo/Echo", "x").error().code, StatusCode::unavailable);
}

}  // namespace
}  // namespace tripod::grpc
