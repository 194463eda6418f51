#include "firmware/etcd/rpc/watch_stream.h"

#include "firmware/etcd/api/codec.h"

namespace tripod::etcd::rpc {
namespace {

constexpr std::int64_t no_watch_id = -1;  // of what concerns the whole stream, and of refusals
constexpr std::size_t fragment_overhead_bytes = 512 * 1024;

}  // namespace

/// One watch of the stream.
struct WatchStream::Entry final : WatchSink {
  Entry(WatchStream& stream_in, std::int64_t id_in, const WatchCreateRequest& request)
      : stream(stream_in),
        id(id_in),
        prev_kv(request.prev_kv),
        fragment(request.fragment),
        progress_notify(request.progress_notify) {}

  bool ready() const override { return stream.has_room(); }
  void on_events(Revision revision, const Events& events) override {
    if (events.empty()) return stream.on_progress(*this, revision);
    busy = true;
    stream.send_events(*this, revision, events);
  }
  void on_compacted(Revision compact_revision) override {
    WatchResponse response = stream.head(id, 0);
    response.canceled = true;
    response.compact_revision = compact_revision;
    response.header.revision = 0;  // as in etcd: it was not looked up
    stream.push(encode(response));
    stream.retire(id);
  }

  WatchStream& stream;
  std::int64_t id;
  bool prev_kv;
  bool fragment;
  bool progress_notify;
  bool busy = false;          // had events since the last interval
  bool own_progress = false;  // asked for by interval
  bool for_stream = false;    // the stream's progress request waits for this watch
  std::unique_ptr<HubWatch> watch;
};

WatchStream::WatchStream(Member& member, grpc::ServerCall call, bool require_leader,
                         Credentials who)
    : member_(member),
      call_(call),
      require_leader_(require_leader),
      who_(std::move(who)),
      streams_(member.metrics().gauge("etcd_debugging_mvcc_watch_stream_total",
                                      "Total number of watch streams.")),
      events_sent_(member.metrics().counter("etcd_debugging_mvcc_events_total",
                                            "Total number of events sent by this member.")),
      scope_(member.world().executor) {
  streams_.add(1);
}

WatchStream::~WatchStream() {
  streams_.add(-1);
}

Task<grpc::Status> WatchStream::run() {
  if (require_leader_ && member_.leader() == 0) co_return outcome::no_leader.status();
  scope_.spawn(read_loop());
  scope_.spawn(write_loop());
  scope_.spawn(progress_loop());
  if (require_leader_) scope_.spawn(leader_loop());
  auto status = co_await end_;
  scope_.cancel();
  co_await scope_.join();
  watches_.clear();
  retired_.clear();
  if (!status) co_return outcome::watch_canceled.status();
  co_return *status;
}

// --- what the client says ---

Task<void> WatchStream::read_loop() {
  for (;;) {
    // Control answers wait in the queue, too: no more questions while it is full.
    while (queue_.size() >= limits_.queue_messages_max) {
      if (!co_await drained_.wait()) co_return;
    }
    auto message = co_await call_.read();
    if (!message) {
      end_.set(message.error().code == grpc::StatusCode::cancelled
                   ? outcome::watch_canceled.status()
                   : message.error());
      co_return;
    }
    // Who asks for nothing more still listens, as with etcd: the JSON gateway's clients do.
    if (!*message) co_return;
    if ((*message)->empty()) continue;  // asks for nothing
    auto request = decode<WatchRequest>(**message);
    if (!request) {
      end_.set(grpc::Status{grpc::StatusCode::internal,
                            "grpc: failed to unmarshal the received message"});
      co_return;
    }
    if (auto* wanted = std::get_if<WatchCreateRequest>(&request->request)) {
      co_await create(std::move(*wanted));
    } else if (const auto* unwanted = std::get_if<WatchCancelRequest>(&request->request)) {
      cancel(unwanted->watch_id);
    } else {
      request_progress();
    }
  }
}

void WatchStream::refuse(std::string reason) {
  WatchResponse response{.watch_id = no_watch_id,
                         .created = true,
                         .canceled = true,
                         .cancel_reason = std::move(reason)};
  send(std::move(response), member_.revision());
}

Task<void> WatchStream::create(WatchCreateRequest request) {
  if (request.start_revision < 0) co_return refuse(std::string(outcome::compacted.text));
  const Bytes first = request.key.empty() ? Bytes(1, '\0') : request.key;
  auto allowed = co_await member_.require_read(first, request.range_end, who_);
  if (!allowed) {
    // As the text of a gRPC error, which is what etcd's clients look for.
    co_return refuse(std::format("rpc error: code = {} desc = {}",
                                 grpc::name_of(allowed.error().code), allowed.error().message));
  }
  const bool unbounded = request.range_end == BytesView("\0", 1);
  if (!request.range_end.empty() && !unbounded && request.key >= request.range_end) {
    co_return refuse("mvcc: watcher range is empty");
  }
  if (watches_.size() >= limits_.watches_max)
    co_return refuse(std::string(outcome::too_many_requests.text));
  std::int64_t id = request.watch_id;
  if (id == 0) {
    while (watches_.contains(next_id_)) ++next_id_;
    id = next_id_++;
  } else if (watches_.contains(id)) {
    co_return refuse("mvcc: duplicate watch ID provided on the WatchStream");
  }
  auto entry = std::make_unique<Entry>(*this, id, request);
  WatchResponse response{.watch_id = id, .created = true};
  send(std::move(response), member_.revision());
  entry->watch = member_.watches().add(WatchParameters::of(request), *entry);
  watches_.emplace(id, std::move(entry));
}

void WatchStream::cancel(std::int64_t id) {
  if (!watches_.contains(id)) return;
  retire(id);
  WatchResponse response{.watch_id = id, .canceled = true};
  send(std::move(response), member_.revision());
}

void WatchStream::retire(std::int64_t id) {
  auto node = watches_.extract(id);
  if (node.empty()) return;
  if (node.mapped()->for_stream) {
    --progress_missing_;
    answer_progress_when_complete();
  }
  retired_.push_back(std::move(node.mapped()));
  writable_.notify();
}

// --- progress ---

void WatchStream::request_progress() {
  if (progress_missing_ > 0)
    return;  // the answer under way will do for the client, which asks again
  progress_revision_.reset();
  for (auto& [id, entry] : watches_) {
    entry->for_stream = true;
    ++progress_missing_;
    entry->watch->request_progress();
  }
}

void WatchStream::on_progress(Entry& entry, Revision revision) {
  if (std::exchange(entry.own_progress, false)) send(WatchResponse{.watch_id = entry.id}, revision);
  if (!std::exchange(entry.for_stream, false)) return;
  --progress_missing_;
  progress_revision_ = std::min(progress_revision_.value_or(revision), revision);
  answer_progress_when_complete();
}

void WatchStream::answer_progress_when_complete() {
  if (progress_missing_ > 0 || !progress_revision_) return;
  send(WatchResponse{.watch_id = no_watch_id}, *progress_revision_);
  progress_revision_.reset();
}

Task<void> WatchStream::progress_loop() {
  const Duration interval = member_.options().watch_progress_notify_interval;
  while (co_await async::sleep_for(member_.world().clock, interval)) {
    for (auto& [id, entry] : watches_) {
      if (!entry->progress_notify || std::exchange(entry->busy, false)) continue;
      entry->own_progress = true;
      entry->watch->request_progress();
    }
  }
}

Task<void> WatchStream::leader_loop() {
  const Duration patience = 3 * member_.options().election_timeout;
  while (co_await async::sleep_for(member_.world().clock, member_.options().election_timeout)) {
    const auto without = member_.without_leader();
    if (without && *without >= patience) end_.set(outcome::no_leader.status());
  }
}

// --- what the client hears ---

WatchResponse WatchStream::head(std::int64_t id, Revision revision) const {
  WatchResponse response{.watch_id = id};
  response.header.revision = revision;
  member_.fill(response.header);
  return response;
}

void WatchStream::send(WatchResponse response, Revision revision) {
  response.header.revision = revision;
  member_.fill(response.header);
  push(encode(response));
}

void WatchStream::send_events(Entry& entry, Revision revision, const Events& events) {
  const std::size_t bytes_max = member_.options().max_request_bytes + fragment_overhead_bytes;
  WatchResponse response = head(entry.id, revision);
  events_sent_.add(static_cast<double>(events.size()));
  std::vector<SharedBytes> encoded;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const SharedBytes& event = events[i]->encoded(entry.prev_kv);
    if (entry.fragment && !encoded.empty() && bytes + event->size() >= bytes_max) {
      response.fragment = true;
      push(encode_with_events(response, encoded));
      encoded.clear();
      bytes = 0;
    }
    bytes += event->size() + 8;
    encoded.push_back(event);
  }
  response.fragment = false;
  push(encode_with_events(response, encoded));
}

bool WatchStream::has_room() const {
  const bool room =
      queue_.size() < limits_.queue_messages_max && queued_bytes_ < limits_.queue_bytes_max;
  blocked_ = blocked_ || !room;
  return room;
}

void WatchStream::push(Bytes message) {
  queued_bytes_ += message.size();
  queue_.push_back(std::move(message));
  writable_.notify();
}

Task<void> WatchStream::write_loop() {
  for (;;) {
    retired_.clear();
    if (queue_.empty()) {
      if (!co_await writable_.wait()) co_return;
      continue;
    }
    Bytes message = std::move(queue_.front());
    queue_.pop_front();
    queued_bytes_ -= message.size();
    auto written = co_await call_.write(std::move(message));
    if (!written) {
      end_.set(written.error());
      co_return;
    }
    drained_.notify();
    if (blocked_ && queue_.size() <= limits_.queue_messages_max / 2 &&
        queued_bytes_ <= limits_.queue_bytes_max / 2) {
      blocked_ = false;
      for (auto& [id, entry] : watches_) entry->watch->wake();
    }
  }
}

}  // namespace tripod::etcd::rpc
