#include "platform/tls/stream.h"

#include <format>

#include "platform/base/check.h"
#include "platform/tls/session.h"

namespace tripod::tls {
namespace {

// How long a refused peer may take to read why.
constexpr std::chrono::milliseconds alert_timeout{500};

Task<Result<>> refuse(Session* session) {
  co_await session->close_politely();
  co_return Result<>{};
}

Task<Result<std::unique_ptr<os::Stream>>> run_handshake(os::World world,
                                                        std::shared_ptr<const Context> context,
                                                        std::unique_ptr<os::Stream> lower,
                                                        std::string server_name) {
  auto session = std::make_unique<Session>(world, std::move(context), std::move(lower),
                                           std::move(server_name));
  auto done = co_await session->handshake();
  if (!done) {
    co_await async::with_timeout(world.clock, alert_timeout, refuse(session.get()));
    co_return std::unexpected(done.error());
  }
  co_return std::unique_ptr<os::Stream>(std::move(session));
}

Task<Result<std::unique_ptr<os::Stream>>> bounded(os::World world,
                                                  std::shared_ptr<const Context> context,
                                                  std::unique_ptr<os::Stream> lower,
                                                  std::string server_name) {
  std::string peer = lower->remote().to_string();
  auto stream = co_await async::with_timeout(
      world.clock, handshake_timeout,
      run_handshake(world, std::move(context), std::move(lower), std::move(server_name)));
  if (!stream && stream.error() == ErrorCode::timeout) {
    co_return fail(ErrorCode::timeout, std::format("TLS handshake with {}: no end after {} s", peer,
                                                   handshake_timeout.count()));
  }
  co_return std::move(stream);
}

}  // namespace

Task<Result<std::unique_ptr<os::Stream>>> accept(os::World world,
                                                 std::shared_ptr<const Context> context,
                                                 std::unique_ptr<os::Stream> lower) {
  CHECK(context->side() == Context::Side::server);
  return bounded(world, std::move(context), std::move(lower), "");
}

Task<Result<std::unique_ptr<os::Stream>>> connect(os::World world,
                                                  std::shared_ptr<const Context> context,
                                                  std::unique_ptr<os::Stream> lower,
                                                  std::string server_name) {
  CHECK(context->side() == Context::Side::client);
  return bounded(world, std::move(context), std::move(lower), std::move(server_name));
}

}  // namespace tripod::tls
