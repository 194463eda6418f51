#pragma once
// A loop, a clock and streams in memory, for tests of protocols.

#include <charconv>
#include <deque>
#include <map>

#include "platform/async/sync.h"
#include "platform/http/message.h"

namespace tripod::http::test {

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

/// Time passes by advance() only.
class ManualClock final : public os::Clock {
 public:
  explicit ManualClock(QueueExecutor& executor) : executor_(executor) {}
  MonotonicTime now() const override { return now_; }
  WallTime wall_now() const override { return {}; }
  std::unique_ptr<os::Operation> call_at(MonotonicTime when, os::Callback callback) override {
    const auto entry = timers_.emplace(when, std::move(callback));
    return std::make_unique<Timer>(*this, entry);
  }
  void advance(Duration time) {
    const MonotonicTime end = now_ + time;
    executor_.run();
    while (!timers_.empty() && timers_.begin()->first <= end) {
      now_ = std::max(now_, timers_.begin()->first);
      os::Callback callback = std::move(timers_.begin()->second);
      fired_.push_back(timers_.begin());
      fired_entries_.insert(timers_.extract(timers_.begin()));
      callback();
      executor_.run();
    }
    now_ = end;
    executor_.run();
  }

 private:
  using Timers = std::multimap<MonotonicTime, os::Callback>;
  class Timer final : public os::Operation {
   public:
    Timer(ManualClock& clock, Timers::iterator entry) : clock_(clock), entry_(entry) {}
    ~Timer() override { clock_.cancel(entry_); }

   private:
    ManualClock& clock_;
    Timers::iterator entry_;
  };
  void cancel(Timers::iterator entry) {
    if (std::erase(fired_, entry) > 0) {
      fired_entries_.erase(entry);
    } else {
      timers_.erase(entry);
    }
  }

  QueueExecutor& executor_;
  MonotonicTime now_{std::chrono::hours(1)};
  Timers timers_;
  Timers fired_entries_;
  std::vector<Timers::iterator> fired_;
};

/// One end of a connection in memory. Bytes travel by posts, so that streams behave as real ones
/// do.
class MemoryStream final : public os::Stream {
 public:
  struct Pair;
  explicit MemoryStream(QueueExecutor& executor, std::string alpn = {}) : executor_(executor) {
    if (!alpn.empty()) tls_.emplace(os::TlsInfo{std::move(alpn), nullptr});
  }
  ~MemoryStream() override {
    *alive_ = false;
    if (other_ != nullptr) other_->lose();
  }
  void connect(MemoryStream& other) {
    other_ = &other;
    other.other_ = this;
  }

  void start(os::StreamObserver& observer) override {
    observer_ = &observer;
    pump();
  }
  void write(Bytes data) override {
    written += data.size();
    ++writes;
    if (other_ == nullptr) return;
    if (queued_bytes() == 0) was_queued_ = true;
    other_->inbox_.push_back(std::move(data));
    other_->inbox_bytes_ += other_->inbox_.back().size();
    other_->pump();
  }
  std::size_t queued_bytes() const override { return other_ == nullptr ? 0 : other_->inbox_bytes_; }
  void finish() override {
    if (other_ == nullptr) return;
    other_->ended_ = true;
    other_->pump();
  }
  void set_reading(bool enabled) override {
    reading_ = enabled;
    pump();
  }
  os::Address remote() const override { return {"192.0.2.7", 4711}; }
  os::Address local() const override { return {"127.0.0.1", 80}; }
  const os::TlsInfo* tls() const override { return tls_ ? &*tls_ : nullptr; }

  std::size_t written = 0;
  std::size_t writes = 0;

 private:
  void lose() {
    other_ = nullptr;
    ended_ = true;
    pump();
  }
  void pump() {
    executor_.post([this, alive = alive_] {
      if (*alive) deliver(alive);
    });
  }
  void deliver(const std::shared_ptr<bool>& alive) {
    while (*alive && observer_ != nullptr && reading_ && !inbox_.empty()) {
      const Bytes data = std::move(inbox_.front());
      inbox_.pop_front();
      inbox_bytes_ -= data.size();
      observer_->on_data(data);
      if (*alive && other_ != nullptr && inbox_bytes_ == 0) other_->drained();
    }
    if (*alive && observer_ != nullptr && reading_ && inbox_.empty() && ended_ && !told_) {
      told_ = true;
      observer_->on_closed({ErrorCode::closed, "the peer closed"});
    }
  }
  void drained() {
    executor_.post([this, alive = alive_] {
      if (*alive && observer_ != nullptr && std::exchange(was_queued_, false))
        observer_->on_drained();
    });
  }

  QueueExecutor& executor_;
  os::StreamObserver* observer_ = nullptr;
  MemoryStream* other_ = nullptr;
  std::deque<Bytes> inbox_;
  std::size_t inbox_bytes_ = 0;
  std::optional<os::TlsInfo> tls_;
  bool reading_ = true;
  bool ended_ = false;
  bool told_ = false;
  bool was_queued_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// The far end of a stream as a test drives it by hand.
class RawPeer final : public os::StreamObserver {
 public:
  explicit RawPeer(std::unique_ptr<MemoryStream> stream_in) : stream(std::move(stream_in)) {
    stream->start(*this);
  }
  void on_data(BytesView data) override { received += data; }
  void on_drained() override {}
  void on_closed(Error) override { closed = true; }

  std::unique_ptr<MemoryStream> stream;
  Bytes received;
  bool closed = false;
};

struct StreamPair {
  std::unique_ptr<MemoryStream> near;
  std::unique_ptr<MemoryStream> far;
};
inline StreamPair make_pair_of_streams(QueueExecutor& executor, std::string alpn = {}) {
  StreamPair pair{std::make_unique<MemoryStream>(executor, alpn),
                  std::make_unique<MemoryStream>(executor, alpn)};
  pair.near->connect(*pair.far);
  return pair;
}

/// Connects to whoever listens on that port, in memory.
class MemoryNetwork final : public os::Network {
 public:
  explicit MemoryNetwork(QueueExecutor& executor) : executor_(executor) {}

  Result<std::unique_ptr<os::Listener>> listen(const os::Address& address, Accept accept) override {
    ports_.insert_or_assign(address.port, std::move(accept));
    return std::make_unique<MemoryListener>(*this, address);
  }
  std::unique_ptr<os::Operation> connect(const os::Address& address, Connected done) override {
    ++connects;
    executor_.post([this, address, done = std::move(done)]() mutable {
      const auto port = ports_.find(address.port);
      if (port == ports_.end()) return done(fail(ErrorCode::refused, "nobody listens"));
      auto pair = make_pair_of_streams(executor_, alpn);
      last_server_side = pair.near.get();
      port->second(std::move(pair.near));
      done(std::move(pair.far));
    });
    return std::make_unique<Pending>();
  }
  std::unique_ptr<os::Operation> resolve(const std::string& host, Resolved done) override {
    executor_.post([host, done = std::move(done)]() mutable { done(std::vector{host}); });
    return std::make_unique<Pending>();
  }

  std::string alpn;  // what both ends of new streams say
  int connects = 0;
  MemoryStream* last_server_side = nullptr;

 private:
  class Pending final : public os::Operation {};
  class MemoryListener final : public os::Listener {
   public:
    MemoryListener(MemoryNetwork& network, os::Address address)
        : network_(network), address_(std::move(address)) {}
    ~MemoryListener() override { network_.ports_.erase(address_.port); }
    os::Address address() const override { return address_; }

   private:
    MemoryNetwork& network_;
    os::Address address_;
  };

  QueueExecutor& executor_;
  std::map<std::uint16_t, Accept> ports_;
};

class NullSink final : public LogSink {
 public:
  LogLevel level() const override { return LogLevel::error; }
  void write(LogLevel, std::string_view, std::string_view) override {}
};

/// Answers by path: /echo, /big?bytes=n, /slow (waits until cancelled), /empty, /early, /trailers,
/// /reset, /info.
class TestHandler final : public Handler {
 public:
  Task<void> handle(std::unique_ptr<Exchange> exchange) override {
    ++started;
    const std::string path = exchange->request().path;
    if (path == "/echo") {
      co_await echo(std::move(exchange));
    } else if (path == "/slow") {
      auto waited = co_await async::Oneshot<void>();
      if (!waited) ++cancelled;
    } else if (path == "/early") {
      co_await send(*exchange, {413, {}}, share("too much"));
    } else if (path == "/trailers") {
      exchange->respond({200, {{"content-type", "text/plain"}}});
      co_await exchange->write(share("one"));
      exchange->finish({{"x-end", "yes"}});
    } else if (path == "/reset") {
      exchange->respond({200, {}});
      co_await exchange->write(share("half"));
    } else if (path.starts_with("/big/")) {
      exchange->respond({200, {}});
      const SharedBytes block = share(Bytes(10000, 'x'));
      int left = 0;
      std::from_chars(path.data() + 5, path.data() + path.size(), left);
      for (left = std::min(left, 500); left > 0; --left) {
        if (auto written = co_await exchange->write(block); !written) {
          ++cancelled;
          co_return;
        }
        ++blocks;
      }
      exchange->finish();
    } else {
      const RequestHead& request = exchange->request();
      const std::string text = std::format("{} {} {} {}", request.method, request.path,
                                           request.query, request.authority);
      co_await send(*exchange, {200, {{"content-type", "text/plain"}}}, share(text));
    }
    ++ended;
  }

  int started = 0;
  int ended = 0;
  int cancelled = 0;
  int blocks = 0;

 private:
  static Task<void> echo(std::unique_ptr<Exchange> exchange) {
    auto body = co_await read_all(*exchange, 100 * 1024 * 1024);
    if (!body) {
      const int status = body.error() == ErrorCode::too_large ? 413 : 400;
      co_await send(*exchange, {status, {}}, share(body.error().message));
      co_return;
    }
    co_await send(*exchange, {200, {}}, share(std::move(*body)));
  }
};

/// Runs a task to its end on the queue and hands out its result.
template <typename T>
Task<void> keep(Task<T> task, std::optional<T>* out) {
  out->emplace(co_await std::move(task));
}
/// What came of it, or nothing when it still waits (it is then cancelled).
template <typename T>
std::optional<T> run(QueueExecutor& executor, Task<T> task) {
  auto scope = std::make_unique<Scope>(executor);
  std::optional<T> out;
  scope->spawn(keep(std::move(task), &out));
  executor.run();
  if (!scope->idle()) {
    scope->cancel();
    executor.run();
  }
  return out;
}
inline Task<bool> finished(Task<void> task) {
  co_await std::move(task);
  co_return true;
}

}  // namespace tripod::http::test
