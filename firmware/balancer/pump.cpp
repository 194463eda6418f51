#include "firmware/balancer/pump.h"

namespace tripod::balancer {

Pump::Pump(os::Executor& executor, std::unique_ptr<os::Stream> client,
           std::unique_ptr<os::Stream> backend, PumpCounters counters, os::Callback done)
    : executor_(executor),
      done_(std::move(done)),
      client_(*this, std::move(client), counters.received),
      backend_(*this, std::move(backend), counters.sent) {
  client_.other = &backend_;
  backend_.other = &client_;
}

void Pump::start() {
  client_.stream->start(client_);
  backend_.stream->start(backend_);
}

void Pump::abort() {
  finish();
}

void Pump::Side::on_data(BytesView data) {
  if (pump.finished_) return;
  count.add(static_cast<double>(data.size()));
  other->stream->write(Bytes(data));
  if (other->stream->queued_bytes() > queued_bytes_max) {
    paused = true;
    stream->set_reading(false);
  }
}

void Pump::Side::on_drained() {
  if (pump.finished_) return;
  pump.finish_when_sent();
  if (!other->paused) return;
  other->paused = false;
  other->stream->set_reading(true);
}

void Pump::Side::on_closed(Error reason) {
  ended = true;
  if (pump.finished_) return;
  if (!(reason == ErrorCode::closed)) {
    pump.finish();
    return;
  }
  other->stream->finish();
  pump.finish_when_sent();
}

void Pump::finish_when_sent() {
  bool ended = client_.ended && backend_.ended;
  if (ended && client_.stream->queued_bytes() + backend_.stream->queued_bytes() == 0) finish();
}

void Pump::finish() {
  if (finished_) return;
  finished_ = true;
  executor_.post(std::move(done_));
}

}  // namespace tripod::balancer
