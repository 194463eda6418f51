// However the bytes of a peer are cut, the same frames come out of a link, none larger than
// allowed, and it ends at the same place.

#include <deque>

#include "firmware/etcd/peer/link.h"
#include "platform/base/check.h"

namespace {

using namespace tripod;
using namespace tripod::etcd::peer;

constexpr Link::Limits small{.frame_bytes_max = 200,
                             .urgent_bytes_max = 1000,
                             .bulk_bytes_max = 1000,
                             .stream_bytes_max = 100};

class Queue final : public os::Executor {
 public:
  void post(os::Callback callback) override { callbacks_.push_back(std::move(callback)); }
  void run() {
    while (!callbacks_.empty()) {
      os::Callback callback = std::move(callbacks_.front());
      callbacks_.pop_front();
      callback();
    }
  }

 private:
  std::deque<os::Callback> callbacks_;
};

/// Takes nothing and gives nothing: the bytes come from the test.
class DeadStream final : public os::Stream {
 public:
  void start(os::StreamObserver&) override {}
  void write(Bytes) override {}
  std::size_t queued_bytes() const override { return 0; }
  void finish() override {}
  void set_reading(bool) override {}
  os::Address remote() const override { return {}; }
  os::Address local() const override { return {}; }
};

struct Outcome {
  std::vector<std::pair<FrameType, Bytes>> frames;
  bool closed = false;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome read(BytesView bytes, std::size_t cut) {
  Queue queue;
  Outcome outcome;
  auto link = std::make_shared<Link>(queue, std::make_unique<DeadStream>(), small);
  link->start([&outcome](FrameType type, BytesView payload) {
    CHECK(payload.size() <= small.frame_bytes_max);
    outcome.frames.emplace_back(type, payload);
  });
  for (std::size_t at = 0; at < bytes.size() && !link->closed(); at += cut) {
    link->on_data(bytes.substr(at, cut));
    queue.run();
  }
  outcome.closed = link->closed();
  link->close(Error{ErrorCode::closed, "the end"});
  queue.run();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const BytesView bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = read(bytes, bytes.size());
  CHECK(read(bytes, std::size_t{data[0]} + 1) == whole);
  CHECK(read(bytes, 1) == whole);
  return 0;
}
