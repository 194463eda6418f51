#include "firmware/apiserver/resources/lists.h"

#include <format>

#include "firmware/apiserver/registry/etcd_errors.h"

namespace tripod::apiserver {

namespace {

/// Takes matching objects in key order until the page is full.
class PageBuilder {
 public:
  PageBuilder(const Resource& row, const ListOptions& options, Page& page)
      : row_(row), options_(options), page_(page) {}

  /// False: the page was full before this object.
  bool add(const ObjectRef& object) {
    if (options_.limit > 0 && std::cmp_greater_equal(page_.objects.size(), options_.limit)) {
      more_ = true;
      return false;
    }
    page_.objects.push_back(object);
    return true;
  }

  void finish() {
    if (!more_) return;
    const StoredObject& last = *page_.objects.back();
    std::string start =
        row_.namespaced ? std::format("{}/{}", last.name_space, last.name) : last.name;
    start += '\0';
    page_.next = ContinueToken{page_.revision, std::move(start)}.encode();
  }
  bool more() const { return more_; }

 private:
  const Resource& row_;
  const ListOptions& options_;
  Page& page_;
  bool more_ = false;
};

Page page_from_cache(const Cache& cache, const Resource& row, const ListOptions& options,
                     std::string_view start, etcd::Revision revision) {
  Page page;
  page.revision = revision;
  PageBuilder builder(row, options, page);
  std::int64_t rest = 0;
  cache.select(row, options.selection, start, [&](const ObjectRef& object) {
    if (!builder.add(object)) ++rest;
    return !builder.more() || options.selection.everything();
  });
  builder.finish();
  if (builder.more() && options.selection.everything()) page.remaining = rest;
  return page;
}

/// What etcd held at `revision`, page by page until enough matched.
Task<kube::Outcome<Page>> page_from_etcd(const Backend* backend, const Resource* row,
                                         ListOptions options, std::string start,
                                         etcd::Revision revision) {
  const Resource& stored = backend->cache_of(*row)->resource();
  Page page;
  page.revision = revision;
  PageBuilder builder(*row, options, page);
  std::string prefix(stored.storage_prefix);
  if (row->namespaced && !options.selection.name_space.empty())
    prefix += options.selection.name_space + "/";
  etcd::RangeRequest request;
  request.key = std::max(std::string(stored.storage_prefix) + start, prefix);
  request.range_end = prefix_end(prefix);
  request.revision = revision;
  request.limit = options.limit > 0 ? options.limit + 1 : 500;
  while (true) {
    auto response = co_await backend->etcd.range(request);
    if (!response) {
      if (is_compacted(response.error()))
        co_return std::unexpected(expired_token({revision, start}));
      co_return std::unexpected(from_etcd(response.error(), row->group_resource(), "list"));
    }
    for (const etcd::KeyValue& kv : response->kvs) {
      auto object = decode_object(stored, kv.value, kv.mod_revision);
      if (!object || !options.selection.matches(*row, **object)) continue;
      if (!builder.add(*object)) break;
    }
    if (builder.more() || !response->more || response->kvs.empty()) break;
    request.key = response->kvs.back().key + '\0';
  }
  builder.finish();
  co_return page;
}

}  // namespace

Task<kube::Outcome<Page>> read_page(const Backend* backend, const Resource* row,
                                    ListOptions options) {
  Cache* cache = backend->cache_of(*row);
  std::string start;
  etcd::Revision at = 0;  // an exact revision, or 0
  if (options.continuation && options.continuation->revision > 0) {
    start = options.continuation->start;
    at = options.continuation->revision;
  } else if (options.continuation) {
    start = options.continuation->start;
  } else if (options.revision > 0) {
    const bool legacy_exact = options.match == VersionMatch::unset && options.limit > 0;
    if (options.match == VersionMatch::exact || legacy_exact) at = options.revision;
  }
  if (at > 0) {
    // A page of the past: the cache still serves it when nothing has changed since.
    if (auto reached = co_await cache->wait_for(at); !reached)
      co_return std::unexpected(reached.error());
    if (cache->unchanged_since(at)) co_return page_from_cache(*cache, *row, options, start, at);
    co_return co_await page_from_etcd(backend, row, std::move(options), std::move(start), at);
  }
  if (options.resource_version.empty()) {
    if (auto now = co_await cache->catch_up(); !now) co_return std::unexpected(now.error());
  } else {
    if (auto reached = co_await cache->wait_for(options.revision); !reached)
      co_return std::unexpected(reached.error());
  }
  co_return page_from_cache(*cache, *row, options, start, cache->revision());
}

namespace {

json::Object list_metadata(const Page& page) {
  json::Object metadata;
  metadata["resourceVersion"] = std::to_string(page.revision);
  if (!page.next.empty()) metadata["continue"] = page.next;
  if (page.remaining) metadata["remainingItemCount"] = *page.remaining;
  return metadata;
}

json::Value document_of(const Resource& row, const StoredObject& object) {
  auto document = json::parse(object.json);
  CHECK(document.has_value());
  if (row.from_storage) row.from_storage(*document);
  return std::move(*document);
}

Reply table_list(const Call& call, const Page& page) {
  json::Value table = empty_table(*call.row, call.render.accepted.version, true);
  json::set(table, {"metadata"}, list_metadata(page));
  Reply reply;
  json::erase(table, {"rows"});
  reply.body = json::serialize(table);
  reply.body.pop_back();
  reply.body += ",\"rows\":[";
  bool first = true;
  for (const ObjectRef& object : page.objects) {
    if (!std::exchange(first, false)) reply.body += ',';
    json::serialize_to(reply.body,
                       table_row(*call.row, document_of(*call.row, *object), call.render));
  }
  reply.tail = "]}\n";
  return reply;
}

Reply plain_list(const Call& call, Page page, std::string_view kind, std::string_view api_version) {
  Reply reply;
  json::Object head;
  head["kind"] = kind;
  head["apiVersion"] = api_version;
  head["metadata"] = list_metadata(page);
  reply.body = json::serialize(head);
  reply.body.pop_back();
  reply.body += ",\"items\":[";
  reply.tail = "]}\n";
  const bool partial = call.render.accepted.form != Form::object;
  if (!partial && !call.row->is_view()) {
    reply.items = std::move(page.objects);
    return reply;
  }
  bool first = true;
  for (const ObjectRef& object : page.objects) {
    if (!std::exchange(first, false)) reply.body += ',';
    json::Value document = document_of(*call.row, *object);
    json::serialize_to(reply.body,
                       partial ? partial_of(document, call.render.accepted.version) : document);
  }
  return reply;
}

}  // namespace

Task<kube::Outcome<Reply>> list(const Backend* backend, const Call* call) {
  auto options = parse_list_options(*call->row, call->info);
  if (!options) co_return std::unexpected(options.error());
  auto page = co_await read_page(backend, call->row, std::move(*options));
  if (!page) co_return std::unexpected(page.error());
  const Resource& row = *call->row;
  switch (call->render.accepted.form) {
    case Form::table: co_return table_list(*call, *page);
    case Form::partial:
    case Form::partial_list:
      co_return plain_list(*call, std::move(*page), "PartialObjectMetadataList",
                           std::format("meta.k8s.io/{}", call->render.accepted.version));
    case Form::object:
    case Form::aggregated_discovery: break;
  }
  co_return plain_list(*call, std::move(*page), std::format("{}List", row.kind.kind),
                       row.kind.group_version().to_string());
}

}  // namespace tripod::apiserver
