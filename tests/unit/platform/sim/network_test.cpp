#include "platform/sim/network.h"

#include <gtest/gtest.h>

#include "platform/sim/board.h"

namespace tripod::sim {
namespace {

struct End final : os::StreamObserver {
  void take(std::unique_ptr<os::Stream> given) {
    stream = std::move(given);
    stream->start(*this);
  }
  void on_data(BytesView data) override { received += data; }
  void on_drained() override { ++drained; }
  void on_closed(Error reason) override { closed = reason; }

  std::unique_ptr<os::Stream> stream;
  std::string received;
  std::optional<Error> closed;
  int drained = 0;
};

class NetworkTest : public testing::Test {
 protected:
  void connect() {
    auto listening = b_.world().network.listen(
        {"10.0.0.2", 80}, [this](auto stream) { server_.take(std::move(stream)); });
    ASSERT_TRUE(listening);
    listener_ = std::move(*listening);
    operation_ = a_.world().network.connect({"10.0.0.2", 80}, [this](auto stream) {
      ASSERT_TRUE(stream);
      client_.take(std::move(*stream));
    });
    simulation_.run_until([this] { return client_.stream && server_.stream; },
                          std::chrono::seconds(4));
    ASSERT_NE(client_.stream, nullptr);
    ASSERT_NE(server_.stream, nullptr);
  }

  Simulation simulation_{3};
  Links links_{simulation_};
  SimFabric fabric_{simulation_, links_};
  SimBoard a_{simulation_, fabric_, "a", "10.0.0.1"};
  SimBoard b_{simulation_, fabric_, "b", "10.0.0.2"};
  std::unique_ptr<os::Listener> listener_;
  std::unique_ptr<os::Operation> operation_;
  End client_;
  End server_;
};

TEST_F(NetworkTest, bytes_arrive_in_order_in_spite_of_loss) {
  links_.set_quality({.loss = 0.3});
  connect();
  std::string sent;
  for (int i = 0; i < 100; ++i) {
    std::string piece = std::format("{} ", i);
    sent += piece;
    client_.stream->write(piece);
    simulation_.run_for(std::chrono::milliseconds(1));
  }
  simulation_.run_for(std::chrono::seconds(5));
  EXPECT_EQ(server_.received, sent);
  EXPECT_GT(client_.drained, 0);
  EXPECT_FALSE(server_.closed);
}

TEST_F(NetworkTest, an_orderly_end_comes_after_the_data) {
  connect();
  client_.stream->write("last words");
  client_.stream->finish();
  simulation_.run_for(std::chrono::seconds(1));
  EXPECT_EQ(server_.received, "last words");
  ASSERT_TRUE(server_.closed);
  EXPECT_EQ(server_.closed->code, ErrorCode::closed);
}

TEST_F(NetworkTest, a_partition_is_silence_and_then_a_reset) {
  connect();
  links_.cut("10.0.0.1", "10.0.0.2");
  client_.stream->write("into the dark");
  simulation_.run_for(std::chrono::seconds(4));
  EXPECT_FALSE(client_.closed);
  EXPECT_EQ(server_.received, "");
  simulation_.run_for(std::chrono::seconds(4));
  EXPECT_TRUE(client_.closed);
}

TEST_F(NetworkTest, a_healed_partition_delivers_what_waited) {
  connect();
  links_.cut("10.0.0.1", "10.0.0.2");
  client_.stream->write("patience");
  simulation_.run_for(std::chrono::seconds(2));
  links_.heal();
  simulation_.run_for(std::chrono::seconds(2));
  EXPECT_EQ(server_.received, "patience");
}

TEST_F(NetworkTest, a_reader_that_stops_slows_the_writer_down) {
  connect();
  server_.stream->set_reading(false);
  for (int i = 0; i < 200; ++i) {
    client_.stream->write(std::string(1024, 'x'));
    simulation_.run_for(std::chrono::milliseconds(5));
  }
  EXPECT_GT(client_.stream->queued_bytes(), 100000U);
  server_.stream->set_reading(true);
  simulation_.run_for(std::chrono::seconds(5));
  EXPECT_EQ(server_.received.size(), 200U * 1024);
}

TEST_F(NetworkTest, nobody_listening_refuses_and_nobody_reachable_times_out) {
  std::optional<ErrorCode> refused;
  auto first = a_.world().network.connect({"10.0.0.2", 81},
                                          [&](auto stream) { refused = stream.error().code; });
  simulation_.run_for(std::chrono::seconds(1));
  EXPECT_EQ(refused, ErrorCode::refused);
  links_.cut("10.0.0.2", "10.0.0.1");
  std::optional<ErrorCode> lost;
  auto second = a_.world().network.connect({"10.0.0.2", 81},
                                           [&](auto stream) { lost = stream.error().code; });
  simulation_.run_for(std::chrono::seconds(10));
  EXPECT_EQ(lost, ErrorCode::timeout);
}

}  // namespace
}  // namespace tripod::sim
