#include "firmware/kube/client/informer.h"

#include "platform/async/sync.h"

namespace tripod::kube {
namespace {

constexpr Backoff retry{
    .base = std::chrono::milliseconds(200), .max = std::chrono::seconds(10), .jitter = 1.0};
constexpr int pages_max = 10'000;

std::uint64_t to_revision(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

Informer::Informer(Client& client, os::Entropy& entropy, Logger logger, Resource resource,
                   Options options)
    : client_(client),
      entropy_(entropy),
      logger_(std::move(logger)),
      resource_(resource),
      options_(std::move(options)) {}

Task<void> Informer::run() {
  async::ScopeCore& scope = co_await async::current_scope();
  int failures = 0;
  while (!scope.cancelled()) {
    ApiResult<> result;
    if (must_list_) result = co_await list();
    if (result) {
      const std::uint64_t before = revision_;
      result = co_await watch();
      if (revision_ != before) failures = 0;
    }
    if (scope.cancelled()) co_return;
    if (!result && result.error().is_gone()) {
      must_list_ = true;
    } else if (!result && !result.error().no_answer() && result.error().code != 429) {
      logger_.warn("list or watch failed", LogField("resource", resource_.group_resource()),
                   LogField("error", result.error().to_string()));
    }
    if (result) {
      failures = 0;
      continue;
    }
    Duration wait = retry.delay(failures++, entropy_.next());
    if (result.error().retry_after) wait = std::max<Duration>(wait, *result.error().retry_after);
    (void)co_await async::sleep_for(client_.clock(), wait);
  }
}

Task<ApiResult<>> Informer::list() {
  std::vector<json::Value> objects;
  ListOptions options{.label_selector = options_.label_selector,
                      .field_selector = options_.field_selector,
                      .limit = options_.page_size,
                      .continue_token = {},
                      .resource_version = {},
                      .metadata_only = options_.metadata_only};
  std::uint64_t revision = 0;
  for (int page = 0; page < pages_max; ++page) {
    auto answer = co_await client_.list(resource_, options_.ns, options);
    if (!answer) co_return std::unexpected(answer.error());
    revision = to_revision(json::get_string(*answer, "metadata", "resourceVersion"));
    if (json::Value* items = json::find(*answer, "items"); items && items->is_array()) {
      for (json::Value& item : items->get_array()) {
        if (options_.prune) options_.prune(item);
        objects.emplace_back(item);  // a copy, so that it owns no more than it holds
      }
    }
    options.continue_token = json::get_string(*answer, "metadata", "continue");
    if (options.continue_token.empty()) break;
  }
  store_.replace(std::move(objects), revision);
  revision_ = revision;
  must_list_ = false;
  synced_ = true;
  co_return ApiResult<>{};
}

Task<ApiResult<>> Informer::watch() {
  WatchOptions options{.label_selector = options_.label_selector,
                       .field_selector = options_.field_selector,
                       .resource_version = std::to_string(revision_),
                       .timeout = std::chrono::seconds(300 + entropy_.next() % 300),
                       .metadata_only = options_.metadata_only};
  auto stream = co_await client_.watch(resource_, options_.ns, std::move(options));
  if (!stream) co_return std::unexpected(stream.error());
  while (true) {
    auto event = co_await (*stream)->next();
    if (!event) co_return std::unexpected(event.error());
    if (!*event) co_return ApiResult<>{};
    apply(std::move(**event));
  }
}

void Informer::apply(WatchEvent event) {
  const std::uint64_t revision = revision_of(event.object);
  revision_ = std::max(revision_, revision);
  if (event.type == WatchEventType::bookmark) return;
  const std::string key = key_of(event.object);
  ObjectPtr known = store_.get(key);
  const bool same = known && uid_of(*known) == uid_of(event.object);
  if (event.type == WatchEventType::deleted) {
    if (!known || same || revision_of(*known) <= revision) store_.remove(key);
    return;
  }
  if (known && revision_of(*known) >= revision) return;  // our own write, seen already
  if (options_.prune) options_.prune(event.object);
  store_.put(std::move(event.object));
}

void Informer::observe_written(json::Value object) {
  const std::uint64_t revision = revision_of(object);
  if (!synced_ || revision <= revision_) return;
  ObjectPtr known = store_.get(key_of(object));
  if (known && revision_of(*known) >= revision) return;
  if (options_.prune) options_.prune(object);
  store_.put(std::move(object));
}

void Informer::observe_removing(std::string_view key, std::string_view uid, WallTime now) {
  ObjectPtr known = store_.get(key);
  if (!known || uid_of(*known) != uid || is_deleting(*known)) return;
  json::Value copy = *known;
  json::set(copy, {"metadata", "deletionTimestamp"}, json::Value(to_rfc3339(now)));
  store_.put(std::move(copy));
}

}  // namespace tripod::kube
