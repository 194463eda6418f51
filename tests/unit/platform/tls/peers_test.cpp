// TLS with other people's programs: OpenSSL's on both sides, and kubectl, which is a Go client.

#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <format>

#include "tests/unit/platform/tls/support.h"

namespace tripod::tls {
namespace {

bool installed(const std::string& program) {
  return std::system(("command -v " + program + " > /dev/null").c_str()) == 0;
}

/// A shell command beside the test, its output in a file; killed when the test is done with it.
class Child {
 public:
  Child(const std::string& command, std::string output) : output_(std::move(output)) {
    std::string line = std::format("exec {} > {} 2>&1", command, output_);
    const char* arguments[] = {"sh", "-c", line.c_str(), nullptr};
    EXPECT_EQ(
        posix_spawn(&pid_, "/bin/sh", nullptr, nullptr, const_cast<char**>(arguments), environ), 0);
  }
  ~Child() {
    if (ended()) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  bool ended() {
    if (!ended_) ended_ = waitpid(pid_, &status_, WNOHANG) == pid_;
    return ended_;
  }
  int exit_code() const { return WIFEXITED(status_) ? WEXITSTATUS(status_) : -1; }
  std::string output(os::Storage& storage) const {
    return storage.read_file(output_, 1 << 20).value_or("");
  }

 private:
  std::string output_;
  pid_t pid_ = 0;
  int status_ = 0;
  bool ended_ = false;
};

class TlsPeersTest : public TlsTest {
 protected:
  TlsPeersTest() {
    std::string pattern = testing::TempDir() + "tripod-tls-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    Options server = options(true);
    Options client = options(false);
    put("ca.crt", server.authority_pem);
    put("server.crt", server.certificate_pem);
    put("server.key", server.key_pem);
    put("client.crt", client.certificate_pem);
    put("client.key", client.key_pem);
  }
  ~TlsPeersTest() override { EXPECT_EQ(std::system(std::format("rm -r {}", folder_).c_str()), 0); }

  std::string path(std::string_view name) const { return std::format("{}/{}", folder_, name); }
  void put(std::string_view name, const std::string& content) {
    EXPECT_TRUE(world_.storage.replace_file(path(name), content, 0600).has_value());
  }

  /// Answers the first bytes of one connection with `answer`, then closes; what it saw.
  struct Served {
    std::string request;
    std::string alpn;
    std::string common_name;
    std::optional<Error> error;
  };
  static Task<void> serve_one(os::World world, std::shared_ptr<const Context> context,
                              std::unique_ptr<os::Stream> lower, std::string answer, Served* out) {
    auto stream = co_await accept(world, context, std::move(lower));
    if (!stream) {
      out->error = stream.error();
      co_return;
    }
    Recorder recorder;
    (*stream)->start(recorder);
    while (recorder.received.empty() && !recorder.closed) co_await recorder.changed.wait();
    out->request = recorder.received;
    out->alpn = (*stream)->tls()->alpn;
    if (auto peer = (*stream)->tls()->certificate) out->common_name = peer->common_name;
    (*stream)->write(answer);
    (*stream)->finish();
    while (!recorder.closed) co_await recorder.changed.wait();
  }

  /// Runs `command`, which holds "{}" for host and port, against a server of ours.
  static Task<void> talk_to(os::World world, std::shared_ptr<const Context> context,
                            std::string command, std::string output, std::string answer,
                            Served* out, std::string* printed, int* exit_code) {
    Scope serving(world.executor);
    auto listener = world.network.listen({"127.0.0.1", 0}, [&](std::unique_ptr<os::Stream> lower) {
      serving.spawn(serve_one(world, context, std::move(lower), answer, out));
    });
    std::string address = (*listener)->address().to_string();
    command.replace(command.find("{}"), 2, address);
    Child child(command, output);
    while (!child.ended()) co_await async::sleep_for(world.clock, Milliseconds(5));
    *printed = child.output(world.storage);
    *exit_code = child.exit_code();
    co_await serving.join();
  }

  Served talk_to(const Options& server, const std::string& command, const std::string& answer) {
    Served served;
    run(talk_to(world_, open(Context::Side::server, server), command, path("output"), answer,
                &served, &printed_, &exit_code_));
    return served;
  }

  std::string openssl_client(std::string_view more) const {
    return std::format(
        "openssl s_client -connect {{}} -CAfile {} -cert {} -key {} -verify_return_error "
        "-verify_ip "
        "127.0.0.1 -alpn h2,http/1.1 -ign_eof {} < {}",
        path("ca.crt"), path("client.crt"), path("client.key"), more, path("request"));
  }

  std::string folder_;
  std::string printed_;
  int exit_code_ = -1;
};

TEST_F(TlsPeersTest, openssl_client_speaks_both_versions) {
  if (!installed("openssl")) GTEST_SKIP() << "no openssl here";
  put("request", "hello\n");
  for (std::string_view version : {"-tls1_3", "-tls1_2"}) {
    Served served = talk_to(options(true), openssl_client(version), "good day\n");
    EXPECT_FALSE(served.error) << served.error->message << printed_;
    EXPECT_EQ(served.request, "hello\n") << printed_;
    EXPECT_EQ(served.alpn, "h2");
    EXPECT_EQ(served.common_name, "anna");
    EXPECT_TRUE(printed_.contains("good day")) << printed_;
    EXPECT_TRUE(printed_.contains("Verify return code: 0 (ok)")) << printed_;
    EXPECT_TRUE(printed_.contains(version == "-tls1_3" ? "TLSv1.3" : "TLSv1.2")) << printed_;
  }
}

TEST_F(TlsPeersTest, openssl_client_is_asked_for_a_share_of_a_group_that_is_cheap) {
  if (!installed("openssl")) GTEST_SKIP() << "no openssl here";
  put("request", "hello\n");
  // The client sends a share of the first; the server asks for the second (HelloRetryRequest).
  Served served =
      talk_to(options(true), openssl_client("-tls1_3 -groups ffdhe8192:P-256"), "good day\n");
  EXPECT_FALSE(served.error) << served.error->message << printed_;
  EXPECT_EQ(served.request, "hello\n") << printed_;
  EXPECT_TRUE(printed_.contains("Server Temp Key: ECDH, prime256v1")) << printed_;
  talk_to(options(true), openssl_client("-tls1_3 -groups ffdhe8192"), "");
  EXPECT_NE(exit_code_, 0) << "seconds of work for one stranger";
}

TEST_F(TlsPeersTest, old_versions_are_refused) {
  if (!installed("openssl")) GTEST_SKIP() << "no openssl here";
  put("request", "hello\n");
  Served served = talk_to(options(true), openssl_client("-tls1_1 -cipher ALL@SECLEVEL=0"), "");
  EXPECT_TRUE(served.error) << printed_;
  EXPECT_NE(exit_code_, 0);
}

TEST_F(TlsPeersTest, chacha20_is_preferred_where_asked_for) {
  if (!installed("openssl")) GTEST_SKIP() << "no openssl here";
  put("request", "hello\n");
  Options server = options(true);
  server.prefer_chacha20 = true;
  talk_to(server, openssl_client("-tls1_2"), "good day\n");
  EXPECT_TRUE(printed_.contains("ECDHE-ECDSA-CHACHA20-POLY1305")) << printed_;
}

TEST_F(TlsPeersTest, openssl_server_is_verified_and_verifies) {
  if (!installed("openssl")) GTEST_SKIP() << "no openssl here";
  for (std::string version : {"-tls1_3", "-tls1_2"}) {
    auto talk = [](os::World world, std::shared_ptr<const Context> context, std::string command,
                   std::string output) -> Task<void> {
      std::uint16_t port = 0;
      {
        auto free = world.network.listen({"127.0.0.1", 0}, [](auto) {});
        port = (*free)->address().port;
      }
      command.replace(command.find("{}"), 2, std::format("127.0.0.1:{}", port));
      Child child(command, output);
      StreamResult lower = fail(ErrorCode::unavailable, "not yet");
      while (!lower && !child.ended()) {
        co_await async::sleep_for(world.clock, Milliseconds(10));
        lower = co_await async::connect(world.network, {"127.0.0.1", port});
      }
      EXPECT_TRUE(lower.has_value()) << child.output(world.storage);
      if (!lower) co_return;
      auto stream = co_await connect(world, context, std::move(*lower), "127.0.0.1");
      EXPECT_TRUE(stream.has_value()) << stream.error().message;
      if (!stream) co_return;
      EXPECT_EQ((*stream)->tls()->alpn, "h2");
      EXPECT_EQ((*stream)->tls()->certificate->common_name, "server");
      Recorder recorder;
      (*stream)->start(recorder);
      (*stream)->write("desserts\n");
      while (!recorder.received.contains("stressed") && !recorder.closed) {
        co_await recorder.changed.wait();
      }
      EXPECT_EQ(recorder.received, "stressed\n") << child.output(world.storage);
    };
    std::string command = std::format(
        "openssl s_server -accept {{}} -CAfile {} -cert {} -key {} -Verify 1 -verify_return_error "
        "-alpn h2 -rev {}",
        path("ca.crt"), path("server.crt"), path("server.key"), version);
    run(talk(world_, open(Context::Side::client, options(false)), command, path("output")));
  }
}

TEST_F(TlsPeersTest, kubectl_hears_why_it_is_refused) {
  if (!installed("kubectl")) GTEST_SKIP() << "no kubectl here";
  Options server = options(true);
  server.alpn = {"http/1.1"};
  Options stranger = options(stranger_, false, world_.clock.wall_now());
  put("client.crt", stranger.certificate_pem);
  put("client.key", stranger.key_pem);
  std::string command = std::format(
      "env HOME={} kubectl --server=https://{{}} --certificate-authority={} "
      "--client-certificate={} "
      "--client-key={} get --raw /readyz",
      folder_, path("ca.crt"), path("client.crt"), path("client.key"));
  Served served = talk_to(server, command, "");
  ASSERT_TRUE(served.error.has_value());
  EXPECT_TRUE(served.error->message.contains("is not signed by the configured CA"));
  EXPECT_TRUE(printed_.contains("unknown certificate authority")) << printed_;
}

TEST_F(TlsPeersTest, kubectl_speaks_with_a_certificate) {
  if (!installed("kubectl")) GTEST_SKIP() << "no kubectl here";
  Options server = options(true);
  server.alpn = {"http/1.1"};
  server.peers = PeerCertificates::optional;
  std::string command = std::format(
      "env HOME={} kubectl --server=https://{{}} --certificate-authority={} "
      "--client-certificate={} "
      "--client-key={} get --raw /readyz",
      folder_, path("ca.crt"), path("client.crt"), path("client.key"));
  Served served = talk_to(server, command,
                          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
  EXPECT_FALSE(served.error) << served.error->message << printed_;
  EXPECT_TRUE(served.request.starts_with("GET /readyz HTTP/1.1\r\n")) << served.request;
  EXPECT_EQ(served.common_name, "anna");
  EXPECT_EQ(printed_, "ok");
  EXPECT_EQ(exit_code_, 0);
}

}  // namespace
}  // namespace tripod::tls
