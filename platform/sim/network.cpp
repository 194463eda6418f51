#include "platform/sim/network.h"

#include <deque>
#include <format>

#include "platform/base/check.h"

namespace tripod::sim {

std::optional<Duration> Links::draw(const std::string& from, const std::string& to) {
  if (!connected(from, to)) return std::nullopt;
  if (from == to) return std::chrono::microseconds(20);
  Random& random = simulation_.random();
  if (random.chance(quality_.loss)) return std::nullopt;
  return random.between(quality_.delay_min, quality_.delay_max);
}

/// Two ends that know of each other until one is destroyed.
struct Connection {
  SimStream* ends[2] = {nullptr, nullptr};
};

class SimStream final : public os::Stream {
 public:
  SimStream(SimFabric& fabric, os::Executor& executor, std::shared_ptr<Connection> connection,
            int side, os::Address local, os::Address remote)
      : fabric_(fabric),
        executor_(executor),
        connection_(std::move(connection)),
        side_(side),
        local_(std::move(local)),
        remote_(std::move(remote)) {
    connection_->ends[side_] = this;
    fabric_.streams_.insert(this);
  }

  ~SimStream() override {
    connection_->ends[side_] = nullptr;
    fabric_.streams_.erase(this);
    if (closed_) return;
    // The reset travels like anything else, and may get lost.
    auto delay = fabric_.links_.draw(local_.ip, remote_.ip);
    if (!delay) return;
    fabric_.simulation_.at(arrival(*delay), [connection = connection_, other = 1 - side_] {
      if (SimStream* peer = connection->ends[other])
        peer->arrive({}, true, "connection reset by peer");
    });
  }

  void start(os::StreamObserver& observer) override {
    CHECK(observer_ == nullptr);
    observer_ = &observer;
    schedule_delivery();
  }
  void write(Bytes data) override {
    if (data.empty() || closed_ || finishing_) return;
    outgoing_ += data;
    pump();
  }
  std::size_t queued_bytes() const override { return outgoing_.size(); }
  void finish() override {
    if (std::exchange(finishing_, true)) return;
    pump();
  }
  void set_reading(bool enabled) override {
    reading_ = enabled;
    if (enabled) schedule_delivery();
  }
  os::Address remote() const override { return remote_; }
  os::Address local() const override { return local_; }

 private:
  MonotonicTime arrival(Duration delay) {
    last_arrival_ = std::max(last_arrival_, fabric_.simulation_.now() + delay);
    return last_arrival_;
  }

  /// Sends what is queued, or tries again later.
  void pump() {
    if (closed_ || waiting_ || (outgoing_.empty() && !finishing_) || finish_sent_) return;
    SimStream* peer = connection_->ends[1 - side_];
    std::optional<Duration> delay = fabric_.links_.draw(local_.ip, remote_.ip);
    if (delay && peer == nullptr) {
      break_off("connection reset by peer");
      return;
    }
    if (!delay || peer->incoming_bytes_ + in_flight_bytes_ >= fabric_.window_bytes) {
      retry(!delay);
      return;
    }
    failing_since_.reset();
    finish_sent_ = finishing_;
    in_flight_bytes_ += outgoing_.size();
    fabric_.simulation_.at(arrival(*delay),
                           [connection = connection_, side = side_, last = finish_sent_,
                            data = std::exchange(outgoing_, {})]() mutable {
                             if (SimStream* sender = connection->ends[side])
                               sender->in_flight_bytes_ -= data.size();
                             SimStream* receiver = connection->ends[1 - side];
                             if (receiver != nullptr)
                               receiver->arrive(std::move(data), last, "end of stream");
                           });
    post([](SimStream& self) {
      if (self.observer_ != nullptr && !self.closed_ && self.outgoing_.empty())
        self.observer_->on_drained();
    });
  }

  void retry(bool lost) {
    Simulation& simulation = fabric_.simulation_;
    if (!lost) failing_since_.reset();
    if (lost && !failing_since_) failing_since_ = simulation.now();
    if (lost && simulation.now() - *failing_since_ > fabric_.reset_after) {
      break_off("connection timed out");
      return;
    }
    waiting_ = true;
    simulation.at(simulation.now() + fabric_.retransmit_after,
                  [connection = connection_, side = side_] {
                    SimStream* self = connection->ends[side];
                    if (self == nullptr) return;
                    self->waiting_ = false;
                    self->pump();
                  });
  }

  void break_off(std::string reason) {
    closing_ = Error{ErrorCode::closed, std::move(reason)};
    incoming_.clear();
    incoming_bytes_ = 0;
    schedule_delivery();
  }

  void arrive(Bytes data, bool last, std::string_view reason) {
    incoming_bytes_ += data.size();
    if (!data.empty()) incoming_.push_back(std::move(data));
    if (last) closing_ = Error{ErrorCode::closed, std::string(reason)};
    schedule_delivery();
  }

  void schedule_delivery() {
    if (observer_ == nullptr || closed_) return;
    post([](SimStream& self) { self.deliver(); });
  }

  /// One piece per turn, the end after all of them.
  void deliver() {
    if (observer_ == nullptr || closed_) return;
    if (!incoming_.empty()) {
      if (!reading_) return;
      Bytes data = std::move(incoming_.front());
      incoming_.pop_front();
      incoming_bytes_ -= data.size();
      if (!incoming_.empty() || closing_) schedule_delivery();
      observer_->on_data(data);
    } else if (closing_) {
      closed_ = true;
      observer_->on_closed(*closing_);
    }
  }

  void post(void (*action)(SimStream&)) {
    executor_.post([connection = connection_, side = side_, action] {
      if (SimStream* self = connection->ends[side]) action(*self);
    });
  }

  SimFabric& fabric_;
  os::Executor& executor_;
  std::shared_ptr<Connection> connection_;
  int side_;
  os::Address local_;
  os::Address remote_;
  os::StreamObserver* observer_ = nullptr;
  Bytes outgoing_;
  std::deque<Bytes> incoming_;
  std::size_t incoming_bytes_ = 0;
  std::size_t in_flight_bytes_ = 0;
  std::optional<Error> closing_;
  std::optional<MonotonicTime> failing_since_;
  MonotonicTime last_arrival_;
  bool reading_ = true;
  bool waiting_ = false;
  bool finishing_ = false;
  bool finish_sent_ = false;
  bool closed_ = false;
};

class SimListener final : public os::Listener {
 public:
  SimListener(SimFabric& fabric, os::Executor& executor, os::Address address,
              os::Network::Accept accept)
      : fabric_(fabric),
        executor_(executor),
        address_(std::move(address)),
        accept_(std::move(accept)) {
    fabric_.listeners_[address_] = this;
  }
  ~SimListener() override { fabric_.listeners_.erase(address_); }
  os::Address address() const override { return address_; }

  /// The accepting end of a new connection, handed to the owner in a turn of its own.
  void admit(const std::shared_ptr<Connection>& connection, const os::Address& from) {
    auto stream = std::make_unique<SimStream>(fabric_, executor_, connection, 1, address_, from);
    executor_.post([alive = std::weak_ptr(alive_), this, stream = std::move(stream)]() mutable {
      if (!alive.expired()) accept_(std::move(stream));
    });
  }

 private:
  SimFabric& fabric_;
  os::Executor& executor_;
  os::Address address_;
  os::Network::Accept accept_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

SimFabric::~SimFabric() {
  CHECK(streams_.empty() && listeners_.empty(), "streams outlive their fabric");
}

Result<std::unique_ptr<os::Listener>> SimHost::listen(const os::Address& address, Accept accept) {
  os::Address bound = address;
  if (bound.port == 0) bound.port = fabric_.next_port_++;
  if (bound.ip != ip_)
    return fail(ErrorCode::invalid, std::format("{} is not an address of this host", bound.ip));
  if (fabric_.listeners_.contains(bound)) {
    return fail(ErrorCode::exists, std::format("{}: address already in use", bound.to_string()));
  }
  return std::make_unique<SimListener>(fabric_, executor_, bound, std::move(accept));
}

namespace {

/// Something that calls back once unless it is destroyed before.
template <typename T>
class Pending final : public os::Operation {
 public:
  explicit Pending(std::move_only_function<void(T)> done)
      : done_(std::make_shared<std::move_only_function<void(T)>>(std::move(done))) {}
  std::weak_ptr<std::move_only_function<void(T)>> reference() const { return done_; }

 private:
  std::shared_ptr<std::move_only_function<void(T)>> done_;
};

}  // namespace

void SimHost::answer(const Wanted& wanted, Result<std::unique_ptr<os::Stream>> result) {
  executor_.post([wanted, result = std::move(result)]() mutable {
    auto callback = wanted.lock();
    if (callback) std::move (*callback)(std::move(result));
  });
}

/// One handshake; lost packets are sent again until `give_up`.
void SimHost::attempt(const os::Address& address, const Wanted& wanted, MonotonicTime give_up) {
  if (wanted.expired()) return;
  Simulation& simulation = fabric_.simulation_;
  std::optional<Duration> there = fabric_.links_.draw(ip_, address.ip);
  std::optional<Duration> back = fabric_.links_.draw(address.ip, ip_);
  if (simulation.now() >= give_up) {
    answer(wanted,
           fail(ErrorCode::timeout, std::format("{}: connection timed out", address.to_string())));
    return;
  }
  if (!there || !back) {
    simulation.at(simulation.now() + fabric_.retransmit_after,
                  [this, address, wanted, give_up] { attempt(address, wanted, give_up); });
    return;
  }
  simulation.at(simulation.now() + *there + *back,
                [this, address, wanted] { establish(address, wanted); });
}

void SimHost::establish(const os::Address& address, const Wanted& wanted) {
  if (wanted.expired()) return;
  auto listener = fabric_.listeners_.find(address);
  if (listener == fabric_.listeners_.end()) {
    answer(wanted,
           fail(ErrorCode::refused, std::format("{}: connection refused", address.to_string())));
    return;
  }
  os::Address local{ip_, fabric_.next_port_++};
  auto connection = std::make_shared<Connection>();
  auto stream = std::make_unique<SimStream>(fabric_, executor_, connection, 0, local, address);
  listener->second->admit(connection, local);
  answer(wanted, std::move(stream));
}

std::unique_ptr<os::Operation> SimHost::connect(const os::Address& address, Connected done) {
  auto operation = std::make_unique<Pending<Result<std::unique_ptr<os::Stream>>>>(std::move(done));
  attempt(address, operation->reference(), fabric_.simulation_.now() + fabric_.reset_after);
  return operation;
}

std::unique_ptr<os::Operation> SimHost::resolve(const std::string& host, Resolved done) {
  using Answer = Result<std::vector<std::string>>;
  auto operation = std::make_unique<Pending<Answer>>(std::move(done));
  executor_.post([wanted = operation->reference(), host] {
    auto callback = wanted.lock();
    if (callback) std::move (*callback)(std::vector<std::string>{host});
  });
  return operation;
}

}  // namespace tripod::sim
