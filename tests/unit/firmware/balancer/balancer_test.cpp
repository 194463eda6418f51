#include "firmware/balancer/balancer.h"

#include <gtest/gtest.h>

#include <format>
#include <map>

#include "platform/async/sync.h"
#include "platform/linux/machine.h"

namespace tripod::balancer {
namespace {

using async::sleep_for;

struct Recorder final : os::StreamObserver {
  void on_data(BytesView data) override {
    received += data;
    changed.notify();
  }
  void on_drained() override {}
  void on_closed(Error reason) override {
    closed = reason;
    changed.notify();
  }
  Bytes received;
  std::optional<Error> closed;
  async::Signal changed;
};

/// A server that greets with its name, echoes, and half-closes after its client did.
class EchoServer {
 public:
  EchoServer(os::World world, std::string name) : world_(world), name_(std::move(name)) { open(0); }

  void open(std::uint16_t port) {
    auto listener = world_.network.listen({"127.0.0.1", port}, [this](auto stream) {
      auto session = std::make_unique<Session>();
      session->stream = std::move(stream);
      session->stream->start(*session);
      session->stream->write(name_);
      sessions_.push_back(std::move(session));
    });
    EXPECT_TRUE(listener.has_value()) << listener.error().message;
    listener_ = std::move(*listener);
    address_ = listener_->address();
  }
  /// As a killed process: nobody listens, all connections break.
  void die() {
    listener_.reset();
    sessions_.clear();
  }
  os::Address address() const { return address_; }
  std::size_t clients() const { return sessions_.size(); }

 private:
  struct Session final : os::StreamObserver {
    void on_data(BytesView data) override { stream->write(Bytes(data)); }
    void on_drained() override {}
    void on_closed(Error) override { stream->finish(); }
    std::unique_ptr<os::Stream> stream;
  };

  os::World world_;
  std::string name_;
  os::Address address_;
  std::unique_ptr<os::Listener> listener_;
  std::vector<std::unique_ptr<Session>> sessions_;
};

/// A client of the balancer; its stream dies before its recorder.
struct Client {
  Recorder recorder;
  std::unique_ptr<os::Stream> stream;
};

class BalancerTest : public testing::Test {
 public:
  BalancerTest() {
    options_.listen = {"127.0.0.1", 0};
    // A free port: nobody else takes it between here and start().
    options_.listen.port = (*world_.network.listen(options_.listen, [](auto) {}))->address().port;
    options_.health_check_interval = Milliseconds(5);
    options_.health_check_timeout = Milliseconds(50);
    options_.drain_timeout = Milliseconds(200);
    for (std::string name : {"a", "b"}) {
      servers_.push_back(std::make_unique<EchoServer>(world_, name));
      options_.backends.push_back(servers_.back()->address());
      ready_[servers_.back()->address()] = true;
    }
  }

  /// Whether the test said so.
  Balancer::Probe probe() {
    return [this](os::Address backend) { return answer(&ready_, backend); };
  }
  static Task<Result<>> answer(std::map<os::Address, bool>* ready, os::Address backend) {
    if ((*ready)[backend]) co_return Result<>{};
    co_return fail(ErrorCode::unavailable, "not ready");
  }

  /// Runs `story` with a started balancer, then stops that.
  using Story = Task<void> (*)(BalancerTest*);
  static Task<void> play(BalancerTest* test, Story story) {
    EXPECT_TRUE(test->balancer_->start().has_value());
    for (std::size_t i = 0; i < test->servers_.size(); ++i) co_await test->until_up(i, true);
    co_await story(test);
    co_await test->balancer_->stop();
  }
  void run(Story story) {
    balancer_ = std::make_unique<Balancer>(options_, probe(), world_, registry_);
    Scope scope(machine_->loop());
    scope.spawn(play(this, story));
    scope.when_idle([this] { machine_->loop().stop(); });
    machine_->loop().run();
  }

  Task<void> until_up(std::size_t backend, bool up) {
    while (balancer_->backends().up(backend) != up) {
      co_await sleep_for(world_.clock, Milliseconds(1));
    }
  }
  /// A client that has heard from its backend, or was turned away.
  Task<std::unique_ptr<Client>> client() {
    auto made = std::make_unique<Client>();
    auto stream = co_await async::connect(world_.network, options_.listen);
    EXPECT_TRUE(stream.has_value()) << stream.error().message;
    made->stream = std::move(*stream);
    made->stream->start(made->recorder);
    while (made->recorder.received.empty() && !made->recorder.closed) {
      co_await made->recorder.changed.wait();
    }
    co_return made;
  }
  double value(const std::string& series) {
    std::string text = registry_.expose();
    std::size_t at = text.find("\n" + series + " ");
    EXPECT_NE(at, std::string::npos) << series << " is not in\n" << text;
    return std::strtod(text.c_str() + at + series.size() + 2, nullptr);
  }
  std::string of_backend(std::string_view name, std::size_t backend) {
    return std::format("tripod_balancer_{}{{backend=\"{}\"}}", name,
                       options_.backends[backend].to_string());
  }

  std::unique_ptr<linux_os::Machine> machine_ = linux_os::Machine::create(LogLevel::error);
  os::World world_ = machine_->world();
  metrics::Registry registry_;
  Options options_;
  std::map<os::Address, bool> ready_;
  std::vector<std::unique_ptr<EchoServer>> servers_;
  std::unique_ptr<Balancer> balancer_;
};

TEST_F(BalancerTest, spreads_clients_and_counts_their_bytes_while_they_are_there) {
  run([](BalancerTest* t) -> Task<void> {
    auto one = co_await t->client();
    auto two = co_await t->client();
    EXPECT_NE(one->recorder.received, two->recorder.received);
    one->stream->write("hello");
    while (one->recorder.received.size() < 6) co_await one->recorder.changed.wait();
    std::size_t backend = one->recorder.received.starts_with("a") ? 0 : 1;
    EXPECT_EQ(t->value(t->of_backend("received_bytes_total", backend)), 5);
    EXPECT_EQ(t->value(t->of_backend("sent_bytes_total", backend)), 6);
    EXPECT_EQ(t->value(t->of_backend("connections", backend)), 1);
    EXPECT_EQ(t->value(t->of_backend("sessions_total", 0)), 1);
    EXPECT_EQ(t->value(t->of_backend("sessions_total", 1)), 1);
  });
}

TEST_F(BalancerTest, megabytes_pass_whole_with_half_close) {
  run([](BalancerTest* t) -> Task<void> {
    auto client = co_await t->client();
    Bytes much;
    for (int i = 0; i < 500; ++i) much += Bytes(10'000, static_cast<char>('a' + i % 26));
    std::string greeting = client->recorder.received;
    client->stream->write(much);
    client->stream->finish();
    while (!client->recorder.closed) co_await client->recorder.changed.wait();
    EXPECT_TRUE(*client->recorder.closed == ErrorCode::closed);
    EXPECT_TRUE(client->recorder.received == greeting + much);
  });
}

TEST_F(BalancerTest, failed_connect_tries_the_next_backend_for_the_same_client) {
  options_.health.fall = 1000;  // probes do not save anyone here
  run([](BalancerTest* t) -> Task<void> {
    t->servers_[0]->die();
    for (int i = 0; i < 3; ++i) {
      auto client = co_await t->client();
      EXPECT_EQ(client->recorder.received, "b");
    }
    EXPECT_GE(t->value(t->of_backend("connect_failures_total", 0)), 1);
    EXPECT_EQ(t->value("tripod_balancer_rejected_total"), 0);
  });
}

TEST_F(BalancerTest, unready_backend_gets_no_clients_until_it_is_ready_again) {
  run([](BalancerTest* t) -> Task<void> {
    t->ready_[t->servers_[1]->address()] = false;
    co_await t->until_up(1, false);
    EXPECT_EQ(t->value(t->of_backend("backend_up", 1)), 0);
    for (int i = 0; i < 4; ++i) EXPECT_EQ((co_await t->client())->recorder.received, "a");
    t->ready_[t->servers_[1]->address()] = true;
    co_await t->until_up(1, true);
    EXPECT_EQ(t->value(t->of_backend("backend_up", 1)), 1);
    auto one = co_await t->client();
    auto two = co_await t->client();
    EXPECT_NE(one->recorder.received, two->recorder.received);
  });
}

TEST_F(BalancerTest, clients_of_a_backend_that_died_are_told_at_once) {
  run([](BalancerTest* t) -> Task<void> {
    auto client = co_await t->client();
    for (auto& server : t->servers_) {
      if (client->recorder.received != (server == t->servers_[0] ? "a" : "b")) continue;
      server->die();
    }
    while (!client->recorder.closed) co_await client->recorder.changed.wait();
    EXPECT_EQ((co_await t->client())->recorder.received.size(), 1U) << "the other one serves";
  });
}

TEST_F(BalancerTest, without_any_backend_clients_are_turned_away) {
  run([](BalancerTest* t) -> Task<void> {
    for (auto& server : t->servers_) server->die();
    auto client = co_await t->client();
    EXPECT_TRUE(client->recorder.closed.has_value());
    EXPECT_EQ(t->value("tripod_balancer_rejected_total"), 1);
  });
}

TEST_F(BalancerTest, connections_are_bounded) {
  options_.max_connections = 2;
  run([](BalancerTest* t) -> Task<void> {
    auto one = co_await t->client();
    auto two = co_await t->client();
    auto three = co_await t->client();
    EXPECT_TRUE(three->recorder.received.empty());
    EXPECT_TRUE(three->recorder.closed.has_value());
    one->stream.reset();
    while (t->servers_[0]->clients() == 0) co_await sleep_for(t->world_.clock, Milliseconds(1));
    co_await sleep_for(t->world_.clock, Milliseconds(20));
    auto four = co_await t->client();
    EXPECT_EQ(four->recorder.received.size(), 1U);
  });
}

TEST_F(BalancerTest, stop_lets_clients_finish_then_breaks_those_that_stay) {
  options_.drain_timeout = Milliseconds(300);
  run([](BalancerTest* t) -> Task<void> {
    auto quick = co_await t->client();
    auto slow = co_await t->client();
    Scope stopping(t->world_.executor);
    stopping.spawn(t->balancer_->stop());
    co_await sleep_for(t->world_.clock, Milliseconds(20));
    auto late = co_await async::connect(t->world_.network, t->options_.listen);
    EXPECT_FALSE(late.has_value());
    quick->stream->write("!");
    quick->stream->finish();
    while (!quick->recorder.closed) co_await quick->recorder.changed.wait();
    EXPECT_EQ(quick->recorder.received.substr(1), "!");
    EXPECT_FALSE(slow->recorder.closed.has_value());
    co_await stopping.join();
    while (!slow->recorder.closed) co_await slow->recorder.changed.wait();
  });
}

}  // namespace
}  // namespace tripod::balancer
