#include "firmware/etcd/mvcc/commands/checks.h"

#include <map>
#include <set>

#include "firmware/etcd/mvcc/state_db/revision.h"

namespace tripod::etcd {
namespace {

/// A union of key ranges, kept as disjoint intervals.
class RangeUnion {
 public:
  void add(const KeyRange& range) {
    Bytes begin(range.begin);
    std::optional<Bytes> end;  // nullopt: unbounded
    if (range.kind == KeyRange::Kind::one) end = begin + '\0';
    if (range.kind == KeyRange::Kind::bounded) end = range.end;
    if (end && *end <= begin) return;
    add(std::move(begin), std::move(end));
  }
  void add(const RangeUnion& other) {
    for (const auto& [begin, end] : other.intervals_) add(begin, end);
  }
  bool contains(BytesView key) const {
    auto next = intervals_.upper_bound(key);
    if (next == intervals_.begin()) return false;
    --next;
    return !next->second || key < *next->second;
  }

 private:
  void add(Bytes begin, std::optional<Bytes> end) {
    auto place = intervals_.upper_bound(begin);
    if (place != intervals_.begin()) {
      auto previous = std::prev(place);
      if (!previous->second || *previous->second >= begin) {
        begin = previous->first;
        end = later(previous->second, std::move(end));
        place = intervals_.erase(previous);
      }
    }
    while (place != intervals_.end() && (!end || place->first <= *end)) {
      end = later(place->second, std::move(end));
      place = intervals_.erase(place);
    }
    intervals_.emplace(std::move(begin), std::move(end));
  }
  static std::optional<Bytes> later(const std::optional<Bytes>& a, std::optional<Bytes> b) {
    if (!a || !b) return std::nullopt;
    return std::max(*a, *b);
  }

  std::map<Bytes, std::optional<Bytes>, std::less<>> intervals_;
};

struct Touched {
  std::set<BytesView> puts;
  RangeUnion deletes;
};

/// Adds what one branch of a nested transaction puts; keys in `shared` belong to its exclusive
/// other branch.
bool join(Touched& into, const Touched& branch, const std::set<BytesView>& shared) {
  for (const BytesView key : branch.puts) {
    if (into.puts.contains(key) && !shared.contains(key)) return false;
    if (into.deletes.contains(key)) return false;
  }
  into.puts.insert(branch.puts.begin(), branch.puts.end());
  return true;
}

/// Nullopt when a key is touched twice.
std::optional<Touched> collect(const std::vector<RequestOp>& operations) {
  Touched touched;
  for (const RequestOp& operation : operations) {
    if (const auto* erase = std::get_if<DeleteRangeRequest>(&operation.request)) {
      touched.deletes.add(KeyRange::of(erase->key, erase->range_end));
    }
  }
  for (const RequestOp& operation : operations) {
    const auto* txn = std::get_if<TxnRequest>(&operation.request);
    if (txn == nullptr) continue;
    const auto success = collect(txn->success);
    const auto failure = collect(txn->failure);
    if (!success || !failure) return std::nullopt;
    if (!join(touched, *success, {}) || !join(touched, *failure, success->puts))
      return std::nullopt;
    touched.deletes.add(success->deletes);
    touched.deletes.add(failure->deletes);
  }
  for (const RequestOp& operation : operations) {
    const auto* put = std::get_if<PutRequest>(&operation.request);
    if (put == nullptr) continue;
    if (touched.deletes.contains(put->key) || !touched.puts.insert(put->key).second) {
      return std::nullopt;
    }
  }
  return touched;
}

std::optional<Outcome> check_operations(const TxnRequest& request, std::size_t ops_max);

std::optional<Outcome> check_operation(const RequestOp& operation, std::size_t ops_max) {
  if (operation.missing) return outcome::key_not_found;
  return std::visit(
      [&](const auto& request) {
        if constexpr (std::is_same_v<std::decay_t<decltype(request)>, TxnRequest>) {
          return check_operations(request, ops_max);
        } else {
          return check(request);
        }
      },
      operation.request);
}

std::optional<Outcome> check_operations(const TxnRequest& request, std::size_t ops_max) {
  const std::size_t count =
      std::max({request.compare.size(), request.success.size(), request.failure.size()});
  if (count > ops_max) return outcome::too_many_ops;
  for (const Compare& compare : request.compare) {
    if (compare.key.empty()) return outcome::empty_key;
  }
  for (const auto* operations : {&request.success, &request.failure}) {
    for (const RequestOp& operation : *operations) {
      if (auto refused = check_operation(operation, ops_max - count)) return refused;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<Outcome> check(const RangeRequest& request) {
  if (request.key.empty()) return outcome::empty_key;
  if (request.sort_order > SortOrder::descend || request.sort_target > SortTarget::value) {
    return outcome::invalid_sort_option;
  }
  return std::nullopt;
}

std::optional<Outcome> check(const PutRequest& request) {
  if (request.key.empty()) return outcome::empty_key;
  if (request.ignore_value && !request.value.empty()) return outcome::value_provided;
  if (request.ignore_lease && request.lease != 0) return outcome::lease_provided;
  return std::nullopt;
}

std::optional<Outcome> check(const DeleteRangeRequest& request) {
  if (request.key.empty()) return outcome::empty_key;
  return std::nullopt;
}

std::optional<Outcome> check(const TxnRequest& request, std::size_t ops_max) {
  if (auto refused = check_operations(request, ops_max)) return refused;
  if (!collect(request.success) || !collect(request.failure)) return outcome::duplicate_key;
  return std::nullopt;
}

bool is_read_only(const TxnRequest& request) {
  const auto reads = [](const RequestOp& operation) {
    return std::holds_alternative<RangeRequest>(operation.request);
  };
  return std::ranges::all_of(request.success, reads) && std::ranges::all_of(request.failure, reads);
}

bool is_serializable(const TxnRequest& request) {
  const auto relaxed = [](const RequestOp& operation) {
    const auto* range = std::get_if<RangeRequest>(&operation.request);
    return range != nullptr && range->serializable;
  };
  return std::ranges::all_of(request.success, relaxed) &&
         std::ranges::all_of(request.failure, relaxed);
}

}  // namespace tripod::etcd
