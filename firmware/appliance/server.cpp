#include "firmware/appliance/server.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <format>

namespace tripod::appliance {
namespace {

constexpr int signal_terminate = 15;
constexpr int signal_kill = 9;
constexpr int output_reads_max = 8;  // of what is left in the pipe: 64 KiB
constexpr std::string_view record_prefix = "crash-";
/// How lines begin that say why a process ends.
constexpr std::array<std::string_view, 2> reasons{"tripod: ", "fatal: "};

}  // namespace

RecordNames plan_records(std::vector<std::string> names, std::size_t records_max) {
  std::erase_if(names, [](const std::string& name) { return !name.starts_with(record_prefix); });
  std::ranges::sort(names);
  int last = 0;
  if (!names.empty()) {
    std::string_view digits = std::string_view(names.back()).substr(record_prefix.size());
    std::from_chars(digits.data(), digits.data() + digits.size(), last);
  }
  RecordNames plan{.next = std::format("{}{:06}.txt", record_prefix, last + 1), .surplus = {}};
  for (std::size_t i = 0; i + records_max <= names.size(); ++i) plan.surplus.push_back(names[i]);
  return plan;
}

Server::Server(Options options, os::World world, linux_os::Loop& loop, Scope& scope)
    : options_(std::move(options)),
      world_(world),
      loop_(loop),
      scope_(scope),
      log_(world.log, "board.server") {}

void Server::start() {
  restart_.reset();
  spec_ = options_.child();
  auto child = boards::start_child(spec_);
  started_ = loop_.now();
  if (!child) {
    log_.error("cannot start the server", LogField("error", child.error().to_string()));
    restart_ = loop_.call_at(started_ + backoff_.next(Duration(0)) + std::chrono::seconds(1),
                             [this] { start(); });
    return;
  }
  child_ = std::move(*child);
  state_.running = true;
  state_.serving = false;
  state_.last_sign = started_;
  state_.sick_since.reset();
  memory_kills_ = boards::out_of_memory_kills();
  output_watch_ = loop_.on_readable(child_.output.get(), [this] { read_output(); });
  heartbeat_watch_ = loop_.on_readable(child_.heartbeat.get(), [this] { read_heartbeats(); });
  log_.info("server started", LogField("pid", child_.pid), LogField("restarts", restarts_));
}

void Server::read_output() {
  auto bytes = boards::read_available(child_.output.get());
  if (bytes) tail_.add(*bytes, options_.print);
  if (!bytes) output_watch_.reset();
}

void Server::read_heartbeats() {
  auto bytes = boards::read_available(child_.heartbeat.get());
  if (!bytes) {
    heartbeat_watch_.reset();
    return;
  }
  heartbeats_ += *bytes;
  while (true) {
    std::size_t end = heartbeats_.find('\n');
    if (end == std::string::npos) break;
    auto heartbeat = boards::decode_heartbeat(std::string_view(heartbeats_).substr(0, end));
    if (heartbeat) hear(*heartbeat);
    heartbeats_.erase(0, end + 1);
  }
  if (heartbeats_.size() > boards::heartbeat_bytes_max) heartbeats_.clear();
}

void Server::hear(const boards::Heartbeat& heartbeat) {
  state_.last_sign = loop_.now();
  if (heartbeat.health != boards::Health::starting) state_.serving = true;
  if (heartbeat.health == boards::Health::ready) state_.crashes = 0;
  if (heartbeat.health != boards::Health::sick) {
    state_.sick_since.reset();
  } else if (!state_.sick_since) {
    state_.sick_since = state_.last_sign;
  }
  options_.heard(heartbeat);
}

std::string Server::explain(const boards::ChildEnd& end) {
  if (end.signal == signal_kill && boards::out_of_memory_kills() > memory_kills_) {
    return std::format("killed for using more than its {} MiB of memory ([board] memory-max)",
                       spec_.memory_bytes_max >> 20);
  }
  const std::string said = boards::ended_with_reason(end) ? tail_.last_of(reasons) : "";
  return said.empty() ? end.text : std::format("{}: {}", end.text, said);
}

void Server::ended(const boards::ChildEnd& end) {
  if (!state_.running || end.pid != child_.pid) return;
  for (int i = 0; i < output_reads_max && output_watch_; ++i) read_output();
  output_watch_.reset();
  heartbeat_watch_.reset();
  heartbeats_.clear();
  state_.running = false;
  state_.sick_since.reset();
  last_end_ = explain(end);
  child_ = {};
  const Duration lived = loop_.now() - started_;
  if (stopping_) {
    log_.info("server ended", LogField("end", last_end_));
    gone_.notify();
    return;
  }
  const bool crashed = (end.signal != 0 || end.exit_code != 0) && !boards::ended_with_reason(end);
  state_.crashes = crashed ? state_.crashes + 1 : 0;
  ++restarts_;
  const Duration wait = backoff_.next(lived);
  using std::chrono::duration_cast;
  log_.error("server ended", LogField("end", last_end_),
             LogField("lived_ms", duration_cast<Milliseconds>(lived).count()),
             LogField("again_in_ms", duration_cast<Milliseconds>(wait).count()));
  scope_.spawn(record(std::format(
      "{}: the server ended after {} ms: {}\nIts last lines:\n{}", to_rfc3339(loop_.wall_now()),
      duration_cast<Milliseconds>(lived).count(), last_end_, tail_.text())));
  tail_.clear();
  restart_ = loop_.call_at(loop_.now() + wait, [this] { start(); });
}

Task<void> Server::record(std::string text) {
  if (options_.crash_folder.empty()) co_return;
  os::Storage* storage = &world_.storage;
  auto kept = co_await async::run_on(
      world_.storage_lane, [storage, folder = options_.crash_folder, text]() -> Result<> {
        if (auto made = storage->make_directories(folder, 0700); !made) return made;
        auto names = storage->list(folder);
        if (!names) return std::unexpected(names.error());
        RecordNames plan = plan_records(std::move(*names), crash_records_max);
        for (const std::string& name : plan.surplus) {
          std::ignore = storage->remove_file(folder + "/" + name);
        }
        return storage->replace_file(folder + "/" + plan.next, text, 0600);
      });
  if (!kept) log_.warn("crash not recorded", LogField("error", kept.error().to_string()));
}

Task<void> Server::stop(Duration patience) {
  stopping_ = true;
  restart_.reset();
  if (!state_.running) co_return;
  boards::signal_child(child_.pid, signal_terminate);
  auto hard = loop_.call_at(loop_.now() + patience, [this] {
    log_.warn("server does not stop; killing it");
    boards::signal_child(child_.pid, signal_kill);
  });
  while (state_.running) {
    if (auto gone = co_await gone_.wait(); !gone) co_return;
  }
}

}  // namespace tripod::appliance
