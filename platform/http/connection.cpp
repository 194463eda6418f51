#include "platform/http/connection.h"

#include "platform/base/check.h"

namespace tripod::http {
namespace {

constexpr std::size_t write_bytes_max = 64 * 1024;
constexpr std::size_t queued_bytes_max = 256 * 1024;

}  // namespace

Connection::Connection(os::Executor& executor, os::Clock& clock, std::unique_ptr<os::Stream> stream,
                       Choose choose, os::Callback finished)
    : executor_(executor),
      clock_(clock),
      stream_(std::move(stream)),
      choose_(std::move(choose)),
      finished_(std::move(finished)),
      phase_since_(clock.now()),
      received_at_(phase_since_) {}

Connection::~Connection() {
  CHECK(!flush_posted_);
  CHECK(!protocol_ || protocol_->at_rest());
}

void Connection::start() {
  stream_->start(*this);
  protocol_ = choose_(*this, {});
  if (protocol_) output_ready();
}

void Connection::abort(Error reason) {
  if (state_ == State::closed) return;
  state_ = State::closed;
  if (protocol_) protocol_->connection_lost(std::move(reason));
  output_ready();
}

void Connection::drain() {
  drain_asked_ = true;
  if (protocol_) protocol_->drain();
  output_ready();
}

void Connection::time_out() {
  if (state_ != State::open || !protocol_) {
    return abort({ErrorCode::timeout, "the peer was silent for too long"});
  }
  protocol_->timed_out();
  output_ready();
}

void Connection::on_data(BytesView data) {
  if (state_ != State::open) return;  // a peer that talks on after the end
  received_at_ = clock_.now();
  if (protocol_) {
    protocol_->receive(data);
  } else {
    first_bytes_ += data;
    protocol_ = choose_(*this, first_bytes_);
    if (!protocol_) return;
    if (drain_asked_) protocol_->drain();
    protocol_->receive(std::exchange(first_bytes_, {}));
  }
  output_ready();
}

void Connection::on_drained() {
  stalled_since_.reset();
  output_ready();
}

void Connection::on_closed(Error reason) {
  abort(std::move(reason));
}

void Connection::output_ready() {
  if (flush_posted_ || finished_posted_) return;
  flush_posted_ = true;
  executor_.post([this] {
    flush_posted_ = false;
    flush();
    check_finished();
  });
}

void Connection::flush() {
  if (state_ == State::closed) return;
  if (!protocol_) {
    if (drain_asked_) abort({ErrorCode::closed, "draining"});
    return;
  }
  while (state_ == State::open && stream_->queued_bytes() < queued_bytes_max) {
    Bytes out;
    protocol_->produce(out, write_bytes_max);
    if (out.empty()) break;
    stream_->write(std::move(out));
  }
  if (state_ == State::open && stream_->queued_bytes() < queued_bytes_max &&
      protocol_->wants_close()) {
    state_ = State::finishing;
    phase_since_ = clock_.now();
    stream_->finish();
    protocol_->connection_lost({ErrorCode::closed, "connection closed"});
  }
  if (!stalled_since_ && stream_->queued_bytes() >= queued_bytes_max) {
    stalled_since_ = clock_.now();
  }
  if (const bool wanted = state_ != State::open || protocol_->wants_data(); wanted != reading_) {
    reading_ = wanted;
    stream_->set_reading(wanted);
  }
  set_phase(protocol_->phase());
}

void Connection::set_phase(Phase phase) {
  if (phase == phase_ || state_ != State::open) return;
  phase_ = phase;
  phase_since_ = clock_.now();
}

void Connection::check_finished() {
  if (state_ != State::closed || flush_posted_ || finished_posted_) return;
  stream_.reset();
  if (protocol_ && !protocol_->at_rest()) return;
  finished_posted_ = true;
  executor_.post(std::move(finished_));
}

}  // namespace tripod::http
