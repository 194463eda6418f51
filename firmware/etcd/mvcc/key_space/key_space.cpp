#include "firmware/etcd/mvcc/key_space/key_space.h"

#include <limits>

namespace tripod::etcd {
namespace {

bool in_key_order(const RangeRequest& request) {
  return request.sort_target == SortTarget::key && request.sort_order != SortOrder::descend;
}

bool has_filters(const RangeRequest& request) {
  return request.min_mod_revision != 0 || request.max_mod_revision != 0 ||
         request.min_create_revision != 0 || request.max_create_revision != 0;
}

bool passes(const RangeRequest& request, const KeyValue& kv) {
  return !(request.max_mod_revision != 0 && kv.mod_revision > request.max_mod_revision) &&
         !(request.min_mod_revision != 0 && kv.mod_revision < request.min_mod_revision) &&
         !(request.max_create_revision != 0 && kv.create_revision > request.max_create_revision) &&
         !(request.min_create_revision != 0 && kv.create_revision < request.min_create_revision);
}

template <typename Member>
void sort_by(std::vector<KeyValue>& kvs, Member member, bool descending) {
  std::ranges::stable_sort(kvs, [&](const KeyValue& a, const KeyValue& b) {
    return descending ? b.*member < a.*member : a.*member < b.*member;
  });
}

/// A target other than the key without an order means ascending.
void sort(std::vector<KeyValue>& kvs, const RangeRequest& request) {
  const bool descending = request.sort_order == SortOrder::descend;
  switch (request.sort_target) {
    case SortTarget::key:
      if (descending) std::ranges::reverse(kvs);
      return;
    case SortTarget::version: return sort_by(kvs, &KeyValue::version, descending);
    case SortTarget::create: return sort_by(kvs, &KeyValue::create_revision, descending);
    case SortTarget::mod: return sort_by(kvs, &KeyValue::mod_revision, descending);
    case SortTarget::value: return sort_by(kvs, &KeyValue::value, descending);
  }
}

KeyValue key_value(RowId id, const Row& row) {
  if (is_tombstone(id)) return {.key = Bytes(row.key), .mod_revision = main_of(id)};
  return {.key = Bytes(row.key),
          .create_revision = row.created,
          .mod_revision = main_of(id),
          .version = row.version,
          .value = Bytes(row.value),
          .lease = row.lease};
}

}  // namespace

KeySpace::KeySpace(StateDb& db, LeaseBook& leases) : db_(db), leases_(leases) {
  reload();
}

void KeySpace::reload() {
  index_ = KeyIndex();
  compaction_.reset();
  RowId last = 0;
  db_.scan_heads(0, std::numeric_limits<RowId>::max(), [&](RowId id, const Row& row) {
    IndexEntry& entry = index_.obtain(row.key);
    entry.rows.push_back(id);
    entry.created = row.created;
    entry.version = row.version;
    entry.lease = row.lease;
    last = id;
    return true;
  });
  compact_revision_ = db_.number("compact_revision").value_or(-1);
  compacted_to_ = db_.number("compacted_to").value_or(-1);
  revision_ = std::max({Revision{1}, main_of(last), compact_revision_});
  index_.scan(KeyRange::of("", BytesView("\0", 1)), [&](const IndexEntry& entry) {
    if (entry.alive() && entry.lease != 0 && leases_.find(entry.lease) != nullptr) {
      leases_.attach(entry.lease, entry.key);
    }
    return true;
  });
}

// --- reading ---

KeyValue KeySpace::load(const IndexEntry& entry, RowId id, bool value) {
  return value ? key_value(id, db_.read(id)) : load_head(entry, id);
}

/// In the order of the file, not of the keys: each page of it is read once.
void KeySpace::load_rows(std::vector<RowPlace>& rows, std::vector<KeyValue>& kvs) {
  std::ranges::sort(rows, {}, &RowPlace::id);
  auto next = rows.begin();
  db_.read_rising([&] { return next == rows.end() ? std::nullopt : std::optional(next->id); },
                  [&](const Row& row) {
                    kvs[next->place] = key_value(next->id, row);
                    ++next;
                  });
}

KeyValue KeySpace::load_head(const IndexEntry& entry, RowId id) {
  if (id != entry.rows.back()) return key_value(id, db_.read_head(id));
  return {.key = entry.key,
          .create_revision = entry.created,
          .mod_revision = main_of(id),
          .version = entry.version,
          .value = {},
          .lease = entry.lease};
}

std::optional<KeyValue> KeySpace::current(BytesView key) {
  const IndexEntry* entry = index_.find(key);
  if (entry == nullptr || !entry->alive()) return std::nullopt;
  return load(*entry, entry->rows.back(), true);
}

std::size_t KeySpace::count(const KeyRange& range, Revision revision) const {
  std::size_t total = 0;
  index_.scan(range, [&](const IndexEntry& entry) {
    total += entry.at(revision) ? 1 : 0;
    return true;
  });
  return total;
}

grpc::Reply<RangeResponse> KeySpace::range_at(const RangeRequest& request, Revision current) {
  if (request.revision > current) return reject(outcome::future_revision);
  const Revision revision = request.revision <= 0 ? current : request.revision;
  if (revision < compact_revision_) return reject(outcome::compacted);

  ++counts_.ranges;
  RangeResponse response;
  response.header.revision = current;
  const KeyRange range = KeyRange::of(request.key, request.range_end);
  if (request.count_only) {
    response.count = static_cast<std::int64_t>(count(range, revision));
    return response;
  }
  const bool filters = has_filters(request);
  const auto limit = static_cast<std::size_t>(std::max<std::int64_t>(request.limit, 0));
  // What is asked for in another order than that of keys has to be looked at whole. Without any
  // order etcd takes the first keys, and one more, before it sorts them by the target.
  std::size_t wanted = std::numeric_limits<std::size_t>::max();
  if (limit > 0 && !filters && in_key_order(request)) {
    wanted = limit;
  } else if (limit > 0 && !filters && request.sort_order == SortOrder::none) {
    wanted = limit + 1;
  }
  const bool values = !request.keys_only || request.sort_target == SortTarget::value;
  std::size_t count = 0;
  std::vector<RowPlace> rows;  // whose values are wanted
  index_.scan(range, [&](const IndexEntry& entry) {
    const std::optional<RowId> id = entry.at(revision);
    if (!id) return true;
    ++count;
    if (response.kvs.size() >= wanted) return true;
    if (filters && !passes(request, load_head(entry, *id))) return true;
    if (values) {
      rows.push_back({*id, response.kvs.size()});
      response.kvs.emplace_back();
    } else {
      response.kvs.push_back(load_head(entry, *id));
    }
    return true;
  });
  load_rows(rows, response.kvs);
  response.count = static_cast<std::int64_t>(count);
  response.more = wanted == limit && count > limit;
  sort(response.kvs, request);
  if (limit > 0 && response.kvs.size() > limit) {
    response.kvs.erase(response.kvs.begin() + static_cast<std::ptrdiff_t>(limit),
                       response.kvs.end());
    response.more = true;
  }
  if (request.keys_only && values) {
    for (KeyValue& kv : response.kvs) kv.value.clear();
  }
  return response;
}

std::optional<KeyValue> KeySpace::previous(const StoredEvent& event) {
  const IndexEntry* entry = index_.find(event.key());
  if (entry == nullptr) return std::nullopt;
  const std::optional<RowId> id = entry->before(event.id());
  if (!id) return std::nullopt;
  return load(*entry, *id, true);
}

Revision KeySpace::history(Revision from, std::size_t events_max,
                           const std::function<void(SharedEvent)>& visit) {
  std::size_t seen = 0;
  Revision open = 0;  // the revision whose events are being visited
  Revision next = revision_ + 1;
  db_.scan(row_id(from, 0, false), rows_end(revision_), -1, [&](RowId id, const Row& row) {
    if (seen >= events_max && main_of(id) != open) {
      next = main_of(id);
      return false;
    }
    open = main_of(id);
    ++seen;
    Event event;
    event.type = is_tombstone(id) ? EventType::remove : EventType::put;
    event.kv = key_value(id, row);
    visit(std::make_shared<StoredEvent>(id, std::move(event)));
    return true;
  });
  return next;
}

// --- writing ---

void KeySpace::finish(const Write& write) {
  revision_ = write.now();
}

std::optional<Outcome> KeySpace::check_put(const PutRequest& request) {
  if (request.lease != 0 && leases_.find(request.lease) == nullptr) return outcome::lease_not_found;
  if (request.ignore_value || request.ignore_lease) {
    const IndexEntry* entry = index_.find(request.key);
    if (entry == nullptr || !entry->alive()) return outcome::key_not_found;
  }
  return std::nullopt;
}

PutResponse KeySpace::run(PutRequest request, Write& write) {
  PutResponse response;
  ++counts_.puts;
  counts_.put_bytes += request.key.size() + request.value.size();
  if (request.prev_kv || request.ignore_value) {
    std::optional<KeyValue> previous = current(request.key);
    if (previous && request.ignore_value) request.value = previous->value;
    if (request.prev_kv) response.prev_kv = std::move(previous);
  }
  IndexEntry& entry = index_.obtain(request.key);
  const LeaseId lease = request.ignore_lease ? entry.lease : request.lease;
  if (entry.lease != lease) {
    if (entry.lease != 0) leases_.detach(entry.lease, entry.key);
    if (lease != 0) leases_.attach(lease, entry.key);
  }
  const Revision revision = write.begin + 1;
  const RowId id = row_id(revision, write.changes++, false);
  if (!entry.alive()) entry.created = revision;
  ++entry.version;
  entry.lease = lease;
  entry.rows.push_back(id);
  db_.insert(id, {entry.key, entry.created, entry.version, entry.lease, request.value});

  Event event;
  event.kv = load_head(entry, id);
  event.kv.value = std::move(request.value);
  write.events.push_back(std::make_shared<StoredEvent>(id, std::move(event)));
  response.header.revision = revision;
  return response;
}

void KeySpace::erase(BytesView key, Write& write) {
  IndexEntry& entry = index_.obtain(key);
  CHECK(entry.alive());
  if (entry.lease != 0) leases_.detach(entry.lease, entry.key);
  const RowId id = row_id(write.begin + 1, write.changes++, true);
  entry.created = 0;
  entry.version = 0;
  entry.lease = 0;
  entry.rows.push_back(id);
  db_.insert(id, {entry.key, 0, 0, 0, {}});
  Event event;
  event.type = EventType::remove;
  event.kv = {.key = entry.key, .mod_revision = write.begin + 1};
  write.events.push_back(std::make_shared<StoredEvent>(id, std::move(event)));
}

DeleteRangeResponse KeySpace::run(const DeleteRangeRequest& request, Write& write) {
  DeleteRangeResponse response;
  ++counts_.deletes;
  std::vector<Bytes> keys;
  index_.scan(KeyRange::of(request.key, request.range_end), [&](const IndexEntry& entry) {
    if (entry.alive()) {
      keys.push_back(entry.key);
      if (request.prev_kv) response.prev_kvs.push_back(load(entry, entry.rows.back(), true));
    }
    return true;
  });
  for (const Bytes& key : keys) erase(key, write);
  response.deleted = static_cast<std::int64_t>(keys.size());
  response.header.revision = write.now();
  return response;
}

grpc::Reply<PutResponse> KeySpace::put(PutRequest request, Events& events) {
  if (auto refused = check_put(request)) return reject(*refused);
  Write write{revision_, events};
  PutResponse response = run(std::move(request), write);
  finish(write);
  return response;
}

grpc::Reply<DeleteRangeResponse> KeySpace::delete_range(const DeleteRangeRequest& request,
                                                        Events& events) {
  if (index_.size() > static_cast<std::size_t>(sub_revision_max) &&
      count(KeyRange::of(request.key, request.range_end), revision_) > sub_revision_max) {
    return reject(outcome::too_many_ops);
  }
  Write write{revision_, events};
  DeleteRangeResponse response = run(request, write);
  finish(write);
  return response;
}

void KeySpace::remove(const std::set<Bytes, std::less<>>& keys, Events& events) {
  Write write{revision_, events};
  for (const Bytes& key : keys) {
    const IndexEntry* entry = index_.find(key);
    if (entry != nullptr && entry->alive()) erase(key, write);
  }
  finish(write);
}

// --- transactions ---

namespace {

template <typename T>
bool holds(CompareResult result, const T& have, const T& wanted) {
  switch (result) {
    case CompareResult::equal: return have == wanted;
    case CompareResult::greater: return have > wanted;
    case CompareResult::less: return have < wanted;
    case CompareResult::not_equal: return have != wanted;
  }
  return true;
}

bool holds(const Compare& compare, const KeyValue& kv) {
  switch (compare.target) {
    case CompareTarget::version: return holds(compare.result, kv.version, compare.number);
    case CompareTarget::create: return holds(compare.result, kv.create_revision, compare.number);
    case CompareTarget::mod: return holds(compare.result, kv.mod_revision, compare.number);
    case CompareTarget::value: return holds(compare.result, kv.value, compare.value);
    case CompareTarget::lease: return holds(compare.result, kv.lease, compare.number);
  }
  return holds(compare.result, std::int64_t{0}, std::int64_t{0});
}

}  // namespace

/// All keys in the range must pass; no key at all compares as zero, and never passes a comparison
/// of values.
bool KeySpace::compare(const Compare& compare) {
  bool any = false;
  bool good = true;
  index_.scan(KeyRange::of(compare.key, compare.range_end), [&](const IndexEntry& entry) {
    if (!entry.alive()) return true;
    any = true;
    good = holds(compare, load(entry, entry.rows.back(), compare.target == CompareTarget::value));
    return good;
  });
  if (!any) return compare.target != CompareTarget::value && holds(compare, KeyValue{});
  return good;
}

/// Which branch each transaction takes, outer before inner, in order: all decided before anything
/// is written.
void KeySpace::choose(const TxnRequest& request, std::vector<bool>& path) {
  const bool succeeded =
      std::ranges::all_of(request.compare, [this](const Compare& each) { return compare(each); });
  path.push_back(succeeded);
  for (const RequestOp& operation : succeeded ? request.success : request.failure) {
    if (const auto* inner = std::get_if<TxnRequest>(&operation.request)) choose(*inner, path);
  }
}

std::optional<Outcome> KeySpace::check_txn(const TxnRequest& request, const std::vector<bool>& path,
                                           std::size_t& step, std::size_t& deletes) {
  const bool succeeded = path[step++];
  for (const RequestOp& operation : succeeded ? request.success : request.failure) {
    std::optional<Outcome> refused;
    if (const auto* range = std::get_if<RangeRequest>(&operation.request)) {
      if (range->revision > revision_) refused = outcome::future_revision;
      if (range->revision != 0 && range->revision < compact_revision_) refused = outcome::compacted;
    } else if (const auto* put = std::get_if<PutRequest>(&operation.request)) {
      refused = check_put(*put);
    } else if (const auto* inner = std::get_if<TxnRequest>(&operation.request)) {
      refused = check_txn(*inner, path, step, deletes);
    } else {
      ++deletes;
    }
    if (refused) return refused;
  }
  return std::nullopt;
}

void KeySpace::run(TxnRequest request, const std::vector<bool>& path, std::size_t& step,
                   Write& write, TxnResponse& response) {
  response.succeeded = path[step++];
  for (RequestOp& operation : response.succeeded ? request.success : request.failure) {
    ResponseOp& out = response.responses.emplace_back();
    if (auto* range = std::get_if<RangeRequest>(&operation.request)) {
      auto read = range_at(*range, write.now());
      CHECK(read.has_value(), read ? "" : read.error().message);
      out.response = std::move(*read);
    } else if (auto* put = std::get_if<PutRequest>(&operation.request)) {
      out.response = run(std::move(*put), write);
    } else if (auto* erase_range = std::get_if<DeleteRangeRequest>(&operation.request)) {
      out.response = run(*erase_range, write);
    } else {
      TxnResponse inner;
      run(std::move(std::get<TxnRequest>(operation.request)), path, step, write, inner);
      out.response = std::move(inner);
    }
  }
}

grpc::Reply<TxnResponse> KeySpace::txn(TxnRequest request, Events& events) {
  std::vector<bool> path;
  choose(request, path);
  std::size_t step = 0;
  std::size_t deletes = 0;
  if (auto refused = check_txn(request, path, step, deletes)) return reject(*refused);
  ++counts_.txns;
  // No key is touched twice, so a transaction changes at most every key and what it puts.
  constexpr std::size_t puts_max = 100'000;
  if (deletes > 0 && index_.size() + puts_max > static_cast<std::size_t>(sub_revision_max)) {
    return reject(outcome::too_many_ops);
  }
  Write write{revision_, events};
  TxnResponse response;
  step = 0;
  run(std::move(request), path, step, write, response);
  finish(write);
  response.header.revision = revision_;
  return response;
}

// --- compaction ---

grpc::Reply<CompactionResponse> KeySpace::compact(Revision revision) {
  if (revision <= compact_revision_) return reject(outcome::compacted);
  if (revision > revision_) return reject(outcome::future_revision);
  compact_revision_ = revision;
  db_.set_number("compact_revision", revision);
  CompactionResponse response;
  response.header.revision = revision_;
  return response;
}

bool KeySpace::compact_some(std::size_t work_max) {
  if (!compacting()) return true;
  if (!compaction_) compaction_.emplace(compact_revision_);
  Compacting& now = *compaction_;
  if (!now.erasing) {
    now.walked = index_.compact_some(now.cursor, work_max, now.to,
                                     [&now](RowId id) { now.behind.push_back(id); });
    if (!now.walked && now.behind.size() < compaction_batch_rows) return false;
    std::ranges::sort(now.behind, std::greater());
    now.erasing = true;
  }
  for (std::size_t work = 0; work < work_max && !now.behind.empty(); ++work) {
    db_.erase(now.behind.back());
    now.behind.pop_back();
  }
  if (!now.behind.empty()) return false;
  now.erasing = false;
  if (!now.walked) return false;
  compacted_to_ = now.to;
  compaction_.reset();
  db_.set_number("compacted_to", compacted_to_);
  return !compacting();
}

}  // namespace tripod::etcd
