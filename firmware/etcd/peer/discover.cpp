#include "firmware/etcd/peer/discover.h"

#include "firmware/etcd/peer/link.h"
#include "platform/async/sync.h"

namespace tripod::etcd::peer {
namespace {

constexpr Duration patience = std::chrono::seconds(3);

Task<Result<Bytes>> ask(os::World world, PeerTls tls, os::Address address) {
  auto stream = co_await async::connect(world.network, address);
  if (!stream) co_return std::unexpected(stream.error());
  if (tls.connect) {
    stream = co_await tls.connect(std::move(*stream), address.ip);
    if (!stream) co_return std::unexpected(stream.error());
  }
  auto link = std::make_shared<Link>(world.executor, std::move(*stream), Link::Limits{});
  async::Oneshot<Bytes> answered;
  link->start([answered](FrameType type, BytesView payload) mutable {
    if (type == FrameType::cluster) {
      answered.set(Bytes(payload));
    } else {
      answered.fail({ErrorCode::denied, "refused: " + Bytes(payload.substr(0, 300))});
    }
  });
  link->send(FrameType::who, {}, true);
  auto ended = link->ended();
  auto waits = [](async::Oneshot<void> end, async::Oneshot<Bytes> result) -> Task<void> {
    auto reason = co_await end;
    if (!reason && !result.done()) result.fail(reason.error());
  };
  Scope watching(world.executor);
  watching.spawn(waits(ended, answered));
  auto result = co_await answered;
  watching.cancel();
  co_await watching.join();
  link->close({ErrorCode::closed, "answered"});
  co_return result;
}

}  // namespace

Task<Result<Bytes>> ask_cluster(os::World world, PeerTls tls, os::Address address) {
  co_return co_await async::with_timeout(world.clock, patience,
                                         ask(world, std::move(tls), std::move(address)));
}

}  // namespace tripod::etcd::peer
