#pragma once
// Connection: joins a byte stream to a protocol. Coalesces output to one write per loop turn, stops
// producing while the stream has enough queued, and tells its owner when nothing needs it any more.

#include <memory>
#include <optional>

#include "platform/http/protocol.h"
#include "platform/os/network.h"

namespace tripod::http {

class Connection final : os::StreamObserver, ProtocolHost {
 public:
  /// Chooses a protocol by the first bytes (none yet, at first); null means: more bytes, please.
  using Choose = std::move_only_function<std::unique_ptr<Protocol>(ProtocolHost&, BytesView)>;

  /// `finished` is posted once, when the connection is closed and at rest; the owner then destroys
  /// it.
  Connection(os::Executor& executor, os::Clock& clock, std::unique_ptr<os::Stream> stream,
             Choose choose, os::Callback finished);
  ~Connection() override;

  void start();
  /// Closes at once; what is under way fails with `reason`.
  void abort(Error reason);
  void drain();
  /// Sends the version's word for a time-out, then closes.
  void time_out();

  /// Null until chosen.
  Protocol* protocol() const { return protocol_.get(); }
  Phase phase() const { return phase_; }
  /// When the phase began.
  MonotonicTime phase_since() const { return phase_since_; }
  MonotonicTime received_at() const { return received_at_; }
  /// Since when output waits for a peer that has not taken all of the last piece; nothing: it does
  /// not wait.
  std::optional<MonotonicTime> stalled_since() const { return stalled_since_; }
  bool closing() const { return state_ != State::open; }

 private:
  enum class State : std::uint8_t { open, finishing, closed };

  void on_data(BytesView data) override;
  void on_drained() override;
  void on_closed(Error reason) override;
  void output_ready() override;

  void flush();
  void set_phase(Phase phase);
  void check_finished();

  os::Executor& executor_;
  os::Clock& clock_;
  std::unique_ptr<os::Stream> stream_;
  Choose choose_;
  os::Callback finished_;
  std::unique_ptr<Protocol> protocol_;
  Bytes first_bytes_;
  State state_ = State::open;
  Phase phase_ = Phase::head;
  MonotonicTime phase_since_;
  MonotonicTime received_at_;
  std::optional<MonotonicTime> stalled_since_;
  bool reading_ = true;
  bool drain_asked_ = false;
  bool flush_posted_ = false;
  bool finished_posted_ = false;
};

}  // namespace tripod::http
