#pragma once
// BodyQueue: the pieces of one message body between a protocol and a coroutine, in one direction.
// One side pushes and finishes or fails, the other polls or takes; either may wait. It holds what
// it is given: who pushes looks at size().
//
// Loop thread only.

#include <optional>
#include <vector>

#include "platform/async/oneshot.h"
#include "platform/base/bytes.h"
#include "platform/http/message.h"

namespace tripod::http {

class BodyQueue {
 public:
  /// `low_bytes`: writers that wait are woken when no more than this is left.
  explicit BodyQueue(std::size_t low_bytes) : low_bytes_(low_bytes) {}

  // --- the writing side ---
  void push(Bytes data);
  void push(SharedBytes data);
  /// Copies borrowed bytes, onto the last piece where that is short.
  void append(BytesView data);
  void finish(Headers trailers = {});
  /// What was pushed can still be read, then reads fail. Ignored after finish().
  void fail(Error error);
  /// Set once at most low_bytes are left, or on fail().
  async::Oneshot<void> writable();

  // --- the reading side ---
  /// The next piece, the end (nullopt) or the failure; no value at all means: wait on readable().
  std::optional<Result<std::optional<Bytes>>> poll();
  /// Moves up to `bytes_max` bytes behind `out`.
  void take(std::size_t bytes_max, Bytes& out);
  /// Throws away what is queued.
  void clear();
  /// Set once something was pushed, finished or failed.
  async::Oneshot<void> readable();

  std::size_t size() const { return size_; }
  bool finished() const { return finished_; }
  const std::optional<Error>& error() const { return error_; }
  /// Nothing left and nothing to come.
  bool ended() const { return finished_ && size_ == 0; }
  const Headers& trailers() const { return trailers_; }

 private:
  /// Owned or shared bytes, of which `offset` are taken.
  struct Piece {
    Bytes own;
    SharedBytes shared;
    std::size_t offset = 0;
    BytesView rest() const { return BytesView(shared ? *shared : own).substr(offset); }
  };

  void added(std::size_t bytes);
  void removed(std::size_t bytes);
  void pop_front();

  std::size_t low_bytes_;
  std::size_t size_ = 0;
  std::size_t first_ = 0;  // pieces_ before it are spent
  std::vector<Piece> pieces_;
  bool finished_ = false;
  std::optional<Error> error_;
  Headers trailers_;
  std::optional<async::Oneshot<void>> reader_;
  std::optional<async::Oneshot<void>> writer_;
};

}  // namespace tripod::http
