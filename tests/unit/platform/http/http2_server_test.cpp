// The HTTP/2 server against bytes that a well-behaved client would not send.

#include <gtest/gtest.h>

#include "platform/http/server.h"
#include "tests/unit/platform/http/support.h"

namespace tripod::http {
namespace {

using namespace std::chrono_literals;
using namespace test;

enum FrameType : std::uint8_t {
  data_frame = 0,
  headers_frame = 1,
  rst_stream_frame = 3,
  settings_frame = 4,
  ping_frame = 6,
  go_away_frame = 7,
  continuation_frame = 9
};

Bytes frame(FrameType type, std::uint8_t flags, std::uint32_t stream, BytesView payload) {
  Bytes out;
  for (const int shift : {16, 8, 0}) out += static_cast<char>(payload.size() >> shift & 0xff);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(stream >> shift & 0xff);
  return out + Bytes(payload);
}

Bytes preface() {
  return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(settings_frame, 0, 0, {});
}

/// HPACK without compression (RFC 7541 section 6.2.2).
Bytes literal(BytesView name, BytesView value) {
  Bytes out(1, '\0');
  for (const BytesView text : {name, value}) {
    if (text.size() < 127) {
      out += static_cast<char>(text.size());
    } else {
      out += '\x7f';
      std::size_t rest = text.size() - 127;
      for (; rest >= 128; rest /= 128) out += static_cast<char>(rest % 128 | 128);
      out += static_cast<char>(rest);
    }
    out += text;
  }
  return out;
}

Bytes request(std::string_view path) {
  return literal(":method", "GET") + literal(":scheme", "http") + literal(":authority", "h") +
         literal(":path", path);
}

struct SeenFrame {
  std::uint8_t type;
  std::uint8_t flags;
  std::uint32_t stream;
  Bytes payload;
};

std::vector<SeenFrame> frames_of(BytesView bytes) {
  std::vector<SeenFrame> frames;
  auto number = [&](std::size_t at, std::size_t size) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
      value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
  };
  while (bytes.size() >= 9) {
    const std::size_t size = number(0, 3);
    frames.push_back({static_cast<std::uint8_t>(bytes[3]), static_cast<std::uint8_t>(bytes[4]),
                      number(5, 4), Bytes(bytes.substr(9, size))});
    bytes.remove_prefix(std::min(9 + size, bytes.size()));
  }
  return frames;
}

class Http2ServerTest : public testing::Test {
 protected:
  ~Http2ServerTest() override {
    peers.clear();
    executor.run();
    if (server) EXPECT_TRUE(run(executor, finished(server->drain(clock.now()))).has_value());
  }
  RawPeer& connect(std::string alpn = {}) {
    if (!server) {
      server = std::make_unique<Server>(executor, clock, handler, limits, Logger(sink, "http"));
    }
    auto pair = make_pair_of_streams(executor, std::move(alpn));
    near = pair.near.get();
    server->accept(std::move(pair.near));
    peers.push_back(std::make_unique<RawPeer>(std::move(pair.far)));
    executor.run();
    return *peers.back();
  }
  std::vector<SeenFrame> talk(RawPeer& peer, Bytes bytes) {
    peer.received.clear();
    peer.stream->write(std::move(bytes));
    executor.run();
    return frames_of(peer.received);
  }
  static int count(const std::vector<SeenFrame>& frames, FrameType type) {
    return static_cast<int>(std::ranges::count(frames, type, &SeenFrame::type));
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

TEST_F(Http2ServerTest, answers_in_one_write) {
  RawPeer& peer = connect();
  talk(peer, preface());
  const std::size_t writes = near->writes;
  auto frames = talk(peer, frame(headers_frame, 5, 1, request("/a?b")) +
                               frame(headers_frame, 5, 3, request("/c")));
  ASSERT_EQ(frames.size(), 4U);
  EXPECT_EQ(frames[0].type, headers_frame);
  EXPECT_EQ(count(frames, data_frame), 2);
  EXPECT_EQ(std::ranges::find(frames, data_frame, &SeenFrame::type)->payload, "GET /a b h");
  EXPECT_EQ(near->writes, writes + 1);
}

TEST_F(Http2ServerTest, speaks_first_when_alpn_says_h2) {
  RawPeer& peer = connect("h2");
  const auto frames = frames_of(peer.received);
  ASSERT_FALSE(frames.empty());
  EXPECT_EQ(frames[0].type, settings_frame);
}

TEST_F(Http2ServerTest, answers_pings) {
  RawPeer& peer = connect();
  talk(peer, preface());
  const auto frames = talk(peer, frame(ping_frame, 0, 0, "12345678"));
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].type, ping_frame);
  EXPECT_EQ(frames[0].flags, 1);
  EXPECT_EQ(frames[0].payload, "12345678");
}

TEST_F(Http2ServerTest, oversized_heads_are_431) {
  RawPeer& peer = connect();
  talk(peer, preface());
  Bytes block = request("/a");
  for (int i = 0; i < 100; ++i) block += literal("x", "y");
  auto frames = talk(peer, frame(headers_frame, 5, 1, block));
  ASSERT_EQ(count(frames, headers_frame), 1);
  EXPECT_NE(frames[0].payload.find("431"), Bytes::npos) << "not indexed in HPACK's static table";
  EXPECT_EQ(handler.started, 0);
  EXPECT_EQ(count(talk(peer, frame(headers_frame, 5, 3, request("/a"))), data_frame), 1);
}

TEST_F(Http2ServerTest, a_reset_cancels_the_handler) {
  RawPeer& peer = connect();
  talk(peer, preface() + frame(headers_frame, 5, 1, request("/slow")));
  EXPECT_EQ(handler.cancelled, 0);
  talk(peer, frame(rst_stream_frame, 0, 1, Bytes("\0\0\0\x08", 4)));
  EXPECT_EQ(handler.cancelled, 1);
}

TEST_F(Http2ServerTest, an_upload_to_an_answered_request_is_stopped) {
  RawPeer& peer = connect();
  talk(peer, preface());
  const auto frames = talk(peer, frame(headers_frame, 4, 1, request("/early")));
  ASSERT_EQ(count(frames, data_frame), 1);
  ASSERT_EQ(frames.back().type, rst_stream_frame);
  EXPECT_EQ(frames.back().payload, Bytes(4, '\0'));  // NO_ERROR
}

TEST_F(Http2ServerTest, rapid_resets_end_the_connection) {
  RawPeer& peer = connect();
  talk(peer, preface());
  Bytes flood;
  for (std::uint32_t id = 1; id < 6000; id += 2) {
    flood += frame(headers_frame, 5, id, request("/slow"));
    flood += frame(rst_stream_frame, 0, id, Bytes("\0\0\0\x08", 4));
  }
  EXPECT_EQ(count(talk(peer, flood), go_away_frame), 1);
  EXPECT_TRUE(peer.closed);
  EXPECT_EQ(handler.cancelled, handler.started);
  EXPECT_LT(handler.started, 1500);
}

TEST_F(Http2ServerTest, a_ping_flood_that_reads_nothing_ends_the_connection) {
  RawPeer& peer = connect();
  talk(peer, preface());
  peer.stream->set_reading(false);
  Bytes flood;
  for (int i = 0; i < 2000; ++i) flood += frame(ping_frame, 0, 0, "12345678");
  for (int i = 0; i < 30 && server->connections() > 0; ++i) talk(peer, flood);
  EXPECT_LT(near == nullptr ? 0U : peer.stream->queued_bytes(), 100'000U);
  peer.stream->set_reading(true);
  executor.run();
  EXPECT_TRUE(peer.closed);
}

TEST_F(Http2ServerTest, refused_streams_do_not_pile_up_for_a_peer_that_reads_nothing) {
  limits.streams_per_connection_max = 1;
  RawPeer& peer = connect();
  talk(peer, preface() + frame(settings_frame, 1, 0, {}));
  peer.stream->set_reading(false);
  talk(peer, frame(headers_frame, 5, 1, request("/big/500")));
  Bytes flood;
  for (std::uint32_t id = 3; id < 50'000; id += 2) {
    flood += frame(headers_frame, 5, id, request("/slow"));
  }
  talk(peer, flood);
  EXPECT_LT(peer.stream->queued_bytes(), 500'000U);
  peer.stream->set_reading(true);
  executor.run();
  EXPECT_TRUE(peer.closed);
}

TEST_F(Http2ServerTest, streams_are_bounded) {
  limits.streams_per_connection_max = 10;
  RawPeer& peer = connect();
  talk(peer, preface());
  Bytes many;
  for (std::uint32_t id = 1; id < 60; id += 2)
    many += frame(headers_frame, 5, id, request("/slow"));
  const auto frames = talk(peer, many);
  EXPECT_EQ(handler.started, 10);
  EXPECT_GT(count(frames, rst_stream_frame) + count(frames, go_away_frame), 0);
}

TEST_F(Http2ServerTest, nonsense_ends_the_connection) {
  RawPeer& peer = connect("h2");
  talk(peer, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(peer.closed);
  RawPeer& second = connect();
  talk(second, preface());
  EXPECT_EQ(count(talk(second, frame(data_frame, 0, 1, "x")), go_away_frame), 1);
  EXPECT_TRUE(second.closed);
}

TEST_F(Http2ServerTest, unfinished_heads_are_timed_out) {
  RawPeer& peer = connect();
  talk(peer, preface() + frame(headers_frame, 1, 1, request("/a")));
  clock.advance(25s);
  EXPECT_TRUE(peer.closed);
  EXPECT_EQ(handler.started, 0);
}

TEST_F(Http2ServerTest, draining_tells_peers_and_finishes_what_runs) {
  RawPeer& peer = connect();
  talk(peer, preface() + frame(headers_frame, 4, 1, request("/echo")));
  std::optional<bool> drained;
  Scope scope(executor);
  scope.spawn(keep(finished(server->drain(clock.now() + 5s)), &drained));
  peer.received.clear();
  executor.run();
  EXPECT_EQ(count(frames_of(peer.received), go_away_frame), 1);
  EXPECT_FALSE(peer.closed);
  const auto frames = talk(peer, frame(data_frame, 1, 1, "tail"));
  EXPECT_EQ(count(frames, data_frame), 1);
  EXPECT_EQ(count(frames, go_away_frame), 1);
  EXPECT_TRUE(peer.closed);
  peers.clear();
  executor.run();
  EXPECT_TRUE(drained.has_value());
}

}  // namespace
}  // namespace tripod::http
