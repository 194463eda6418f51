#include "platform/sim/board.h"

#include <cstring>
#include <format>

#include "platform/base/check.h"

namespace tripod::sim {

Simulation::EventId BoardQueue::at(MonotonicTime when, os::Callback callback) {
  return simulation_.at(when, [this, life = life_, callback = std::move(callback)]() mutable {
    run(life, std::move(callback));
  });
}

void BoardQueue::run(std::uint64_t life, os::Callback callback) {
  if (life != life_) return;
  if (paused_) {
    held_.push_back(std::move(callback));
  } else {
    callback();
  }
}

void BoardQueue::set_paused(bool paused) {
  paused_ = paused;
  if (paused) return;
  for (os::Callback& callback : std::exchange(held_, {})) post(std::move(callback));
}

void BoardQueue::power_off() {
  ++life_;
  powered_ = false;
  paused_ = false;
  held_.clear();
}

DriftingClock::DriftingClock(BoardQueue& queue)
    : queue_(queue), anchor_true_(queue.simulation().now()), anchor_board_(anchor_true_) {}

MonotonicTime DriftingClock::now() const {
  auto passed = static_cast<double>((queue_.simulation().now() - anchor_true_).count());
  return anchor_board_ + Duration(static_cast<Duration::rep>(passed * rate_));
}

WallTime DriftingClock::wall_now() const {
  constexpr WallTime start = std::chrono::sys_days(std::chrono::year(2026) / 11 / 21);
  auto passed = now().time_since_epoch() + wall_offset_;
  return start + std::chrono::duration_cast<std::chrono::microseconds>(passed);
}

void DriftingClock::set_rate(double rate) {
  CHECK(rate > 0);
  anchor_board_ = now();
  anchor_true_ = queue_.simulation().now();
  rate_ = rate;
}

MonotonicTime DriftingClock::true_time(MonotonicTime when) const {
  auto ahead = static_cast<double>((when - now()).count());
  if (ahead <= 0) return queue_.simulation().now();
  return queue_.simulation().now() + Duration(static_cast<Duration::rep>(ahead / rate_) + 1);
}

namespace {

/// A timer; it looks again when the clock changed its rate meanwhile.
class Timer final : public os::Operation {
 public:
  Timer(BoardQueue& queue, DriftingClock& clock, MonotonicTime when, os::Callback callback)
      : queue_(queue), clock_(clock), when_(when), callback_(std::move(callback)) {
    arm();
  }
  ~Timer() override {
    *alive_ = false;
    if (armed_) queue_.cancel(event_);
  }

 private:
  void arm() {
    armed_ = true;
    event_ = queue_.at(clock_.true_time(when_), [this, alive = alive_] {
      if (!*alive) return;
      armed_ = false;
      if (clock_.now() < when_) {
        arm();
        return;
      }
      os::Callback callback = std::move(callback_);
      callback();  // may destroy this
    });
  }

  BoardQueue& queue_;
  DriftingClock& clock_;
  MonotonicTime when_;
  os::Callback callback_;
  Simulation::EventId event_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  bool armed_ = false;
};

}  // namespace

std::unique_ptr<os::Operation> DriftingClock::call_at(MonotonicTime when, os::Callback callback) {
  return std::make_unique<Timer>(queue_, *this, when, std::move(callback));
}

void SimLane::run(os::Callback work, os::Callback done) {
  Simulation& simulation = queue_.simulation();
  MonotonicTime start = std::max(busy_until_, simulation.now());
  busy_until_ = start + simulation.random().between(low_, high_);
  queue_.at(busy_until_, [this, work = std::move(work), done = std::move(done)]() mutable {
    if (before_) before_();
    work();
    if (after_ && !after_()) return;
    queue_.post(std::move(done));
  });
}

void SimLane::set_latency(Duration low, Duration high) {
  CHECK(low <= high);
  low_ = low;
  high_ = high;
}

void SimLane::set_hooks(std::function<void()> before, std::function<bool()> after) {
  before_ = std::move(before);
  after_ = std::move(after);
}

void SimEntropy::fill(std::span<std::byte> out) {
  while (!out.empty()) {
    std::uint64_t word = random_.next();
    std::size_t bytes = std::min(out.size(), sizeof(word));
    std::memcpy(out.data(), &word, bytes);
    out = out.subspan(bytes);
  }
}

Result<Bytes> SimStorage::read_file(const std::string& path, std::size_t bytes_max) {
  std::shared_ptr<DiskFile> file = disk_.find(path);
  if (!file) return fail(ErrorCode::not_found, path);
  if (file->content().size() > bytes_max) return fail(ErrorCode::too_large, path);
  return Bytes(file->content());
}

Result<> SimStorage::replace_file(const std::string& path, BytesView content, unsigned) {
  DiskError error = disk_.admit(disk_.life(), content.size(), true);
  if (error == DiskError::full) return fail(ErrorCode::no_space, path);
  if (error == DiskError::io) return fail(ErrorCode::io, path);
  disk_.remove(path);
  std::shared_ptr<DiskFile> file = disk_.create(path);
  file->write(0, content);
  file->sync();
  return {};
}

namespace {

class SimWriter final : public os::FileWriter {
 public:
  SimWriter(Disk& disk, std::shared_ptr<DiskFile> file, std::string path)
      : disk_(disk), life_(disk.life()), file_(std::move(file)), path_(std::move(path)) {}
  Result<> append(BytesView content) override {
    if (auto admitted = admit(content.size(), false); !admitted) return admitted;
    file_->write(file_->content().size(), content);
    return {};
  }
  Result<> sync() override {
    if (auto admitted = admit(0, true); !admitted) return admitted;
    file_->sync();
    return {};
  }

 private:
  Result<> admit(std::uint64_t bytes, bool is_sync) {
    switch (disk_.admit(life_, bytes, is_sync)) {
      case DiskError::none: return {};
      case DiskError::full: return fail(ErrorCode::no_space, path_);
      case DiskError::io: return fail(ErrorCode::io, path_);
    }
    return {};
  }

  Disk& disk_;
  std::uint64_t life_;
  std::shared_ptr<DiskFile> file_;
  std::string path_;
};

}  // namespace

Result<std::unique_ptr<os::FileWriter>> SimStorage::create_file(const std::string& path, unsigned) {
  if (disk_.admit(disk_.life(), 0, false) != DiskError::none) return fail(ErrorCode::io, path);
  disk_.remove(path);
  return std::make_unique<SimWriter>(disk_, disk_.create(path), path);
}

Result<> SimStorage::rename_file(const std::string& from, const std::string& to) {
  if (!disk_.find(from)) return fail(ErrorCode::not_found, from);
  if (disk_.admit(disk_.life(), 0, true) != DiskError::none) return fail(ErrorCode::io, from);
  disk_.rename(from, to);
  return {};
}

Result<> SimStorage::make_directories(const std::string&, unsigned) {
  return {};
}

Result<> SimStorage::remove_file(const std::string& path) {
  if (!disk_.find(path)) return fail(ErrorCode::not_found, path);
  disk_.remove(path);
  return {};
}

bool SimStorage::exists(const std::string& path) {
  return disk_.find(path) != nullptr;
}

Result<std::vector<std::string>> SimStorage::list(const std::string& path) {
  std::vector<std::string> names;
  std::string prefix = path.ends_with('/') ? path : path + "/";
  for (const std::string& file : disk_.paths()) {
    if (!file.starts_with(prefix)) continue;
    std::string name = file.substr(prefix.size());
    name = name.substr(0, name.find('/'));
    if (names.empty() || names.back() != name) names.push_back(name);
  }
  return names;
}

Result<std::uint64_t> SimStorage::free_bytes(const std::string&) {
  std::uint64_t used = disk_.used_bytes();
  return used > disk_.capacity_bytes() ? 0 : disk_.capacity_bytes() - used;
}

void SimMachine::write(LogLevel level, std::string_view component, std::string_view line) {
  simulation_.trace(std::format("{} {} {} {}", hostname_, name_of(level), component, line));
}

SimBoard::SimBoard(Simulation& simulation, SimFabric& fabric, std::string name, std::string ip)
    : name_(std::move(name)),
      queue_(simulation),
      clock_(queue_),
      network_(fabric, queue_, std::move(ip)),
      disk_(name_, simulation.random()),
      storage_(disk_),
      storage_lane_(queue_, std::chrono::microseconds(200), std::chrono::milliseconds(3)),
      log_lane_(queue_, std::chrono::microseconds(200), std::chrono::milliseconds(3)),
      crypto_lane_(queue_, std::chrono::microseconds(500), std::chrono::milliseconds(2)),
      entropy_(simulation.random()),
      machine_(simulation, name_) {}

os::World SimBoard::world() {
  return {queue_,    clock_,       network_, storage_, storage_lane_,
          log_lane_, crypto_lane_, entropy_, machine_, machine_};
}

void SimBoard::set_disk_latency(Duration low, Duration high) {
  for (SimLane* lane : {&storage_lane_, &log_lane_}) lane->set_latency(low, high);
}

void SimBoard::set_disk_hooks(const std::function<void()>& before,
                              const std::function<bool()>& after) {
  for (SimLane* lane : {&storage_lane_, &log_lane_}) lane->set_hooks(before, after);
}

void SimBoard::power_off() {
  queue_.power_off();
  disk_.cut_power();
}

void SimBoard::power_on() {
  if (queue_.powered()) return;
  disk_.crash();
  queue_.power_on();
}

void SimBoard::restart_processes() {
  queue_.power_off();
  disk_.reopen();
  queue_.power_on();
}

}  // namespace tripod::sim
