#include "platform/http/server.h"

#include <gtest/gtest.h>

#include "tests/unit/platform/http/support.h"

namespace tripod::http {
namespace {

using namespace std::chrono_literals;
using namespace test;

class Http1ServerTest : public testing::Test {
 protected:
  ~Http1ServerTest() override {
    peers.clear();
    executor.run();
    if (server) EXPECT_TRUE(run(executor, finished(server->drain(clock.now()))).has_value());
  }
  void make_server() {
    server = std::make_unique<Server>(executor, clock, handler, limits, Logger(sink, "http"));
  }
  RawPeer& connect() {
    if (!server) make_server();
    auto pair = make_pair_of_streams(executor);
    near = pair.near.get();
    server->accept(std::move(pair.near));
    peers.push_back(std::make_unique<RawPeer>(std::move(pair.far)));
    executor.run();
    return *peers.back();
  }
  /// Sends and returns what came back.
  Bytes talk(RawPeer& peer, Bytes bytes) {
    peer.received.clear();
    peer.stream->write(std::move(bytes));
    executor.run();
    return peer.received;
  }

  QueueExecutor executor;
  ManualClock clock{executor};
  NullSink sink;
  TestHandler handler;
  Limits limits;
  std::unique_ptr<Server> server;
  std::vector<std::unique_ptr<RawPeer>> peers;
  MemoryStream* near = nullptr;
};

constexpr std::string_view answer_a =
    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 14\r\n\r\nGET /a x=1&y h";

TEST_F(Http1ServerTest, answers_request_after_request_on_one_connection) {
  RawPeer& peer = connect();
  EXPECT_EQ(talk(peer, "GET /a?x=1&y HTTP/1.1\r\nHost: h\r\n\r\n"), answer_a);
  EXPECT_EQ(talk(peer, "GET http://h/a?x=1&y HTTP/1.1\r\nHost: ignored\r\n\r\n"), answer_a);
  EXPECT_FALSE(peer.closed);
  EXPECT_EQ(near->writes, 2U);
}

TEST_F(Http1ServerTest, answers_pipelined_requests_in_order) {
  const Bytes request = "GET /a?x=1&y HTTP/1.1\r\nHost: h\r\n\r\n";
  const Bytes post = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
  EXPECT_EQ(talk(connect(), request + post + request),
            Bytes(answer_a) + "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc" + Bytes(answer_a));
}

TEST_F(Http1ServerTest, takes_bytes_one_by_one) {
  RawPeer& peer = connect();
  for (const char c : std::string_view("GET /a?x=1&y HTTP/1.1\r\nHost: h\r\n\r\n")) {
    peer.stream->write(Bytes(1, c));
    executor.run();
  }
  EXPECT_EQ(peer.received, answer_a);
}

TEST_F(Http1ServerTest, closes_when_asked_and_for_http_1_0) {
  RawPeer& peer = connect();
  EXPECT_EQ(talk(peer, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"),
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 8\r\n"
            "connection: close\r\n\r\nGET /  h");
  EXPECT_TRUE(peer.closed);
  RawPeer& old = connect();
  EXPECT_TRUE(talk(old, "GET /a HTTP/1.0\r\n\r\n").ends_with("connection: close\r\n\r\nGET /a  "));
  EXPECT_TRUE(old.closed);
}

TEST_F(Http1ServerTest, reads_chunked_bodies) {
  EXPECT_EQ(talk(connect(),
                 "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "3\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n"),
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabcde");
}

TEST_F(Http1ServerTest, streams_chunks_with_trailers) {
  EXPECT_EQ(talk(connect(), "GET /trailers HTTP/1.1\r\nHost: h\r\n\r\n"),
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n"
            "3\r\none\r\n0\r\nx-end: yes\r\n\r\n");
}

TEST_F(Http1ServerTest, head_has_no_body) {
  EXPECT_EQ(talk(connect(), "HEAD /a?x=1&y HTTP/1.1\r\nHost: h\r\n\r\n"),
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 15\r\n\r\n");
}

TEST_F(Http1ServerTest, says_continue_when_the_body_is_wanted) {
  RawPeer& peer = connect();
  EXPECT_EQ(talk(peer,
                 "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                 "Content-Length: 2\r\n\r\n"),
            "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(talk(peer, "ok"), "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  RawPeer& refused = connect();
  EXPECT_EQ(
      talk(refused,
           "POST /early HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
           "Content-Length: 2\r\n\r\n"),
      "HTTP/1.1 413 Request Entity Too Large\r\ncontent-length: 8\r\nconnection: close\r\n\r\n"
      "too much");
  EXPECT_TRUE(refused.closed);
}

TEST_F(Http1ServerTest, ignores_an_offer_to_upgrade) {
  EXPECT_EQ(talk(connect(),
                 "GET /a?x=1&y HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                 "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"),
            answer_a);
}

TEST_F(Http1ServerTest, refuses_what_it_cannot_understand) {
  for (const char* bad :
       {"NONSENSE\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/3.0\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    RawPeer& peer = connect();
    const Bytes answer = talk(peer, bad);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 Bad Request\r\n")) << bad << " -> " << answer;
    EXPECT_TRUE(peer.closed) << bad;
  }
}

TEST_F(Http1ServerTest, bounds_heads) {
  const Bytes start = "GET / HTTP/1.1\r\nHost: h\r\n";
  EXPECT_TRUE(talk(connect(), start + "X: " + Bytes(64 * 1024, 'x') + "\r\n\r\n")
                  .starts_with("HTTP/1.1 431 "));
  Bytes many = start;
  for (int i = 0; i < 100; ++i) many += "X: y\r\n";
  EXPECT_TRUE(talk(connect(), many + "\r\n").starts_with("HTTP/1.1 431 "));
  EXPECT_TRUE(talk(connect(), "GET /" + Bytes(70000, 'x')).starts_with("HTTP/1.1 431 "));
}

TEST_F(Http1ServerTest, bounds_bodies) {
  limits.body_bytes_max = 10;
  EXPECT_TRUE(
      talk(connect(), "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n01234567890")
          .starts_with("HTTP/1.1 413 "));
}

TEST_F(Http1ServerTest, a_peer_that_leaves_cancels_the_handler) {
  talk(connect(), "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(handler.cancelled, 0);
  peers.clear();
  executor.run();
  EXPECT_EQ(handler.cancelled, 1);
  EXPECT_EQ(server->connections(), 0U);
}

TEST_F(Http1ServerTest, a_broken_off_response_closes_the_connection) {
  RawPeer& peer = connect();
  EXPECT_TRUE(talk(peer, "GET /reset HTTP/1.1\r\nHost: h\r\n\r\n").find("\r\n0\r\n") ==
              Bytes::npos);
  EXPECT_TRUE(peer.closed);
}

TEST_F(Http1ServerTest, a_slow_reader_holds_the_handler_back) {
  RawPeer& peer = connect();
  peer.stream->set_reading(false);
  talk(peer, "GET /big/500 HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_GT(handler.blocks, 10);
  EXPECT_LT(handler.blocks, 100);
  peer.stream->set_reading(true);
  executor.run();
  EXPECT_EQ(handler.blocks, 500);
  EXPECT_TRUE(peer.received.ends_with("\r\n0\r\n\r\n"));
}

TEST_F(Http1ServerTest, a_silent_peer_is_timed_out) {
  RawPeer& mute = connect();
  RawPeer& partial = connect();
  talk(partial, "GET / HTTP/1.1\r\nHo");
  RawPeer& kept = connect();
  talk(kept, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  clock.advance(12s);
  EXPECT_TRUE(mute.closed);
  EXPECT_TRUE(partial.received.starts_with("HTTP/1.1 408 Request Timeout\r\n"));
  EXPECT_TRUE(partial.closed);
  EXPECT_FALSE(kept.closed);
  clock.advance(200s);
  EXPECT_TRUE(kept.closed);
  peers.clear();
  executor.run();
  EXPECT_EQ(server->connections(), 0U);
}

TEST_F(Http1ServerTest, a_body_that_does_not_come_is_timed_out) {
  RawPeer& peer = connect();
  talk(peer, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf");
  for (int i = 0; i < 5; ++i) clock.advance(10s);
  EXPECT_FALSE(peer.closed);
  clock.advance(15s);
  EXPECT_TRUE(peer.received.starts_with("HTTP/1.1 408 Request Timeout\r\n")) << peer.received;
  EXPECT_TRUE(peer.closed);
}

TEST_F(Http1ServerTest, a_peer_that_takes_nothing_is_cut_off) {
  RawPeer& peer = connect();
  peer.stream->set_reading(false);
  talk(peer, "GET /big/500 HTTP/1.1\r\nHost: h\r\n\r\n");
  for (int i = 0; i < 11; ++i) clock.advance(10s);
  EXPECT_EQ(server->connections(), 1U);
  for (int i = 0; i < 3; ++i) clock.advance(10s);
  EXPECT_EQ(server->connections(), 0U);
}

TEST_F(Http1ServerTest, connections_are_bounded) {
  limits.connections_max = 2;
  connect();
  connect();
  RawPeer& third = connect();
  EXPECT_TRUE(third.closed);
  EXPECT_EQ(server->connections(), 2U);
}

TEST_F(Http1ServerTest, draining_waits_for_requests_until_the_deadline) {
  RawPeer& idle = connect();
  talk(idle, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  RawPeer& busy = connect();
  talk(busy, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n1");
  RawPeer& stuck = connect();
  talk(stuck, "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
  std::optional<bool> drained;
  Scope scope(executor);
  scope.spawn(keep(finished(server->drain(clock.now() + 5s)), &drained));
  executor.run();
  EXPECT_TRUE(idle.closed);
  EXPECT_TRUE(talk(busy, "2").ends_with("connection: close\r\n\r\n12"));
  EXPECT_TRUE(busy.closed);
  EXPECT_FALSE(stuck.closed);
  idle.stream.reset();
  busy.stream.reset();
  clock.advance(4s);
  EXPECT_FALSE(drained.has_value());
  clock.advance(2s);
  EXPECT_TRUE(drained.has_value());
  EXPECT_EQ(handler.cancelled, 1);
}

}  // namespace
}  // namespace tripod::http
