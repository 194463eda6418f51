#include "firmware/etcd/peer/link.h"

#include <format>

namespace tripod::etcd::peer {
namespace {

constexpr std::size_t header_bytes = 5;

void append_header(Bytes& out, FrameType type, std::size_t payload_bytes) {
  const std::size_t length = payload_bytes + 1;
  for (int shift = 24; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>((length >> shift) & 0xFFU));
  out.push_back(static_cast<char>(type));
}

std::size_t length_of(BytesView data) {
  std::size_t length = 0;
  for (std::size_t i = 0; i < 4; ++i) length = (length << 8U) | static_cast<std::uint8_t>(data[i]);
  return length;
}

}  // namespace

Link::Link(os::Executor& executor, std::unique_ptr<os::Stream> stream, Limits limits)
    : executor_(executor), stream_(std::move(stream)), limits_(limits) {}

Link::~Link() = default;

void Link::start(OnFrame on_frame, OnEnd on_end) {
  on_frame_ = std::move(on_frame);
  on_end_ = std::move(on_end);
  stream_->start(*this);
}

void Link::close(Error reason) {
  if (end_) return;
  end_ = std::move(reason);
  urgent_.clear();
  bulk_.clear();
  partial_.clear();
  // The stream and the callback may be in use further up this stack.
  executor_.post([self = shared_from_this()] {
    self->stream_->set_reading(false);
    self->on_frame_ = {};
  });
  for (async::Oneshot<void>& waiter : std::exchange(end_waiters_, {})) waiter.fail(*end_);
}

async::Oneshot<void> Link::ended() {
  async::Oneshot<void> waiter;
  if (end_) {
    waiter.fail(*end_);
  } else {
    std::erase_if(end_waiters_, [](const async::Oneshot<void>& one) { return one.done(); });
    end_waiters_.push_back(waiter);
  }
  return waiter;
}

void Link::finish() {
  finishing_ = true;
  bulk_.clear();
  bulk_bytes_ = 0;
  want_pump();
}

bool Link::send(FrameType type, Bytes payload, bool urgent) {
  std::size_t& queued = urgent ? urgent_bytes_ : bulk_bytes_;
  const std::size_t cost = payload.size() + header_bytes;
  const std::size_t room = urgent ? limits_.urgent_bytes_max : limits_.bulk_bytes_max;
  if (end_ || finishing_ || queued + cost > room) return false;
  queued += cost;
  (urgent ? urgent_ : bulk_).push_back({type, std::move(payload)});
  want_pump();
  return true;
}

void Link::want_pump() {
  if (end_ || std::exchange(pump_wanted_, true)) return;
  // Everything that is sent in one turn of the loop leaves in one write.
  executor_.post([self = weak_from_this()] {
    if (auto link = self.lock()) {
      link->pump_wanted_ = false;
      link->pump();
    }
  });
}

void Link::pump() {
  while (!end_ && stream_->queued_bytes() < limits_.stream_bytes_max) {
    Bytes batch;
    while (batch.size() < limits_.stream_bytes_max / 2 && (!urgent_.empty() || !bulk_.empty())) {
      const bool urgent = !urgent_.empty();
      std::deque<Frame>& queue = urgent ? urgent_ : bulk_;
      const Frame& frame = queue.front();
      append_header(batch, frame.type, frame.payload.size());
      batch += frame.payload;
      (urgent ? urgent_bytes_ : bulk_bytes_) -= frame.payload.size() + header_bytes;
      queue.pop_front();
    }
    if (batch.empty()) break;
    sent_bytes_ += batch.size();
    stream_->write(std::move(batch));
  }
  if (finishing_ && !end_ && urgent_.empty()) {
    finishing_ = false;
    stream_->finish();
  }
}

/// One whole frame off the front of `data`; false when more bytes are needed.
bool Link::take(BytesView& data) {
  if (data.size() < 4) return false;
  const std::size_t length = length_of(data);
  if (length == 0 || length > limits_.frame_bytes_max) {
    close({ErrorCode::corrupt, std::format("a frame of {} bytes", length)});
    return false;
  }
  if (data.size() < 4 + length) return false;
  const auto type = static_cast<FrameType>(data[4]);
  const BytesView payload = data.substr(header_bytes, length - 1);
  data.remove_prefix(4 + length);
  if (on_frame_) on_frame_(type, payload);
  return !end_;
}

void Link::on_data(BytesView data) {
  if (end_) return;
  const auto self = shared_from_this();
  received_bytes_ += data.size();
  if (!partial_.empty()) {
    partial_ += data;
    Bytes whole = std::exchange(partial_, {});
    BytesView rest = whole;
    while (take(rest)) continue;
    if (end_) return;
    whole.erase(0, whole.size() - rest.size());
    partial_ = std::move(whole);
    return;
  }
  while (take(data)) continue;
  if (!end_) partial_ = data;
}

}  // namespace tripod::etcd::peer
