#include "firmware/apiserver/watch_cache/cache.h"

#include <algorithm>
#include <format>

#include "firmware/apiserver/registry/etcd_errors.h"

namespace tripod::apiserver {

namespace {

kube::StatusError too_large_version(etcd::Revision wanted, etcd::Revision current) {
  auto error = kube::errors::timeout(
      std::format("Too large resource version: {}, current: {}", wanted, current), 1);
  if (json::Value* details = json::find(error.status, "details")) {
    json::Value cause = {{"reason", "ResourceVersionTooLarge"},
                         {"message", "Too large resource version"}};
    json::set(*details, {"causes"}, json::Value(json::Array{std::move(cause)}));
  }
  return error;
}

}  // namespace

Cache::Cache(const Resource& resource, etcd::Client& etcd, os::World world,
             metrics::Registry& metrics, Limits limits)
    : resource_(resource),
      etcd_(etcd),
      world_(world),
      limits_(limits),
      log_(world.log, "apiserver.cache"),
      events_total_(
          metrics.counter("apiserver_watch_cache_events_received_total",
                          "Counter of events received in watch cache broken by resource type.",
                          {{"group", std::string(resource.kind.group)},
                           {"resource", std::string(resource.plural)}})) {}

Cache::~Cache() {
  CHECK(!watch_);
}

std::string_view Cache::suffix_of(BytesView key) const {
  return key.substr(resource_.storage_prefix.size());
}

Task<void> Cache::run() {
  auto& scope = co_await async::current_scope();
  while (!scope.cancelled()) {
    auto loaded = co_await load();
    if (!loaded) {
      log_.debug("listing failed", LogField("resource", resource_.plural),
                 LogField("error", loaded.error().message()));
      co_await async::sleep_for(world_.clock, std::chrono::milliseconds(250));
      continue;
    }
    while (!scope.cancelled() && !compacted_) {
      if (auto ended = co_await follow(); !ended) break;
    }
    watch_.reset();
  }
  ready_ = false;
  end_watchers();
}

Task<kube::Outcome<>> Cache::load() {
  Objects objects;
  etcd::RangeRequest request;
  request.key = Bytes(resource_.storage_prefix);
  request.range_end = prefix_end(resource_.storage_prefix);
  request.limit = limits_.page_size;
  while (true) {
    auto page = co_await etcd_.range(request);
    if (!page)
      co_return std::unexpected(from_etcd(page.error(), resource_.group_resource(), "list"));
    if (request.revision == 0) request.revision = page->header.revision;
    for (const etcd::KeyValue& kv : page->kvs) {
      auto object = decode_object(resource_, kv.value, kv.mod_revision);
      if (object) {
        objects.insert_or_assign(std::string(suffix_of(kv.key)), std::move(*object));
      } else {
        log_.error("unreadable object", LogField("key", kv.key),
                   LogField("error", object.error().message));
      }
    }
    if (!page->more || page->kvs.empty()) break;
    request.key = page->kvs.back().key + '\0';
  }
  end_watchers();
  objects_ = std::move(objects);
  ring_.clear();
  ring_bytes_ = 0;
  ring_start_ = request.revision;
  ready_ = true;
  compacted_ = false;
  advance(request.revision);
  co_return kube::Outcome<>{};
}

Task<Result<>> Cache::follow() {
  etcd::WatchCreateRequest request;
  request.key = Bytes(resource_.storage_prefix);
  request.range_end = prefix_end(resource_.storage_prefix);
  request.start_revision = revision_ + 1;
  request.progress_notify = true;
  watch_ = etcd_.watch(std::move(request), *this);
  auto ended = co_await watch_ended_.wait();
  watch_.reset();
  if (!ended) co_return ended;
  co_return co_await async::sleep_for(world_.clock, std::chrono::milliseconds(100));
}

void Cache::on_events(etcd::Revision revision, const std::vector<etcd::Event>& events) {
  for (const etcd::Event& event : events) {
    if (event.kv.mod_revision > revision_) apply(event);
  }
  // Whole revisions arrive together, so everything up to `revision` has been seen.
  advance(revision);
}

void Cache::on_cancelled(etcd::Revision compact_revision, grpc::Status status) {
  log_.warn("watch of etcd ended", LogField("resource", resource_.plural),
            LogField("revision", revision_), LogField("compacted", compact_revision),
            LogField("why", status.message));
  compacted_ = compact_revision > 0;
  watch_ended_.notify();
}

void Cache::apply(const etcd::Event& event) {
  events_total_.add();
  const std::string suffix(suffix_of(event.kv.key));
  const auto known = objects_.find(suffix);
  ObjectRef previous = known == objects_.end() ? nullptr : known->second;
  ObjectRef object;
  if (event.type != etcd::EventType::remove) {
    auto decoded = decode_object(resource_, event.kv.value, event.kv.mod_revision);
    if (decoded) {
      object = std::move(*decoded);
    } else {
      log_.error("unreadable object", LogField("key", event.kv.key),
                 LogField("error", decoded.error().message));
    }
  }
  // What cannot be read is not shown, as in load(): what was there before is gone.
  if (!object) {
    if (!previous) return;
    objects_.erase(known);
    ObjectRef last = at_revision(resource_, *previous, event.kv.mod_revision);
    publish(std::make_shared<CacheEvent>(EventType::deleted, std::move(last), std::move(previous)));
    return;
  }
  objects_.insert_or_assign(suffix, object);
  const EventType type = previous ? EventType::modified : EventType::added;
  publish(std::make_shared<CacheEvent>(type, std::move(object), std::move(previous)));
}

void Cache::publish(EventRef event) {
  ring_bytes_ += event->cost_bytes();
  ring_.push_back(event);
  while (ring_.size() > limits_.events_max ||
         (ring_bytes_ > limits_.event_bytes_max && ring_.size() > 1)) {
    // All events of one revision go together, so that a resume never sees half of one.
    const etcd::Revision dropped = ring_.front()->object->revision;
    while (!ring_.empty() && ring_.front()->object->revision == dropped) {
      ring_bytes_ -= ring_.front()->cost_bytes();
      ring_.pop_front();
    }
    ring_start_ = dropped;
  }
  for (const std::weak_ptr<Watcher>& weak : watchers_) {
    if (auto watcher = weak.lock()) watcher->offer(event);
  }
}

void Cache::advance(etcd::Revision revision) {
  revision_ = std::max(revision_, revision);
  bool waiting = false;
  for (Waiter& waiter : waiters_) {
    if (waiter.revision <= revision_) {
      waiter.reached.set();
    } else {
      waiting = true;
    }
  }
  std::erase_if(waiters_, [](const Waiter& waiter) { return waiter.reached.done(); });
  if (waiting && watch_) watch_->request_progress();
}

ObjectRef Cache::find(std::string_view name_space, std::string_view name) const {
  const auto at = objects_.find(resource_.namespaced ? std::format("{}/{}", name_space, name)
                                                     : std::string(name));
  return at == objects_.end() ? nullptr : at->second;
}

Task<kube::Outcome<>> Cache::wait_for(etcd::Revision revision) {
  const MonotonicTime deadline = world_.clock.now() + limits_.wait_max;
  while (!ready_ || revision_ < revision) {
    if (world_.clock.now() >= deadline) {
      if (!ready_)
        co_return std::unexpected(
            kube::errors::too_many_requests("storage is (re)initializing", 1));
      co_return std::unexpected(too_large_version(revision, revision_));
    }
    Waiter waiter{std::max<etcd::Revision>(revision, 1), {}};
    auto reached = waiter.reached;
    waiters_.push_back(waiter);
    if (watch_) watch_->request_progress();
    // Asked again from time to time: a remote member may have answered for a revision before ours.
    auto timer = world_.clock.call_at(world_.clock.now() + std::chrono::milliseconds(100),
                                      [reached]() mutable { reached.set(); });
    if (auto woken = co_await reached; !woken) {
      co_return std::unexpected(kube::errors::timeout("request was cancelled"));
    }
  }
  co_return kube::Outcome<>{};
}

Task<kube::Outcome<etcd::Revision>> Cache::catch_up() {
  auto now = co_await etcd_.read_revision();
  if (!now) co_return std::unexpected(from_etcd(now.error(), resource_.group_resource(), "list"));
  auto reached = co_await wait_for(*now);
  if (!reached) co_return std::unexpected(reached.error());
  co_return revision_;
}

kube::Outcome<std::shared_ptr<Watcher>> Cache::watch(const Resource& row, Selection selection,
                                                     etcd::Revision from) {
  if (from < ring_start_) {
    return std::unexpected(
        kube::errors::expired(std::format("too old resource version: {} ({})", from, ring_start_)));
  }
  auto watcher = std::make_shared<Watcher>(row, std::move(selection));
  const auto first = std::ranges::partition_point(
      ring_, [&](const EventRef& event) { return event->object->revision <= from; });
  for (auto at = first; at != ring_.end(); ++at) watcher->offer(*at);
  std::erase_if(watchers_, [](const std::weak_ptr<Watcher>& weak) { return weak.expired(); });
  watchers_.push_back(watcher);
  return watcher;
}

void Cache::end_watchers() {
  for (const std::weak_ptr<Watcher>& weak : std::exchange(watchers_, {})) {
    if (auto watcher = weak.lock()) watcher->end(WatcherState::ended);
  }
}

}  // namespace tripod::apiserver
