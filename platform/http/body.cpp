#include "platform/http/body.h"

namespace tripod::http {
namespace {

constexpr std::size_t piece_bytes_max = 64 * 1024;

void wake(std::optional<async::Oneshot<void>>& waiter) {
  if (auto woken = std::exchange(waiter, std::nullopt)) woken->set();
}

}  // namespace

void BodyQueue::added(std::size_t bytes) {
  CHECK(!finished_);
  size_ += bytes;
  wake(reader_);
}

void BodyQueue::removed(std::size_t bytes) {
  CHECK(bytes <= size_);
  size_ -= bytes;
  if (size_ <= low_bytes_) wake(writer_);
}

void BodyQueue::push(Bytes data) {
  if (data.empty()) return;
  const std::size_t bytes = data.size();
  pieces_.push_back({std::move(data), nullptr, 0});
  added(bytes);
}

void BodyQueue::push(SharedBytes data) {
  if (!data || data->empty()) return;
  const std::size_t bytes = data->size();
  pieces_.push_back({{}, std::move(data), 0});
  added(bytes);
}

void BodyQueue::append(BytesView data) {
  if (data.empty()) return;
  if (pieces_.size() > first_ && !pieces_.back().shared &&
      pieces_.back().own.size() + data.size() <= piece_bytes_max) {
    pieces_.back().own += data;
    added(data.size());
  } else {
    push(Bytes(data));
  }
}

void BodyQueue::finish(Headers trailers) {
  CHECK(!finished_);
  finished_ = true;
  trailers_ = std::move(trailers);
  wake(reader_);
}

void BodyQueue::fail(Error error) {
  if (!finished_ && !error_) error_ = std::move(error);
  wake(reader_);
  wake(writer_);
}

async::Oneshot<void> BodyQueue::writable() {
  writer_.emplace();
  return *writer_;
}

async::Oneshot<void> BodyQueue::readable() {
  reader_.emplace();
  return *reader_;
}

std::optional<Result<std::optional<Bytes>>> BodyQueue::poll() {
  if (size_ == 0) {
    if (finished_) return Result<std::optional<Bytes>>(std::nullopt);
    if (error_) return Result<std::optional<Bytes>>(std::unexpected(*error_));
    return std::nullopt;
  }
  Piece& piece = pieces_[first_];
  const std::size_t bytes = piece.rest().size();
  Bytes data = piece.shared || piece.offset > 0 ? Bytes(piece.rest()) : std::move(piece.own);
  pop_front();
  removed(bytes);
  return Result<std::optional<Bytes>>(std::move(data));
}

void BodyQueue::take(std::size_t bytes_max, Bytes& out) {
  std::size_t taken = 0;
  while (taken < bytes_max && first_ < pieces_.size()) {
    Piece& piece = pieces_[first_];
    const BytesView part = piece.rest().substr(0, bytes_max - taken);
    out += part;
    taken += part.size();
    piece.offset += part.size();
    if (piece.rest().empty()) pop_front();
  }
  removed(taken);
}

void BodyQueue::clear() {
  pieces_.clear();
  first_ = 0;
  removed(size_);
}

void BodyQueue::pop_front() {
  pieces_[first_] = {};
  if (++first_ < pieces_.size()) {
    if (first_ < 64) return;
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(first_));
  } else {
    pieces_.clear();
  }
  first_ = 0;
}

}  // namespace tripod::http
