#pragma once
// Certificates, contexts and loopback handshakes for the tests of platform/tls.

#include <gtest/gtest.h>

#include "platform/async/sync.h"
#include "platform/linux/machine.h"
#include "platform/pki/authority.h"
#include "platform/tls/stream.h"

namespace tripod::tls {

struct Recorder final : os::StreamObserver {
  void on_data(BytesView data) override {
    received += data;
    changed.notify();
  }
  void on_drained() override { ++drained; }
  void on_closed(Error reason) override {
    closed = reason;
    changed.notify();
  }
  Bytes received;
  int drained = 0;
  std::optional<Error> closed;
  async::Signal changed;
};

using StreamResult = Result<std::unique_ptr<os::Stream>>;

/// Both ends of one handshake over a loopback connection.
struct Pair {
  StreamResult server = fail(ErrorCode::unavailable, "not yet");
  StreamResult client = fail(ErrorCode::unavailable, "not yet");
};

class TlsTest : public testing::Test {
 protected:
  TlsTest() {
    authority_ = *pki::Authority::create("tripod", std::chrono::days(10), world_.clock.wall_now(),
                                         world_.entropy);
    stranger_ = *pki::Authority::create("tripod", std::chrono::days(10), world_.clock.wall_now(),
                                        world_.entropy);
  }

  Options options(const std::optional<pki::Authority>& signer, bool server, WallTime when) {
    auto pair = signer->issue({.common_name = server ? "server" : "anna",
                               .organization = server ? "" : "system:masters",
                               .names = {"127.0.0.1", "board-1.local"},
                               .server = server,
                               .client = !server},
                              when, world_.entropy);
    return {pair->certificate_pem,      pair->key_pem,      authority_->pair().certificate_pem,
            PeerCertificates::required, {"h2", "http/1.1"}, false};
  }
  Options options(bool server) { return options(authority_, server, world_.clock.wall_now()); }

  std::shared_ptr<const Context> open(Context::Side side, Options given) {
    auto context = Context::open(side, std::move(given), world_.entropy);
    EXPECT_TRUE(context.has_value()) << context.error().message;
    return *context;
  }

  /// Runs the loop until the task has ended.
  void run(Task<void> task) {
    Scope scope(machine_->loop());
    scope.spawn(std::move(task));
    scope.when_idle([this] { machine_->loop().stop(); });
    machine_->loop().run();
  }

  static Task<void> serve(os::World world, std::shared_ptr<const Context> context,
                          std::unique_ptr<os::Stream> lower, StreamResult* out) {
    *out = co_await accept(world, context, std::move(lower));
  }

  static Task<void> shake(os::World world, std::shared_ptr<const Context> server,
                          std::shared_ptr<const Context> client, std::string name, Pair* out) {
    Scope serving(world.executor);
    auto listener = world.network.listen({"127.0.0.1", 0}, [&](std::unique_ptr<os::Stream> lower) {
      serving.spawn(serve(world, server, std::move(lower), &out->server));
    });
    auto lower = co_await async::connect(world.network, (*listener)->address());
    out->client = co_await connect(world, client, std::move(*lower), name);
    if (!out->client) out->client = std::unexpected(out->client.error());
    co_await serving.join();
  }

  Pair shake(Options server, Options client, std::string name = "127.0.0.1") {
    Pair pair;
    run(shake(world_, open(Context::Side::server, std::move(server)),
              open(Context::Side::client, std::move(client)), std::move(name), &pair));
    return pair;
  }

  std::unique_ptr<linux_os::Machine> machine_ = linux_os::Machine::create(LogLevel::error);
  os::World world_ = machine_->world();
  std::optional<pki::Authority> authority_;
  std::optional<pki::Authority> stranger_;
};

}  // namespace tripod::tls
