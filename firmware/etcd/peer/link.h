#pragma once
// One connection between two members: frames in both directions over a byte stream. Format, per
// frame:
//
//   length (4 bytes, big endian, of type and payload) | type (1 byte) | payload
//
// What is sent waits in two bounded queues; urgent frames (heartbeats, votes, answers) overtake
// bulky ones (entries). At most `stream_bytes_max` are handed to the stream at a time, so that
// overtaking means something. A frame without room is dropped.
//
// Lives on the loop thread. Held by shared_ptr; nothing is called back after close().

#include <deque>
#include <functional>
#include <memory>

#include "platform/async/oneshot.h"
#include "platform/os/network.h"

namespace tripod::etcd::peer {

enum class FrameType : std::uint8_t {
  hello = 1,     // first, once, from both sides
  refused = 2,   // instead of hello: why, as text
  message = 3,   // raft::encode()
  request = 4,   // id (8 bytes) and what is asked
  response = 5,  // id (8 bytes) and the answer
  ping = 6,
  pong = 7,
  who = 8,       // first and only, of one that wants to join: who is in the cluster?
  cluster = 9,   // the answer to it
  removed = 10,  // instead of hello, or later: the member was removed from the cluster
};

class Link final : public os::StreamObserver, public std::enable_shared_from_this<Link> {
 public:
  struct Limits {
    std::size_t frame_bytes_max = 4 * 1024 * 1024;
    std::size_t urgent_bytes_max = 1024 * 1024;
    std::size_t bulk_bytes_max = 8 * 1024 * 1024;
    std::size_t stream_bytes_max = 128 * 1024;
  };
  using OnFrame = std::function<void(FrameType, BytesView)>;
  using OnEnd = std::function<void(const Error&)>;

  Link(os::Executor& executor, std::unique_ptr<os::Stream> stream, Limits limits);
  ~Link() override;

  void start(OnFrame on_frame, OnEnd on_end = {});
  /// False: dropped, for want of room or because the link is closed.
  bool send(FrameType type, Bytes payload, bool urgent);
  /// Sends what is urgent, then ends.
  void finish();
  void close(Error reason);
  bool closed() const { return end_.has_value(); }
  /// Ready once the link is closed, with the reason as error. Each call is for one waiter.
  async::Oneshot<void> ended();
  os::Address remote() const { return stream_->remote(); }
  std::uint64_t sent_bytes() const { return sent_bytes_; }
  std::uint64_t received_bytes() const { return received_bytes_; }

  void on_data(BytesView data) override;
  void on_drained() override { pump(); }
  void on_closed(Error reason) override { close(std::move(reason)); }

 private:
  struct Frame {
    FrameType type;
    Bytes payload;
  };

  void want_pump();
  void pump();
  bool take(BytesView& data);

  os::Executor& executor_;
  std::unique_ptr<os::Stream> stream_;
  Limits limits_;
  OnFrame on_frame_;
  OnEnd on_end_;
  std::deque<Frame> urgent_;
  std::deque<Frame> bulk_;
  std::size_t urgent_bytes_ = 0;
  std::size_t bulk_bytes_ = 0;
  Bytes partial_;             // the start of a frame whose rest has not come yet
  std::optional<Error> end_;  // why it was closed
  std::vector<async::Oneshot<void>> end_waiters_;
  std::uint64_t sent_bytes_ = 0;
  std::uint64_t received_bytes_ = 0;
  bool pump_wanted_ = false;
  bool finishing_ = false;
};

}  // namespace tripod::etcd::peer
