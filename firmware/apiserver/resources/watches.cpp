#include "firmware/apiserver/resources/watches.h"

#include <algorithm>
#include <format>

namespace tripod::apiserver {

namespace {

constexpr std::size_t piece_bytes = 64 * 1024;
constexpr Duration bookmark_interval = std::chrono::seconds(60);

/// Puts events into the form the client asked for.
class Encoder {
 public:
  Encoder(const Call& call, const os::Clock& clock) : call_(call), clock_(clock) {}

  bool shares_bytes() const {
    return call_.render.accepted.form == Form::object && !call_.row->is_view();
  }

  void append(Bytes& out, EventType type, const StoredObject& object) {
    if (shares_bytes()) {
      out += std::format("{{\"type\":\"{}\",\"object\":", name_of(type));
      out += object.json;
      out += "}\n";
      return;
    }
    auto document = json::parse(object.json);
    CHECK(document.has_value());
    if (call_.row->from_storage) call_.row->from_storage(*document);
    append_document(out, name_of(type), std::move(*document));
  }

  void append_bookmark(Bytes& out, etcd::Revision revision, bool initial_end) {
    json::Object metadata;
    metadata["resourceVersion"] = std::to_string(revision);
    metadata["creationTimestamp"] = nullptr;
    if (initial_end) metadata["annotations"] = json::Object{{"k8s.io/initial-events-end", "true"}};
    json::Object object;
    object["kind"] = call_.row->kind.kind;
    object["apiVersion"] = call_.row->kind.group_version().to_string();
    object["metadata"] = std::move(metadata);
    if (call_.render.accepted.form == Form::table) {
      json::Value table = empty_table(*call_.row, call_.render.accepted.version, false);
      json::set(table, {"metadata"}, object["metadata"]);
      append_raw(out, "BOOKMARK", table);
      return;
    }
    append_raw(out, "BOOKMARK",
               call_.render.accepted.form == Form::object
                   ? json::Value(std::move(object))
                   : partial_of(object, call_.render.accepted.version));
  }

  static void append_raw(Bytes& out, std::string_view type, const json::Value& object) {
    out += std::format("{{\"type\":\"{}\",\"object\":", type);
    json::serialize_to(out, object);
    out += "}\n";
  }

 private:
  void append_document(Bytes& out, std::string_view type, json::Value document) {
    const bool with_columns = !std::exchange(columns_sent_, true);
    RenderOptions options = call_.render;
    options.now = clock_.wall_now();  // ages are those of the event, not of the request
    append_raw(out, type, render(*call_.row, std::move(document), options, with_columns));
  }

  const Call& call_;
  const os::Clock& clock_;
  bool columns_sent_ = false;
};

/// How a watch begins: what is sent first, and what it follows.
struct Start {
  std::shared_ptr<Watcher> watcher;
  std::vector<ObjectRef> initial;
  etcd::Revision revision = 0;
  bool sends_initial = false;
};

Task<kube::Outcome<Start>> start_watch(Cache* cache, const Call* call, const ListOptions* options) {
  const bool exact = !options->send_initial_events && options->revision > 0;
  if (options->resource_version.empty()) {
    if (auto now = co_await cache->catch_up(); !now) co_return std::unexpected(now.error());
  } else {
    // Waits for a revision another server handed out; what lies before it must not be repeated.
    auto reached = co_await cache->wait_for(options->revision);
    if (!reached) co_return std::unexpected(reached.error());
  }
  Start start;
  start.revision = exact ? options->revision : cache->revision();
  start.sends_initial = options->send_initial_events.value_or(!exact);
  auto watcher = cache->watch(*call->row, options->selection, start.revision);
  if (!watcher) co_return std::unexpected(watcher.error());
  start.watcher = std::move(*watcher);
  if (start.sends_initial) {
    cache->select(*call->row, options->selection, {}, [&](const ObjectRef& object) {
      start.initial.push_back(object);
      return true;
    });
  }
  co_return start;
}

Task<Result<>> send_initial(Encoder* encoder, http::Exchange* exchange,
                            std::vector<ObjectRef> objects) {
  Bytes piece;
  for (ObjectRef& object : objects) {
    encoder->append(piece, EventType::added, *object);
    object.reset();
    if (piece.size() < piece_bytes) continue;
    auto sent = co_await exchange->write(share(std::exchange(piece, {})));
    if (!sent) co_return sent;
  }
  if (piece.empty()) co_return Result<>{};
  co_return co_await exchange->write(share(std::move(piece)));
}

/// Sends what the watcher holds; returns the revision of the last event.
Task<Result<>> drain(Watcher* watcher, Encoder* encoder, http::Exchange* exchange,
                     etcd::Revision* last) {
  while (!watcher->empty()) {
    const WatcherEvent told = watcher->pop();
    *last = told.event->object->revision;
    SharedBytes bytes;
    if (!told.object && encoder->shares_bytes()) {
      bytes = told.event->encoded(told.type);
    } else {
      Bytes text;
      encoder->append(text, told.type, told.object ? *told.object : *told.event->object);
      bytes = share(std::move(text));
    }
    if (auto sent = co_await exchange->write(std::move(bytes)); !sent) co_return sent;
  }
  co_return Result<>{};
}

struct Stream {
  os::Clock& clock;
  Cache* cache;
  Encoder encoder;
  http::Exchange* exchange;
  std::shared_ptr<Watcher> watcher;
  MonotonicTime deadline;
  MonotonicTime next_bookmark;
  etcd::Revision last = 0;
  bool bookmarks = false;
};

Task<Result<>> send_bookmark(Stream* stream, bool initial_end) {
  // Everything the cache has seen up to its revision was offered to the watcher, and is sent.
  Bytes text;
  stream->encoder.append_bookmark(text, std::max(stream->last, stream->cache->revision()),
                                  initial_end);
  stream->next_bookmark = stream->clock.now() + bookmark_interval;
  co_return co_await stream->exchange->write(share(std::move(text)));
}

Task<Result<>> follow(Stream* stream) {
  while (true) {
    if (auto sent = co_await drain(stream->watcher.get(), &stream->encoder, stream->exchange,
                                   &stream->last);
        !sent) {
      co_return sent;
    }
    if (!stream->watcher->empty()) continue;
    if (stream->watcher->state() != WatcherState::open) co_return Result<>{};
    const MonotonicTime now = stream->clock.now();
    if (now >= stream->deadline) co_return Result<>{};
    if (stream->bookmarks && now >= stream->next_bookmark) {
      if (auto sent = co_await send_bookmark(stream, false); !sent) co_return sent;
      continue;
    }
    const MonotonicTime wake =
        stream->bookmarks ? std::min(stream->deadline, stream->next_bookmark) : stream->deadline;
    std::weak_ptr<Watcher> weak = stream->watcher;
    auto timer = stream->clock.call_at(wake, [weak] {
      if (auto watcher = weak.lock()) watcher->changed().notify();
    });
    if (auto woken = co_await stream->watcher->changed().wait(); !woken) co_return woken;
  }
}

}  // namespace

Task<kube::Outcome<>> watch(const Backend* backend, const Call* call, http::Exchange* exchange,
                            Duration timeout) {
  auto options = parse_list_options(*call->row, call->info);
  if (!options) co_return std::unexpected(options.error());
  Cache* cache = backend->cache_of(*call->row);
  if (options->timeout_seconds && *options->timeout_seconds > 0) {
    timeout = std::chrono::seconds(std::min<std::int64_t>(*options->timeout_seconds, 24 * 3600));
  }
  auto& clock = backend->world.clock;
  const MonotonicTime begun = clock.now();
  auto start = co_await start_watch(cache, call, &*options);
  if (!start && start.error().code != 410 && start.error().code != 504)
    co_return std::unexpected(start.error());

  http::ResponseHead head;
  head.headers.add("cache-control", "no-cache, private");
  head.headers.add("content-type", "application/json");
  exchange->respond(std::move(head));
  if (!start) {
    Bytes text;
    Encoder::append_raw(text, "ERROR", start.error().status);
    if (co_await exchange->write(share(std::move(text)))) exchange->finish();
    co_return kube::Outcome<>{};
  }
  Stream stream{clock,
                cache,
                Encoder(*call, clock),
                exchange,
                start->watcher,
                begun + timeout,
                begun + bookmark_interval,
                start->revision,
                options->bookmarks};
  if (auto sent = co_await send_initial(&stream.encoder, exchange, std::move(start->initial));
      !sent) {
    co_return kube::Outcome<>{};
  }
  if (options->send_initial_events.value_or(false) && options->bookmarks) {
    Bytes text;
    stream.encoder.append_bookmark(text, start->revision, true);
    if (auto sent = co_await exchange->write(share(std::move(text))); !sent)
      co_return kube::Outcome<>{};
  }
  if (co_await follow(&stream)) exchange->finish();
  co_return kube::Outcome<>{};
}

}  // namespace tripod::apiserver
