#pragma once
// Drives a whole http::Server over a stream in memory with bytes of a fuzzer: the first byte says
// how they are cut, the rest is sent. Whatever they are, everything must have ended once the peer
// is gone.

#include "platform/http/server.h"
#include "tests/unit/platform/http/support.h"

namespace tripod::http::test {

inline void drive_server(BytesView input, std::string alpn, BytesView opening) {
  using namespace std::chrono_literals;
  if (input.empty()) return;
  QueueExecutor executor;
  ManualClock clock(executor);
  NullSink sink;
  TestHandler handler;
  Limits limits;
  limits.streams_per_connection_max = 20;
  Server server(executor, clock, handler, limits, Logger(sink, "http"));
  {
    auto pair = make_pair_of_streams(executor, std::move(alpn));
    server.accept(std::move(pair.near));
    RawPeer peer(std::move(pair.far));
    if (!opening.empty()) peer.stream->write(Bytes(opening));
    const std::size_t cut = static_cast<unsigned char>(input[0]) == 0
                                ? input.size()
                                : static_cast<unsigned char>(input[0]);
    for (std::size_t at = 1; at < input.size() && !peer.closed; at += cut) {
      peer.stream->write(Bytes(input.substr(at, cut)));
      executor.run();
    }
    clock.advance(15s);
  }
  executor.run();
  CHECK(server.connections() == 0);
  CHECK(handler.ended + handler.cancelled <= handler.started * 2);
  auto drained = run(executor, finished(server.drain(clock.now())));
  CHECK(drained.has_value());
}

}  // namespace tripod::http::test
