#include "firmware/controllers/shell/hub.h"

#include "platform/async/sync.h"

namespace tripod::controllers {

using kube::ApiError;
using kube::ApiResult;

kube::Informer& Hub::informer(const kube::Resource& resource) {
  return informer(resource, {});
}

kube::Informer& Hub::informer(const kube::Resource& resource, kube::Informer::Options options) {
  std::string key = resource.group_resource();
  if (!options.ns.empty()) key += "@" + options.ns;
  if (!options.field_selector.empty()) key += "?" + options.field_selector;
  Running& running = informers_[key];
  if (!running.informer) {
    running.informer = std::make_unique<kube::Informer>(parts_.client, parts_.entropy,
                                                        parts_.logger.named("informer"), resource,
                                                        std::move(options));
  }
  return *running.informer;
}

kube::Informer* Hub::find_informer(std::string_view group_resource) {
  auto found = informers_.find(group_resource);
  return found == informers_.end() ? nullptr : found->second.informer.get();
}

void Hub::start(Scope& scope) {
  for (auto& [name, running] : informers_) {
    if (std::exchange(running.started, true)) continue;
    scope.spawn(running.informer->run());
  }
}

Task<Result<>> Hub::wait_for_sync() {
  while (true) {
    const bool synced = std::ranges::all_of(
        informers_, [](const auto& each) { return each.second.informer->has_synced(); });
    if (synced) co_return Result<>{};
    auto slept = co_await async::sleep_for(clock(), std::chrono::milliseconds(20));
    if (!slept) co_return slept;
  }
}

void Hub::record(const Note& note, std::string_view component) {
  parts_.events.record(note.resource, note.about, note.type, note.reason, note.message, component);
}

Task<ApiResult<>> Hub::execute(Decision decision, std::string component) {
  std::vector<Write>& writes = decision.writes;
  for (std::size_t i = 0; i < writes.size();) {
    std::size_t end = i + 1;
    while (writes[i].parallel && end < writes.size() && writes[end].parallel) ++end;
    ApiResult<> done;
    if (end - i == 1) {
      done = co_await execute_one(std::move(writes[i]), component);
    } else {
      std::vector<Write> group(
          std::make_move_iterator(writes.begin() + static_cast<std::ptrdiff_t>(i)),
          std::make_move_iterator(writes.begin() + static_cast<std::ptrdiff_t>(end)));
      done = co_await execute_parallel(std::move(group), component);
    }
    if (!done) co_return done;
    i = end;
  }
  for (const Note& note : decision.notes) record(note, component);
  co_return ApiResult<>{};
}

struct Hub::Batch {
  ApiResult<> result;
};

Task<void> Hub::run_in_batch(Hub* hub, Batch* batch, Write write, std::string component) {
  auto done = co_await hub->execute_one(std::move(write), std::move(component));
  if (!done && batch->result) batch->result = std::unexpected(done.error());
}

/// Slow start: a write that is refused (quota, admission) is refused once, not five hundred times.
Task<ApiResult<>> Hub::execute_parallel(std::vector<Write> writes, std::string component) {
  async::ScopeCore& outer = co_await async::current_scope();
  std::size_t at = 0;
  for (std::size_t size = 1; at < writes.size(); size *= 2) {
    Batch batch;
    Scope scope(outer.executor());
    {
      async::detail::CancelLink link(outer, scope);
      for (std::size_t end = std::min(writes.size(), at + size); at < end; ++at) {
        scope.spawn(run_in_batch(this, &batch, std::move(writes[at]), component));
      }
      co_await scope.join();
    }
    if (!batch.result) co_return batch.result;
  }
  co_return ApiResult<>{};
}

Task<ApiResult<>> Hub::execute_one(Write write, std::string component) {
  if (write.verb == Write::Verb::check) co_return co_await check(std::move(write));
  auto answer = co_await send(write);
  if (!answer && write.verb == Write::Verb::create && answer.error().already_exists()) {
    answer = co_await settle_existing(write, answer.error());
  }
  const bool vanished = !answer && answer.error().is_not_found();
  if (vanished && write.verb == Write::Verb::remove) {
    co_return ApiResult<>{};
  }
  if (!answer) {
    if (write.on_failure && !answer.error().is_cancelled()) {
      write.on_failure->message += answer.error().message;
      record(*write.on_failure, component);
    }
    co_return std::unexpected(answer.error());
  }
  observe(write, std::move(*answer));
  if (write.on_success) record(*write.on_success, component);
  co_return ApiResult<>{};
}

Task<ApiResult<json::Value>> Hub::send(Write write) {
  kube::Client& client = parts_.client;
  switch (write.verb) {
    case Write::Verb::create:
      co_return co_await client.create(write.resource, write.name_space, std::move(write.body));
    case Write::Verb::update:
    case Write::Verb::update_status:
      co_return co_await client.update(write.resource, std::move(write.body), write.subresource);
    case Write::Verb::patch:
      co_return co_await client.patch(write.resource, write.name_space, write.name,
                                      kube::PatchType::strategic, std::move(write.body),
                                      write.subresource);
    case Write::Verb::remove:
      co_return co_await client.remove(write.resource, write.name_space, write.name,
                                       std::move(write.options));
    case Write::Verb::check: break;
  }
  CHECK(false);
}

/// The name is taken: by ourselves, when an answer was lost or another leader made it, or by a
/// stranger.
Task<ApiResult<json::Value>> Hub::settle_existing(Write write, ApiError error) {
  auto live = co_await parts_.client.get(write.resource, write.name_space, write.name);
  if (!live) co_return std::unexpected(std::move(error));
  std::string_view wanted = kube::controller_uid(write.body);
  if (!wanted.empty() && kube::controller_uid(*live) == wanted) co_return std::move(*live);
  observe(write, std::move(*live));
  co_return std::unexpected(std::move(error));
}

Task<ApiResult<>> Hub::check(Write write) {
  auto live = co_await parts_.client.get(write.resource, write.name_space, write.name);
  if (!live) co_return std::unexpected(live.error());
  const bool same = kube::uid_of(*live) == write.uid && !kube::is_deleting(*live) &&
                    kube::generation_of(*live) == write.generation;
  if (same) co_return ApiResult<>{};
  observe(write, std::move(*live));
  co_return std::unexpected(ApiError{.code = 409,
                                     .reason = "Conflict",
                                     .message = "the object has changed since it was looked at",
                                     .retry_after = {}});
}

void Hub::observe(const Write& write, json::Value answer) {
  kube::Informer* informer = find_informer(write.resource.group_resource());
  if (!informer) return;
  if (write.verb == Write::Verb::remove) {
    informer->observe_removing(kube::make_key(write.name_space, write.name), write.uid,
                               clock().wall_now());
  } else if (json::get_string(answer, "kind") != "Status") {
    informer->observe_written(std::move(answer));
  }
}

}  // namespace tripod::controllers
