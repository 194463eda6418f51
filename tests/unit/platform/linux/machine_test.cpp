#include "platform/linux/machine.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <semaphore>
#include <thread>

#include "platform/async/sync.h"

namespace tripod::linux_os {
namespace {

using async::run_on;
using async::sleep_for;

class MachineTest : public testing::Test {
 protected:
  /// Runs the loop until the task has ended.
  void run(Task<void> task) {
    Scope scope(machine_->loop());
    scope.spawn(std::move(task));
    scope.when_idle([this] { machine_->loop().stop(); });
    machine_->loop().run();
  }

  std::unique_ptr<Machine> machine_ = Machine::create(LogLevel::error);
  os::World world_ = machine_->world();
};

struct Recorder final : os::StreamObserver {
  void on_data(BytesView data) override { received += data; }
  void on_drained() override { ++drained; }
  void on_closed(Error reason) override {
    closed = reason;
    ended.notify();
  }
  Bytes received;
  int drained = 0;
  std::optional<Error> closed;
  async::Signal ended;
};

TEST_F(MachineTest, timers_ring_in_order_and_not_early) {
  std::vector<int> rang;
  auto wait = [](os::Clock* clock, int ms, std::vector<int>* out) -> Task<void> {
    MonotonicTime until = clock->now() + Milliseconds(ms);
    co_await sleep_for(*clock, Milliseconds(ms));
    EXPECT_GE(clock->now(), until);
    out->push_back(ms);
  };
  Scope scope(machine_->loop());
  for (int ms : {200, 5, 80}) scope.spawn(wait(&world_.clock, ms, &rang));
  scope.when_idle([this] { machine_->loop().stop(); });
  machine_->loop().run();
  EXPECT_EQ(rang, (std::vector<int>{5, 80, 200}));
}

TEST_F(MachineTest, destroyed_timer_does_not_ring) {
  bool rang = false;
  auto timer = world_.clock.call_at(world_.clock.now(), [&] { rang = true; });
  timer.reset();
  auto other = world_.clock.call_at(world_.clock.now() + Milliseconds(5),
                                    [this] { machine_->loop().stop(); });
  machine_->loop().run();
  EXPECT_FALSE(rang);
}

TEST_F(MachineTest, lanes_run_in_order_beside_the_loop) {
  auto work = [](os::Lane* lane, std::vector<int>* order, int number) -> Task<void> {
    int back = co_await run_on(*lane, [number] { return number; });
    order->push_back(back);
  };
  std::vector<int> order;
  Scope scope(machine_->loop());
  for (int i = 0; i < 50; ++i) scope.spawn(work(&world_.storage_lane, &order, i));
  scope.when_idle([this] { machine_->loop().stop(); });
  machine_->loop().run();
  EXPECT_EQ(order.size(), 50U);
  EXPECT_TRUE(std::ranges::is_sorted(order));
}

TEST_F(MachineTest, a_loop_that_was_stopped_before_it_ran_ends) {
  auto other = Machine::create(LogLevel::error);
  other->loop().stop();
  other->loop().run();
  other.reset();
}

TEST_F(MachineTest, a_lane_begins_when_the_turn_has_ended) {
  std::atomic<bool> begun = false;
  bool begun_within_the_turn = true;
  world_.executor.post([&] {
    world_.storage_lane.run([&] { begun = true; }, [this] { machine_->loop().stop(); });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    begun_within_the_turn = begun;
  });
  machine_->loop().run();
  EXPECT_FALSE(begun_within_the_turn);
  EXPECT_TRUE(begun);
}

TEST_F(MachineTest, a_lane_begins_before_the_end_of_the_turn_when_asked_to) {
  std::binary_semaphore begun(0);
  bool begun_within_the_turn = false;
  world_.executor.post([&] {
    world_.storage_lane.begin_now();  // nothing to begin
    world_.storage_lane.run([&] { begun.release(); }, [this] { machine_->loop().stop(); });
    world_.storage_lane.begin_now();
    begun_within_the_turn = begun.try_acquire_for(std::chrono::seconds(20));
    world_.storage_lane.begin_now();  // once is enough
  });
  machine_->loop().run();
  EXPECT_TRUE(begun_within_the_turn);
}

TEST_F(MachineTest, bytes_cross_a_connection_whole_and_in_order) {
  auto talk = [](os::World world) -> Task<void> {
    Recorder server_side;
    std::unique_ptr<os::Stream> accepted;
    auto listener = world.network.listen({"127.0.0.1", 0}, [&](std::unique_ptr<os::Stream> stream) {
      accepted = std::move(stream);
      accepted->start(server_side);
    });
    EXPECT_TRUE(listener.has_value());
    auto client = co_await async::connect(world.network, (*listener)->address());
    EXPECT_TRUE(client.has_value());
    Recorder client_side;
    (*client)->start(client_side);
    Bytes expected;
    for (int i = 0; i < 2000; ++i) {
      Bytes piece(static_cast<std::size_t>(i), static_cast<char>('a' + i % 26));
      expected += piece;
      (*client)->write(piece);
    }
    EXPECT_EQ((*client)->queued_bytes(), expected.size());
    (*client)->finish();
    co_await server_side.ended.wait();
    EXPECT_TRUE(server_side.received == expected);
    EXPECT_TRUE(*server_side.closed == ErrorCode::closed);
    EXPECT_GT(client_side.drained, 0);
    EXPECT_EQ((*client)->queued_bytes(), 0U);
    accepted->write("answer after the end");
    accepted->finish();
    co_await client_side.ended.wait();
    EXPECT_EQ(client_side.received, "answer after the end");
  };
  run(talk(world_));
}

TEST_F(MachineTest, refused_connection_says_so) {
  auto talk = [](os::World world) -> Task<void> {
    std::uint16_t port = 0;
    {
      auto listener = world.network.listen({"127.0.0.1", 0}, [](auto) {});
      EXPECT_TRUE(listener.has_value());
      port = (*listener)->address().port;
      auto twice = world.network.listen({"127.0.0.1", port}, [](auto) {});
      EXPECT_FALSE(twice.has_value());
      EXPECT_TRUE(twice.error() == ErrorCode::conflict) << twice.error().message;
    }
    co_await sleep_for(world.clock, Milliseconds(1));
    auto client = co_await async::connect(world.network, {"127.0.0.1", port});
    EXPECT_FALSE(client.has_value());
    EXPECT_TRUE(client.error() == ErrorCode::refused) << client.error().message;
  };
  run(talk(world_));
}

TEST_F(MachineTest, replaced_file_holds_the_new_content) {
  char folder[] = "/tmp/tripod-test-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  std::string path = std::string(folder) + "/a/b/file";
  ASSERT_TRUE(world_.storage.make_directories(std::string(folder) + "/a/b", 0700).has_value());
  EXPECT_TRUE(world_.storage.replace_file(path, "old", 0600).has_value());
  EXPECT_TRUE(world_.storage.replace_file(path, "new", 0600).has_value());
  EXPECT_EQ(world_.storage.read_file(path, 100).value(), "new");
  EXPECT_TRUE(world_.storage.read_file(path, 2).error() == ErrorCode::too_large);
  EXPECT_EQ(world_.storage.list(std::string(folder) + "/a/b").value(),
            std::vector<std::string>{"file"});
  EXPECT_TRUE(world_.storage.read_file(path + "x", 2).error() == ErrorCode::not_found);
  EXPECT_TRUE(world_.storage.remove_file(path).has_value());
  EXPECT_EQ(system(("rm -r " + std::string(folder)).c_str()), 0);
}

TEST_F(MachineTest, numeric_hosts_resolve_to_themselves) {
  auto ask = [](os::World world) -> Task<void> {
    for (std::string host : {"127.0.0.1", "::1"}) {
      EXPECT_EQ(*co_await async::resolve(world.network, host), std::vector<std::string>{host});
    }
    auto nowhere = co_await async::resolve(world.network, "no such host");
    EXPECT_FALSE(nowhere.has_value());
  };
  run(ask(world_));
}

TEST_F(MachineTest, stop_before_run_is_not_lost) {
  machine_->loop().stop();
  machine_->loop().run();
  bool ran = false;
  machine_->loop().post([&] {
    ran = true;
    machine_->loop().stop();
  });
  machine_->loop().run();
  EXPECT_TRUE(ran);
}

TEST_F(MachineTest, signal_calls_back_and_an_idle_loop_sleeps) {
  int hangups = 0;
  machine_->loop().on_signal(SIGHUP, [&] {
    if (++hangups == 1) machine_->loop().stop();
  });
  double before = world_.board.usage().cpu_seconds;
  auto alarm = world_.clock.call_at(world_.clock.now() + Milliseconds(300), [] { raise(SIGHUP); });
  machine_->loop().run();
  EXPECT_EQ(hangups, 1);
  EXPECT_LT(world_.board.usage().cpu_seconds - before, 0.1);
}

TEST_F(MachineTest, posted_callbacks_run_in_order_and_let_timers_ring) {
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) {
    machine_->loop().post([&, i] {
      order.push_back(i);
      machine_->loop().post([&, i] { order.push_back(10 + i); });
    });
  }
  std::function<void()> forever = [&] { machine_->loop().post([&] { forever(); }); };
  forever();
  auto timer = world_.clock.call_at(world_.clock.now() + Milliseconds(5), [&] {
    forever = [] {};
    machine_->loop().stop();
  });
  machine_->loop().run();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 10, 11, 12}));
}

int plain_socket() {
  return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/// Lowers the limit on descriptors to those in use, for as long as it lives.
class NoDescriptorsLeft {
 public:
  NoDescriptorsLeft() {
    getrlimit(RLIMIT_NOFILE, &before_);
    int lowest_free = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
    close(lowest_free);
    rlimit none{static_cast<rlim_t>(lowest_free), before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoDescriptorsLeft() { setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptorsLeft(const NoDescriptorsLeft&) = delete;
  NoDescriptorsLeft& operator=(const NoDescriptorsLeft&) = delete;

 private:
  rlimit before_{};
};

TEST_F(MachineTest, out_of_descriptors_it_turns_clients_away_without_spinning) {
  auto talk = [](os::World world) -> Task<void> {
    int accepted = 0;
    std::vector<std::unique_ptr<os::Stream>> kept;
    auto listener = world.network.listen({"127.0.0.1", 0}, [&](std::unique_ptr<os::Stream> stream) {
      ++accepted;
      kept.push_back(std::move(stream));
    });
    os::Address address = (*listener)->address();
    sockaddr_in target{};
    target.sin_family = AF_INET;
    target.sin_port = htons(address.port);
    target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::vector<int> clients;
    for (int i = 0; i < 4; ++i) clients.push_back(plain_socket());
    {
      NoDescriptorsLeft none;
      double before = world.board.usage().cpu_seconds;
      for (int client : clients) {
        connect(client, reinterpret_cast<const sockaddr*>(&target), sizeof target);
      }
      co_await sleep_for(world.clock, Milliseconds(200));
      EXPECT_LT(world.board.usage().cpu_seconds - before, 0.1);
    }
    EXPECT_EQ(accepted, 0);
    char byte = 0;
    for (int client : clients) {
      EXPECT_LE(recv(client, &byte, 1, 0), 0);
      EXPECT_NE(errno, EAGAIN) << "it was closed, not forgotten";
      close(client);
    }
    auto later = co_await async::connect(world.network, address);
    EXPECT_TRUE(later.has_value());
    while (accepted == 0) co_await sleep_for(world.clock, Milliseconds(1));
  };
  run(talk(world_));
}

TEST_F(MachineTest, the_lanes_have_short_slices_as_the_loop_has) {
  auto slice = [] {
    sched_attr attributes{};
    EXPECT_EQ(sched_getattr(0, &attributes, sizeof attributes, 0), 0);
    return attributes.sched_policy == SCHED_OTHER ? attributes.sched_runtime : 0;
  };
  const std::uint64_t wanted = slice();
  if (wanted == 0) GTEST_SKIP() << "a kernel before 6.12, or another policy";
  EXPECT_EQ(wanted, 100'000);
  std::uint64_t of_lane = 0;
  world_.storage_lane.run([&] { of_lane = slice(); }, [this] { machine_->loop().stop(); });
  machine_->loop().run();
  EXPECT_EQ(of_lane, wanted);
}

TEST_F(MachineTest, usage_of_this_process_is_plausible) {
  os::ProcessUsage usage = world_.board.usage();
  EXPECT_GT(usage.resident_bytes, 1U << 20);
  EXPECT_GT(usage.open_descriptors, 2U);
  EXPECT_GT(usage.start_unix_seconds, 1.6e9);
}

}  // namespace
}  // namespace tripod::linux_os
