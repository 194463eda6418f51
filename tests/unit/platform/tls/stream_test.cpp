#include "platform/tls/stream.h"

#include "platform/tls/context_state.h"
#include "tests/unit/platform/tls/support.h"

namespace tripod::tls {
namespace {

TEST_F(TlsTest, both_sides_learn_who_the_other_is) {
  Pair pair = shake(options(true), options(false));
  ASSERT_TRUE(pair.server.has_value()) << pair.server.error().message;
  ASSERT_TRUE(pair.client.has_value()) << pair.client.error().message;
  const os::TlsInfo* seen = (*pair.server)->tls();
  EXPECT_EQ(seen->alpn, "h2");
  ASSERT_TRUE(seen->certificate);
  EXPECT_EQ(seen->certificate->common_name, "anna");
  EXPECT_EQ(seen->certificate->organizations, std::vector<std::string>{"system:masters"});
  EXPECT_EQ((*pair.client)->tls()->certificate->common_name, "server");
}

TEST_F(TlsTest, carries_megabytes_whole_with_backpressure) {
  Pair pair = shake(options(true), options(false));
  ASSERT_TRUE(pair.server && pair.client);
  auto talk = [](os::World world, Pair* both) -> Task<void> {
    Recorder server;
    Recorder client;
    (*both->server)->start(server);
    (*both->client)->start(client);
    Bytes expected;
    for (int i = 0; i < 300; ++i) expected += Bytes(10'000, static_cast<char>('a' + i % 26));
    (*both->server)->set_reading(false);
    (*both->client)->write(expected);
    co_await async::sleep_for(world.clock, Milliseconds(50));
    EXPECT_LT(server.received.size(), expected.size());
    (*both->server)->set_reading(true);
    while (server.received.size() < expected.size()) co_await server.changed.wait();
    EXPECT_TRUE(server.received == expected);
    (*both->server)->finish();
    while (!client.closed) co_await client.changed.wait();
    EXPECT_TRUE(*client.closed == ErrorCode::closed);
  };
  run(talk(world_, &pair));
}

TEST_F(TlsTest, server_refuses_a_stranger_and_says_why) {
  Pair pair = shake(options(true), options(stranger_, false, world_.clock.wall_now()));
  ASSERT_FALSE(pair.server.has_value());
  EXPECT_TRUE(pair.server.error() == ErrorCode::denied) << pair.server.error().message;
  EXPECT_TRUE(pair.server.error().message.contains("is not signed by the configured CA"))
      << pair.server.error().message;
}

TEST_F(TlsTest, expired_certificate_is_refused) {
  auto long_ago = world_.clock.wall_now() - std::chrono::days(400);
  auto old = *pki::Authority::create("tripod", std::chrono::days(4000), long_ago, world_.entropy);
  auto pair = old.issue({.common_name = "anna", .client = true, .lifetime = std::chrono::days(1)},
                        long_ago, world_.entropy);
  Options server = options(true);
  server.authority_pem = old.pair().certificate_pem;
  Options client = options(false);
  client.certificate_pem = pair->certificate_pem;
  client.key_pem = pair->key_pem;
  Pair both = shake(server, client);
  ASSERT_FALSE(both.server.has_value());
  std::string expected = "expired on " + to_rfc3339(long_ago + std::chrono::days(1));
  EXPECT_TRUE(both.server.error().message.contains(expected)) << both.server.error().message;
}

TEST_F(TlsTest, no_certificate_is_refused_when_required_and_seen_as_none_when_optional) {
  Options client = options(false);
  client.certificate_pem.clear();
  client.key_pem.clear();
  Pair refused = shake(options(true), client);
  ASSERT_FALSE(refused.server.has_value());
  EXPECT_TRUE(refused.server.error() == ErrorCode::denied) << refused.server.error().message;
  EXPECT_TRUE(refused.server.error().message.contains("showed no certificate"));
  Options server = options(true);
  server.peers = PeerCertificates::optional;
  Pair accepted = shake(server, client);
  ASSERT_TRUE(accepted.server.has_value()) << accepted.server.error().message;
  EXPECT_EQ((*accepted.server)->tls()->certificate, nullptr);
}

TEST_F(TlsTest, optional_but_bad_certificate_proves_nothing) {
  Options server = options(true);
  server.peers = PeerCertificates::optional;
  Pair pair = shake(server, options(stranger_, false, world_.clock.wall_now()));
  ASSERT_TRUE(pair.server.has_value()) << pair.server.error().message;
  EXPECT_EQ((*pair.server)->tls()->certificate, nullptr);
}

TEST_F(TlsTest, client_refuses_a_server_of_another_name) {
  EXPECT_TRUE(shake(options(true), options(false), "board-1.local").client.has_value());
  Pair pair = shake(options(true), options(false), "127.0.0.2");
  ASSERT_FALSE(pair.client.has_value());
  EXPECT_TRUE(pair.client.error() == ErrorCode::denied) << pair.client.error().message;
  EXPECT_TRUE(pair.client.error().message.contains("does not name 127.0.0.2"))
      << pair.client.error().message;
}

TEST_F(TlsTest, certificate_for_the_other_side_is_refused) {
  Options client = options(true);  // server authentication only
  Pair pair = shake(options(true), client);
  ASSERT_FALSE(pair.server.has_value());
  EXPECT_TRUE(pair.server.error().message.contains("key usage")) << pair.server.error().message;
}

TEST_F(TlsTest, a_client_that_comes_again_is_not_verified_anew) {
  auto server = open(Context::Side::server, options(true));
  auto anna = open(Context::Side::client, options(false));
  for (int connection = 0; connection < 3; ++connection) {
    Pair pair;
    run(shake(world_, server, anna, "127.0.0.1", &pair));
    ASSERT_TRUE(pair.server.has_value()) << pair.server.error().message;
    EXPECT_EQ((*pair.server)->tls()->certificate->common_name, "anna");
  }
  EXPECT_EQ(server->state().clients.verifications(), 1U);
  // Another certificate of hers is another chain, and a stranger's is refused each time.
  Pair renewed;
  run(shake(world_, server, open(Context::Side::client, options(false)), "127.0.0.1", &renewed));
  EXPECT_TRUE(renewed.server.has_value());
  EXPECT_EQ(server->state().clients.verifications(), 2U);
  auto stranger = open(Context::Side::client, options(stranger_, false, world_.clock.wall_now()));
  for (int connection = 0; connection < 2; ++connection) {
    Pair pair;
    run(shake(world_, server, stranger, "127.0.0.1", &pair));
    EXPECT_FALSE(pair.server.has_value());
  }
  EXPECT_EQ(server->state().clients.verifications(), 4U);
}

TEST_F(TlsTest, a_client_known_already_is_refused_once_its_certificate_is_over) {
  auto pair = authority_->issue(
      {.common_name = "anna", .client = true, .lifetime = std::chrono::seconds(6)},
      world_.clock.wall_now(), world_.entropy);
  Options short_lived = options(false);
  short_lived.certificate_pem = pair->certificate_pem;
  short_lived.key_pem = pair->key_pem;
  auto server = open(Context::Side::server, options(true));
  auto anna = open(Context::Side::client, short_lived);
  Pair known;
  run(shake(world_, server, anna, "127.0.0.1", &known));
  ASSERT_TRUE(known.server.has_value()) << known.server.error().message;
  auto wait = [](os::World world) -> Task<void> {
    co_await async::sleep_for(world.clock, std::chrono::seconds(8));
  };
  run(wait(world_));
  Pair late;
  run(shake(world_, server, anna, "127.0.0.1", &late));
  ASSERT_FALSE(late.server.has_value());
  EXPECT_TRUE(late.server.error().message.contains("expired on")) << late.server.error().message;
}

TEST_F(TlsTest, refused_client_hears_why) {
  auto listen = [](os::Stream* client, std::string reason) -> Task<void> {
    Recorder recorder;
    client->start(recorder);
    while (!recorder.closed) co_await recorder.changed.wait();
    EXPECT_TRUE(*recorder.closed == ErrorCode::denied);
    EXPECT_TRUE(recorder.closed->message.contains(reason)) << recorder.closed->message;
  };
  Pair pair = shake(options(true), options(stranger_, false, world_.clock.wall_now()));
  ASSERT_TRUE(pair.client.has_value()) << "TLS 1.3 clients are done before they are judged";
  run(listen(pair.client->get(), "unknown CA"));
  Options bare = options(false);
  bare.certificate_pem.clear();
  pair = shake(options(true), bare);
  ASSERT_TRUE(pair.client.has_value());
  run(listen(pair.client->get(), "certificate required"));
}

/// What a client sends right behind its last handshake message, before the server is done with it.
TEST_F(TlsTest, much_data_behind_the_handshake_arrives) {
  auto talk = [](os::World world, std::shared_ptr<const Context> server,
                 std::shared_ptr<const Context> client) -> Task<void> {
    StreamResult accepted = fail(ErrorCode::unavailable, "not yet");
    Scope serving(world.executor);
    auto listener = world.network.listen({"127.0.0.1", 0}, [&](std::unique_ptr<os::Stream> lower) {
      serving.spawn(serve(world, server, std::move(lower), &accepted));
    });
    auto lower = co_await async::connect(world.network, (*listener)->address());
    auto stream = co_await connect(world, client, std::move(*lower), "127.0.0.1");
    EXPECT_TRUE(stream.has_value()) << stream.error().message;
    Recorder sender;
    (*stream)->start(sender);
    Bytes much(2'000'000, 'm');
    (*stream)->write(much);
    co_await serving.join();
    EXPECT_TRUE(accepted.has_value()) << accepted.error().message;
    if (!accepted) co_return;
    Recorder recorder;
    (*accepted)->start(recorder);
    while (recorder.received.size() < much.size()) co_await recorder.changed.wait();
    EXPECT_TRUE(recorder.received == much);
  };
  run(talk(world_, open(Context::Side::server, options(true)),
           open(Context::Side::client, options(false))));
}

TEST_F(TlsTest, broken_connection_is_told_even_when_not_reading) {
  Pair pair = shake(options(true), options(false));
  ASSERT_TRUE(pair.server && pair.client);
  auto talk = [](Pair* both) -> Task<void> {
    Recorder server;
    Recorder client;
    (*both->server)->start(server);
    (*both->client)->start(client);
    (*both->server)->set_reading(false);
    (*both->client)->set_reading(false);
    (*both->server)->write(Bytes(8'000'000, 'x'));
    (*both->client)->write("unread");
    EXPECT_GT((*both->server)->queued_bytes(), 0U);
    both->client->reset();
    while (!server.closed) co_await server.changed.wait();
    EXPECT_FALSE(*server.closed == ErrorCode::closed) << server.closed->message;
    EXPECT_EQ((*both->server)->queued_bytes(), 0U);
  };
  run(talk(&pair));
}

TEST_F(TlsTest, bytes_that_are_no_tls_end_the_handshake) {
  auto talk = [](os::World world, Options server) -> Task<void> {
    auto context = Context::open(Context::Side::server, server, world.entropy);
    StreamResult result = fail(ErrorCode::unavailable, "not yet");
    Scope serving(world.executor);
    auto listener = world.network.listen({"127.0.0.1", 0}, [&](std::unique_ptr<os::Stream> lower) {
      serving.spawn(serve(world, *context, std::move(lower), &result));
    });
    auto client = co_await async::connect(world.network, (*listener)->address());
    Recorder recorder;
    (*client)->start(recorder);
    (*client)->write("GET / HTTP/1.1\r\n\r\n");
    while (!recorder.closed) co_await recorder.changed.wait();
    client->reset();
    co_await serving.join();
    EXPECT_FALSE(result.has_value());
  };
  run(talk(world_, options(true)));
}

TEST_F(TlsTest, context_refuses_a_key_of_another_certificate) {
  Options mixed = options(true);
  mixed.key_pem = options(true).key_pem;
  EXPECT_FALSE(Context::open(Context::Side::server, mixed, world_.entropy).has_value());
  mixed.certificate_pem = "junk";
  EXPECT_FALSE(Context::open(Context::Side::server, mixed, world_.entropy).has_value());
}

TEST_F(TlsTest, context_refuses_what_could_never_shake_hands) {
  Options bare = options(true);
  bare.certificate_pem.clear();
  EXPECT_FALSE(Context::open(Context::Side::server, bare, world_.entropy).has_value());
  Options trusting = options(false);
  trusting.authority_pem.clear();
  EXPECT_FALSE(Context::open(Context::Side::client, trusting, world_.entropy).has_value());
}

}  // namespace
}  // namespace tripod::tls
