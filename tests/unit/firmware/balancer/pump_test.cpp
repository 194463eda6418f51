#include "firmware/balancer/pump.h"

#include <gtest/gtest.h>

#include <deque>

namespace tripod::balancer {
namespace {

class QueueExecutor final : public os::Executor {
 public:
  void post(os::Callback callback) override { queue_.push_back(std::move(callback)); }
  void run() {
    while (!queue_.empty()) {
      auto next = std::move(queue_.front());
      queue_.pop_front();
      next();
    }
  }

 private:
  std::deque<os::Callback> queue_;
};

/// What the test sees of one side; outlives the stream.
struct Wire {
  os::StreamObserver* observer = nullptr;
  Bytes sent;
  std::size_t queued = 0;
  bool finished = false;
  bool reading = true;
};

class FakeStream final : public os::Stream {
 public:
  explicit FakeStream(Wire& wire) : wire_(wire) {}
  void start(os::StreamObserver& observer) override { wire_.observer = &observer; }
  void write(Bytes data) override {
    wire_.queued += data.size();
    wire_.sent += data;
  }
  std::size_t queued_bytes() const override { return wire_.queued; }
  void finish() override { wire_.finished = true; }
  void set_reading(bool enabled) override { wire_.reading = enabled; }
  os::Address remote() const override { return {}; }
  os::Address local() const override { return {}; }

 private:
  Wire& wire_;
};

class PumpTest : public testing::Test {
 protected:
  PumpTest()
      : pump_(executor_, std::make_unique<FakeStream>(client_),
              std::make_unique<FakeStream>(backend_), {received_, sent_},
              [this] { done_ = true; }) {
    pump_.start();
  }
  void drain(Wire& wire) {
    wire.queued = 0;
    wire.observer->on_drained();
  }

  QueueExecutor executor_;
  Wire client_;
  Wire backend_;
  metrics::Counter received_;
  metrics::Counter sent_;
  bool done_ = false;
  Pump pump_;
};

TEST_F(PumpTest, copies_both_ways_and_counts) {
  client_.observer->on_data("ping");
  backend_.observer->on_data("pong!");
  EXPECT_EQ(backend_.sent, "ping");
  EXPECT_EQ(client_.sent, "pong!");
  EXPECT_EQ(received_.value(), 4);
  EXPECT_EQ(sent_.value(), 5);
}

TEST_F(PumpTest, stops_reading_while_the_other_side_is_full) {
  backend_.observer->on_data(Bytes(Pump::queued_bytes_max + 1, 'x'));
  EXPECT_FALSE(backend_.reading);
  EXPECT_TRUE(client_.reading);
  drain(client_);
  EXPECT_TRUE(backend_.reading);
}

TEST_F(PumpTest, half_close_still_lets_the_answer_through) {
  client_.observer->on_closed({ErrorCode::closed, "end"});
  EXPECT_TRUE(backend_.finished);
  backend_.observer->on_data("answer");
  backend_.observer->on_closed({ErrorCode::closed, "end"});
  executor_.run();
  EXPECT_EQ(client_.sent, "answer");
  EXPECT_FALSE(done_) << "the answer is still queued";
  drain(client_);
  drain(backend_);
  executor_.run();
  EXPECT_TRUE(done_);
}

TEST_F(PumpTest, broken_side_ends_both) {
  client_.observer->on_closed({ErrorCode::io, "connection reset"});
  executor_.run();
  EXPECT_TRUE(done_);
}

}  // namespace
}  // namespace tripod::balancer
