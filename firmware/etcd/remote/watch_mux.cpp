#include "firmware/etcd/remote/watch_mux.h"

#include <algorithm>

#include "firmware/etcd/api/codec.h"
#include "firmware/etcd/api/errors.h"

namespace tripod::etcd {
namespace {

using namespace std::chrono_literals;
using grpc::Status;
using grpc::StatusCode;

constexpr Duration pause_min = 20ms;  // before the next stream
constexpr Duration pause_max = 1s;
constexpr Duration guard_interval = 1s;
constexpr Duration progress_pace = 1ms;   // between an answer and the next question
constexpr Duration question_life = 5s;    // an answer that took longer never comes
constexpr std::int64_t no_watch_id = -1;  // of what concerns the whole stream, and of refusals

std::size_t bytes_of(const Event& event) {
  return event.kv.key.size() + event.kv.value.size() +
         (event.prev_kv ? event.prev_kv->key.size() + event.prev_kv->value.size() : 0);
}

}  // namespace

struct WatchMux::Entry {
  WatchCreateRequest request;
  WatchObserver* observer;
  Revision next = 0;               // the first revision not told yet; 0: not known yet
  std::vector<Event> partial;      // of a revision whose rest has not come
  std::size_t partial_bytes = 0;   //
  std::size_t answers_before = 0;  // to questions that were asked before this watch was
  bool created = false;            // on the stream that is open
  bool wants_progress = false;
};

class WatchMux::RemoteWatch final : public Watch {
 public:
  RemoteWatch(WatchMux& mux, Id id) : mux_(mux), id_(id) {}
  ~RemoteWatch() override { mux_.remove(id_); }
  RemoteWatch(const RemoteWatch&) = delete;
  RemoteWatch& operator=(const RemoteWatch&) = delete;
  void request_progress() override { mux_.request_progress(id_); }

 private:
  WatchMux& mux_;
  Id id_;
};

WatchMux::WatchMux(const os::World& world, const RemoteOptions& options, Endpoints& endpoints)
    : world_(world), options_(options), endpoints_(endpoints) {}

WatchMux::~WatchMux() {
  CHECK(entries_.empty(), "watches die before their client");
  CHECK(!call_);
}

std::unique_ptr<Watch> WatchMux::add(WatchCreateRequest request, WatchObserver& observer) {
  const Id id = ++last_id_;
  auto entry = std::make_unique<Entry>();
  entry->next = request.start_revision;
  entry->request = std::move(request);
  entry->request.watch_id = id;
  entry->request.fragment = true;
  entry->observer = &observer;
  if (call_) create(id, *entry);
  entries_.emplace(id, std::move(entry));
  added_.notify();
  return std::make_unique<RemoteWatch>(*this, id);
}

void WatchMux::remove(Id id) {
  if (entries_.erase(id) > 0 && call_) push({WatchCancelRequest{.watch_id = id}});
}

void WatchMux::request_progress(Id id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  found->second->wants_progress = true;
  ask_progress();
}

// --- one stream after the other ---

Task<void> WatchMux::run() {
  auto& scope = co_await async::current_scope();
  Duration pause = pause_min;
  while (!scope.cancelled()) {
    if (entries_.empty()) {
      co_await added_.wait();
      continue;
    }
    Endpoint& endpoint = endpoints_.pick();
    const Status why = co_await follow(&endpoint);
    if (scope.cancelled()) break;
    if (!endpoints_.left(endpoint)) endpoints_.failed(endpoint, options_.suspicion, why);
    pause = useful_ ? pause_min : std::min(2 * pause, pause_max);
    if (!endpoints_.suspect(endpoints_.pick()) && useful_) continue;
    co_await async::sleep_for(world_.clock, pause);
  }
}

Task<Status> WatchMux::follow(Endpoint* endpoint) {
  useful_ = false;
  grpc::CallOptions options;
  options.metadata.add("hasleader", "true");
  auto opened = co_await endpoint->channel.open("/etcdserverpb.Watch/Watch", std::move(options));
  if (!opened) co_return opened.error();
  call_ = std::move(*opened);
  begin_stream();
  Scope loops(world_.executor);
  loops.spawn(read_loop());
  loops.spawn(write_loop());
  loops.spawn(guard_loop(endpoint));
  auto status = co_await *end_;
  loops.cancel();
  co_await loops.join();
  end_stream();
  if (!status) co_return Status{StatusCode::cancelled, "the client stops"};
  co_return *status;
}

void WatchMux::begin_stream() {
  end_.emplace();
  for (auto& [id, entry] : entries_) create(id, *entry);
}

void WatchMux::end_stream() {
  call_.reset();
  end_.reset();
  outbox_.clear();
  creations_.clear();
  questions_.clear();
  question_timer_.reset();
  for (auto& [id, entry] : entries_) {
    entry->created = false;
    entry->partial.clear();
    entry->partial_bytes = 0;
  }
}

Task<void> WatchMux::read_loop() {
  while (true) {
    auto message = co_await call_->read();
    if (!message) {
      end_->set(std::move(message.error()));
      co_return;
    }
    if (!*message) {
      end_->set(Status{StatusCode::unavailable, "the server ended the watch stream"});
      co_return;
    }
    auto response = decode<WatchResponse>(**message, response_limits);
    if (!response) {
      end_->set(Status{StatusCode::internal, response.error().message});
      co_return;
    }
    message = std::nullopt;
    handle(std::move(*response));
  }
}

Task<void> WatchMux::write_loop() {
  while (true) {
    if (outbox_.empty()) {
      if (!co_await writable_.wait()) co_return;
      continue;
    }
    Bytes message = std::move(outbox_.front());
    outbox_.pop_front();
    if (auto written = co_await call_->write(std::move(message)); !written) {
      end_->set(std::move(written.error()));
      co_return;
    }
  }
}

/// A stream on which nothing happens may be one whose server hangs. And a watch that hears nothing
/// has to learn how far the store is, or compaction would leave it behind.
Task<void> WatchMux::guard_loop(const Endpoint* endpoint) {
  MonotonicTime asked = world_.clock.now();
  while (co_await async::sleep_for(world_.clock, guard_interval)) {
    const MonotonicTime now = world_.clock.now();
    if (endpoints_.left(*endpoint)) {
      end_->set(Status{StatusCode::unavailable, "another endpoint serves"});
    } else if (!creations_.empty() &&
               now - creations_.front().since >= options_.watch_ack_timeout) {
      end_->set(Status{StatusCode::deadline_exceeded, "a watch was not acknowledged"});
    } else if (now - asked >= options_.progress_interval) {
      asked = now;
      for (auto& [id, entry] : entries_) entry->wants_progress = true;
      ask_progress();
    }
  }
}

// --- what is said ---

void WatchMux::push(WatchRequest request) {
  outbox_.push_back(encode(request));
  writable_.notify();
}

void WatchMux::create(Id id, Entry& entry) {
  forget_old_questions();
  entry.answers_before = questions_.size();
  WatchCreateRequest request = entry.request;
  request.start_revision = entry.next;
  creations_.push_back({id, world_.clock.now()});
  push({std::move(request)});
}

void WatchMux::forget_old_questions() {
  const MonotonicTime now = world_.clock.now();
  while (!questions_.empty() && now - questions_.front() > question_life) questions_.pop_front();
}

/// One question at a time. The server says nothing while a watch of the stream is behind, so it is
/// asked again.
void WatchMux::ask_progress() {
  if (!call_ || question_timer_) return;
  const bool wanted =
      std::ranges::any_of(entries_, [](const auto& kept) { return kept.second->wants_progress; });
  if (!wanted) return;
  push({WatchProgressRequest{}});
  forget_old_questions();
  questions_.push_back(world_.clock.now());
  question_timer_ = world_.clock.call_at(world_.clock.now() + options_.progress_timeout, [this] {
    question_timer_.reset();
    ask_progress();
  });
}

// --- what is heard ---

void WatchMux::handle(WatchResponse response) {
  if (response.created) return on_created(response);
  useful_ = true;
  const Revision revision = response.header.revision;
  if (response.watch_id == no_watch_id) return on_stream_progress(revision);
  if (response.canceled) {
    return cancelled(response.watch_id, response.compact_revision,
                     std::move(response.cancel_reason));
  }
  if (!response.events.empty()) return on_events(response.watch_id, std::move(response));
  tell_progress(response.watch_id, revision);
}

void WatchMux::on_created(const WatchResponse& response) {
  if (creations_.empty()) return;
  const Id id = creations_.front().id;  // a refusal does not name the watch; answers keep the order
  creations_.pop_front();
  useful_ = true;
  if (response.canceled) return cancelled(id, response.compact_revision, response.cancel_reason);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  Entry& entry = *found->second;
  entry.created = true;
  if (entry.next == 0) entry.next = response.header.revision + 1;
}

/// Every watch that the server knew when it was asked has been told everything up to `revision`.
void WatchMux::on_stream_progress(Revision revision) {
  if (!questions_.empty()) questions_.pop_front();
  std::vector<Id> covered;
  for (auto& [id, entry] : entries_) {
    const bool asked_after = entry->answers_before == 0;
    if (!asked_after) --entry->answers_before;
    if (entry->created && entry->partial.empty() && (asked_after || entry->next > revision)) {
      covered.push_back(id);
    }
  }
  question_timer_ = world_.clock.call_at(world_.clock.now() + progress_pace, [this] {
    question_timer_.reset();
    ask_progress();
  });
  for (const Id id : covered) tell_progress(id, revision);
}

void WatchMux::on_events(Id id, WatchResponse response) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  Entry& entry = *found->second;
  std::vector<Event> events = std::move(entry.partial);
  entry.partial.clear();
  std::ranges::move(response.events, std::back_inserter(events));
  if (response.fragment) {
    // The rest of the last revision may follow: it waits here.
    const Revision last = events.back().kv.mod_revision;
    const auto rest = std::ranges::find_if(
        events, [last](const Event& event) { return event.kv.mod_revision == last; });
    entry.partial.assign(std::move_iterator(rest), std::move_iterator(events.end()));
    events.erase(rest, events.end());
    entry.partial_bytes = 0;
    for (const Event& event : entry.partial) entry.partial_bytes += bytes_of(event);
    if (entry.partial_bytes > options_.partial_events_bytes_max) {
      cancelled(id, 0, "a revision with too many events");
      return push({WatchCancelRequest{.watch_id = id}});
    }
  }
  tell(id, std::move(events));
}

void WatchMux::tell(Id id, std::vector<Event> events) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  Entry& entry = *found->second;
  std::erase_if(events, [&](const Event& event) { return event.kv.mod_revision < entry.next; });
  if (events.empty()) return;
  const Revision last = events.back().kv.mod_revision;
  entry.next = last + 1;
  entry.observer->on_events(last, events);
}

void WatchMux::tell_progress(Id id, Revision revision) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  Entry& entry = *found->second;
  entry.wants_progress = false;
  entry.next = std::max(entry.next, revision + 1);
  entry.observer->on_events(revision, {});
}

void WatchMux::cancelled(Id id, Revision compact_revision, std::string reason) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  WatchObserver& observer = *found->second->observer;
  entries_.erase(found);
  if (compact_revision > 0) {
    observer.on_cancelled(compact_revision, outcome::compacted.status());
  } else {
    observer.on_cancelled(0, {StatusCode::unavailable, std::move(reason)});
  }
}

}  // namespace tripod::etcd
