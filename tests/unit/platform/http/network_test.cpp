// Servers and clients over real sockets, plain and with mutual TLS, and curl as the other side.

#include <gtest/gtest.h>
#include <stdio.h>

#include <atomic>
#include <thread>

#include "platform/grpc/channel.h"
#include "platform/grpc/server.h"
#include "platform/http/network_transport.h"
#include "platform/http/server.h"
#include "platform/linux/machine.h"
#include "platform/pki/authority.h"
#include "platform/tls/stream.h"
#include "tests/unit/platform/http/support.h"

namespace tripod::http {
namespace {

using namespace std::chrono_literals;
using namespace test;

/// Says who asks; everything else as TestHandler.
class NamingHandler final : public Handler {
 public:
  Task<void> handle(std::unique_ptr<Exchange> exchange) override {
    return exchange->request().path == "/who" ? name(std::move(exchange))
                                              : others.handle(std::move(exchange));
  }
  TestHandler others;

 private:
  static Task<void> name(std::unique_ptr<Exchange> exchange) {
    const auto& certificate = exchange->peer().certificate;
    co_await send(*exchange, {}, share(certificate ? certificate->common_name : "nobody"));
  }
};

class NetworkTest : public testing::Test {
 protected:
  ~NetworkTest() override { run(stop()); }
  void run(Task<void> task) {
    Scope scope(machine_->loop());
    scope.spawn(std::move(task));
    scope.when_idle([this] { machine_->loop().stop(); });
    machine_->loop().run();
  }
  Task<void> stop() {
    for (auto& transport : transports_) co_await transport->drain();
    if (server_) co_await server_->drain(world_.clock.now() + 1s);
  }

  tls::Options options(bool server) {
    if (!authority_) {
      authority_ = *pki::Authority::create("tripod", std::chrono::days(1), world_.clock.wall_now(),
                                           world_.entropy);
    }
    auto pair = authority_->issue({.common_name = server ? "server" : "anna",
                                   .organization = {},
                                   .names = {"127.0.0.1"},
                                   .server = server,
                                   .client = !server},
                                  world_.clock.wall_now(), world_.entropy);
    return {pair->certificate_pem,           pair->key_pem,      authority_->pair().certificate_pem,
            tls::PeerCertificates::required, {"h2", "http/1.1"}, false};
  }
  /// Starts the server on a free port.
  void serve(bool secure, Handler* handler = nullptr) {
    TlsAccept accept;
    if (secure) {
      auto context = tls::Context::open(tls::Context::Side::server, options(true), world_.entropy);
      ASSERT_TRUE(context.has_value());
      accept = [this, context = *context](std::unique_ptr<os::Stream> stream) {
        return tls::accept(world_, context, std::move(stream));
      };
    }
    server_ = std::make_unique<Server>(world_.executor, world_.clock,
                                       handler == nullptr ? handler_ : *handler, Limits{},
                                       Logger(world_.log, "http"), accept);
    auto address = server_->listen(world_.network, {"127.0.0.1", 0});
    ASSERT_TRUE(address.has_value());
    port_ = address->port;
  }
  NetworkTransport& client(bool secure, bool http2) {
    NetworkOptions network_options{.host = "127.0.0.1", .port = port_, .http2_without_tls = http2};
    if (secure) {
      tls::Options own = options(false);
      if (!http2) own.alpn = {"http/1.1"};
      auto context = tls::Context::open(tls::Context::Side::client, std::move(own), world_.entropy);
      EXPECT_TRUE(context.has_value());
      network_options.tls = [this, context = *context](std::unique_ptr<os::Stream> stream) {
        return tls::connect(world_, context, std::move(stream), "127.0.0.1");
      };
    }
    transports_.push_back(std::make_unique<NetworkTransport>(world_.executor, world_.clock,
                                                             world_.network, network_options));
    return *transports_.back();
  }

  /// What a command prints, run beside the loop.
  std::string shell(std::string command) {
    std::string output;
    std::atomic<bool> done = false;
    std::thread beside([&] {
      FILE* pipe = popen(command.c_str(), "r");
      char buffer[4096];
      while (const std::size_t size = fread(buffer, 1, sizeof buffer, pipe)) {
        output.append(buffer, size);
      }
      pclose(pipe);
      done = true;
    });
    run(wait_for(&world_.clock, &done));
    beside.join();
    return output;
  }
  static Task<void> wait_for(os::Clock* clock, std::atomic<bool>* done) {
    while (!*done) co_await async::sleep_for(*clock, 5ms);
  }
  static bool has_curl() { return system("curl --version >/dev/null 2>&1") == 0; }

  /// Bodies of all sizes through `transport`, several at once.
  static Task<void> exercise(Transport* transport, os::Executor* executor) {
    Scope scope(*executor);
    for (int i = 0; i < 8; ++i) scope.spawn(echo(transport, 1 << (i * 3)));
    co_await scope.join();
  }
  static Task<void> echo(Transport* transport, int bytes) {
    const Bytes body(static_cast<std::size_t>(bytes), static_cast<char>('a' + bytes % 23));
    auto response = co_await fetch(*transport, {"POST", "/echo", {}, {}, {}}, body, 4 << 20);
    EXPECT_TRUE(response.has_value()) << response.error().to_string();
    if (response) EXPECT_TRUE(response->body == body) << bytes;
  }
  static Task<void> ask_name(Transport* transport, std::string expected) {
    auto response = co_await fetch(*transport, {"GET", "/who", {}, {}, {}}, {}, 100);
    EXPECT_TRUE(response.has_value()) << response.error().to_string();
    if (response) EXPECT_EQ(response->body, expected);
  }

  std::unique_ptr<linux_os::Machine> machine_ = linux_os::Machine::create(LogLevel::error);
  os::World world_ = machine_->world();
  std::optional<pki::Authority> authority_;
  NamingHandler handler_;
  std::unique_ptr<Server> server_;
  std::vector<std::unique_ptr<NetworkTransport>> transports_;
  std::uint16_t port_ = 0;
};

TEST_F(NetworkTest, plain_connections_carry_both_versions) {
  serve(false);
  for (const bool http2 : {false, true}) run(exercise(&client(false, http2), &world_.executor));
  EXPECT_EQ(handler_.others.ended, 16);
  EXPECT_EQ(transports_[0]->connections(), 8U);
  EXPECT_EQ(transports_[1]->connections(), 1U);
  run(ask_name(transports_[1].get(), "nobody"));
}

TEST_F(NetworkTest, mutual_tls_chooses_the_version_and_names_the_peer) {
  serve(true);
  for (const bool http2 : {false, true}) {
    NetworkTransport& transport = client(true, http2);
    run(exercise(&transport, &world_.executor));
    run(ask_name(&transport, "anna"));
    if (http2) EXPECT_EQ(transport.connections(), 1U);
  }
}

TEST_F(NetworkTest, curl_is_served_in_both_versions) {
  if (!has_curl()) GTEST_SKIP() << "no curl here";
  serve(false);
  for (const std::string version :
       {"--http1.1", "--http2-prior-knowledge", "--http2", "--http1.0"}) {
    const std::string curl = std::format("curl -sS --max-time 10 {} ", version);
    const std::string url = std::format("http://127.0.0.1:{}", port_);
    EXPECT_EQ(shell(curl + "'" + url + "/a?b=c' 2>&1"),
              std::format("GET /a b=c 127.0.0.1:{}", port_))
        << version;
    EXPECT_EQ(shell("head -c 2500000 /dev/zero | tr '\\0' x | " + curl +
                    "-H 'Expect: 100-continue' --data-binary @- " + url + "/echo 2>&1 | md5sum"),
              shell("head -c 2500000 /dev/zero | tr '\\0' x | md5sum"))
        << version;
    EXPECT_EQ(
        shell(curl + "-o /dev/null -w '%{http_code} %{size_download}' " + url + "/big/300 2>&1"),
        "200 3000000")
        << version;
    EXPECT_EQ(shell("head -c 4000000 /dev/zero | " + curl +
                    "-o /dev/null -w '%{http_code}' --data-binary @- " + url + "/echo 2>/dev/null"),
              "413")
        << version;
    EXPECT_TRUE(shell(curl + "-I " + url + "/a 2>&1").contains("content-length: 24")) << version;
    EXPECT_NE(shell(curl + "-o /dev/null " + url + "/reset 2>&1"), "") << version;
  }
}

Task<grpc::Reply<Bytes>> echo_message(grpc::CallContext, Bytes message) {
  co_return message;
}

Task<void> call_many(grpc::Channel* channel, int calls) {
  for (int i = 0; i < calls; ++i) {
    auto reply = co_await channel->unary("/pkg.Echo/Echo", std::to_string(i), {.timeout = 5s});
    EXPECT_TRUE(reply.has_value()) << reply.error().message;
    if (reply) EXPECT_EQ(*reply, std::to_string(i));
  }
}

Task<void> call_at_once(grpc::Channel* channel, os::Executor* executor) {
  Scope scope(*executor);
  for (int i = 0; i < 50; ++i) scope.spawn(call_many(channel, 20));
  co_await scope.join();
}

TEST_F(NetworkTest, grpc_calls_share_one_tls_connection) {
  metrics::Registry registry;
  grpc::Server methods(world_.clock, registry);
  methods.add_unary("/pkg.Echo/Echo", echo_message);
  serve(true, &methods);
  grpc::Channel channel(world_.clock, client(true, true));
  run(call_at_once(&channel, &world_.executor));
  EXPECT_EQ(transports_[0]->connections(), 1U);
  EXPECT_TRUE(
      registry.expose().contains("grpc_server_handled_total{grpc_code=\"OK\",grpc_method="
                                 "\"Echo\",grpc_service=\"pkg.Echo\",grpc_type=\"unary\"} 1000"))
      << registry.expose();
}

}  // namespace
}  // namespace tripod::http
