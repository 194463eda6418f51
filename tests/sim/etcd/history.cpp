#include "tests/sim/etcd/history.h"

#include <algorithm>
#include <format>

#include "platform/base/check.h"

namespace tripod::etcd::robustness {
namespace {

/// The previous value is compared when both know it.
bool same_event(const Event& a, const Event& b, bool may_lack_previous) {
  if (a.type != b.type || !same(a.kv, b.kv)) return false;
  if (a.prev_kv.has_value() != b.prev_kv.has_value()) return may_lack_previous;
  return !a.prev_kv || same(*a.prev_kv, *b.prev_kv);
}

bool same_all(const std::vector<KeyValue>& a, const std::vector<KeyValue>& b) {
  return std::ranges::equal(a, b, [](const KeyValue& x, const KeyValue& y) { return same(x, y); });
}

/// One operation against the model.
class Examination {
 public:
  Examination(const Operation& operation, const Model& model)
      : operation_(operation), model_(model) {}

  std::optional<std::string> run() const {
    if (!operation_.answered) return unanswered();
    if (operation_.revision > model_.known_until()) {
      return std::format("names revision {}, which no watch has seen", operation_.revision);
    }
    switch (operation_.kind) {
      case Operation::Kind::put: return wrote({operation_.key});
      case Operation::Kind::pair: return wrote({operation_.key, operation_.key + "+"});
      case Operation::Kind::remove: return removed();
      case Operation::Kind::swap: return swapped();
      case Operation::Kind::read: return read();
    }
    return std::nullopt;
  }

 private:
  std::optional<std::string> after_floor(bool writes) const {
    const Revision least = operation_.floor + (writes ? 1 : 0);
    if (operation_.serializable || operation_.revision >= least) return std::nullopt;
    return std::format("names revision {} after {} had been told of", operation_.revision,
                       operation_.floor);
  }

  std::optional<std::string> wrote(const std::vector<Bytes>& keys) const {
    if (auto stale = after_floor(true)) return stale;
    auto found = model_.revisions().find(operation_.revision);
    const std::size_t events = found == model_.revisions().end() ? 0 : found->second.size();
    if (events != keys.size()) {
      return std::format("has {} events at revision {}", events, operation_.revision);
    }
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const KeyValue& kv = found->second[i].kv;
      if (kv.key != keys[i] || kv.value != operation_.value) {
        return std::format("is {} = {} at revision {}", kv.key, kv.value, operation_.revision);
      }
    }
    return std::nullopt;
  }

  std::optional<std::string> removed() const {
    const bool writes = operation_.deleted > 0;
    if (auto stale = after_floor(writes)) return stale;
    const Revision before = writes ? operation_.revision - 1 : operation_.revision;
    const auto there = model_.range_at(operation_.key, operation_.range_end, before);
    if (std::ssize(there) == operation_.deleted) return std::nullopt;
    return std::format("deleted {} of {} keys at revision {}", operation_.deleted, there.size(),
                       operation_.revision);
  }

  std::optional<std::string> swapped() const {
    const Revision before = operation_.revision - (operation_.succeeded ? 1 : 0);
    const auto there = model_.at(operation_.key, before);
    const bool matches = (there ? there->mod_revision : 0) == operation_.expected;
    if (matches != operation_.succeeded) {
      return std::format("compared with {}, found {} at revision {}", operation_.expected,
                         there ? there->mod_revision : 0, before);
    }
    return operation_.succeeded ? wrote({operation_.key}) : read();
  }

  std::optional<std::string> read() const {
    if (auto stale = after_floor(false)) return stale;
    const Revision at = operation_.at > 0 ? operation_.at : operation_.revision;
    const auto there = model_.range_at(operation_.key, operation_.range_end, at);
    if (same_all(there, operation_.kvs)) return std::nullopt;
    return std::format("read {} keys where the state at revision {} has {}, or others",
                       operation_.kvs.size(), at, there.size());
  }

  /// If it happened, it happened after it was asked for.
  std::optional<std::string> unanswered() const {
    if (operation_.value.empty()) return std::nullopt;
    for (auto at = model_.revisions().begin(); at != model_.revisions().end(); ++at) {
      if (at->first > operation_.floor) break;
      for (const Event& event : at->second) {
        if (event.kv.value == operation_.value) {
          return std::format("took effect at revision {}, before it was asked for", at->first);
        }
      }
    }
    return std::nullopt;
  }

  const Operation& operation_;
  const Model& model_;
};

}  // namespace

bool in_range(const Bytes& candidate, const Bytes& key, const Bytes& range_end) {
  if (range_end.empty()) return candidate == key;
  return candidate >= key && (range_end == Bytes(1, '\0') || candidate < range_end);
}

bool same(const KeyValue& a, const KeyValue& b) {
  return a.key == b.key && a.value == b.value && a.create_revision == b.create_revision &&
         a.mod_revision == b.mod_revision && a.version == b.version && a.lease == b.lease;
}

std::string to_text(const Operation& operation) {
  constexpr std::string_view names[] = {"put", "remove", "swap", "pair", "read"};
  return std::format("client {} at node {}: {} [{}, {}) {}", operation.client, operation.node,
                     names[static_cast<std::size_t>(operation.kind)], operation.key,
                     operation.range_end, operation.value);
}

std::vector<std::string> Model::learn(const std::vector<Event>& events) {
  std::vector<std::string> violations;
  std::map<Revision, std::vector<Event>> parts;
  for (const Event& event : events) parts[event.kv.mod_revision].push_back(event);
  for (auto& [revision, part] : parts) {
    auto known = revisions_.find(revision);
    if (known != revisions_.end()) {
      const auto agree = [this](const Event& a, const Event& b) {
        return same_event(a, b, may_lack_previous(a));
      };
      if (!std::ranges::equal(known->second, part, agree)) {
        violations.push_back(std::format("two watches differ on revision {}", revision));
      }
      continue;
    }
    for (const Event& event : part) {
      auto& versions = keys_[event.kv.key];
      versions[revision] = event.type == EventType::put ? std::optional(event.kv) : std::nullopt;
    }
    revisions_.emplace(revision, std::move(part));
  }
  while (revisions_.contains(known_until_ + 1)) ++known_until_;
  return violations;
}

std::optional<KeyValue> Model::at(const Bytes& key, Revision revision) const {
  auto versions = keys_.find(key);
  if (versions == keys_.end()) return std::nullopt;
  auto after = versions->second.upper_bound(revision);
  return after == versions->second.begin() ? std::nullopt : std::prev(after)->second;
}

std::vector<KeyValue> Model::range_at(const Bytes& key, const Bytes& range_end,
                                      Revision revision) const {
  std::vector<KeyValue> found;
  for (auto versions = keys_.lower_bound(key); versions != keys_.end(); ++versions) {
    if (!in_range(versions->first, key, range_end)) break;
    if (auto kv = at(versions->first, revision)) found.push_back(std::move(*kv));
  }
  return found;
}

std::size_t History::begin(Operation operation) {
  operation.floor = newest_;
  operation.answered = false;
  operations_.push_back(std::move(operation));
  return operations_.size() - 1;
}

void History::end(std::size_t place, Operation answered) {
  Operation& operation = operations_[place];
  CHECK(!operation.answered);
  answered.floor = operation.floor;
  answered.answered = true;
  operation = std::move(answered);
  if (!operation.serializable) newest_ = std::max(newest_, operation.revision);
}

std::vector<std::string> History::check(const Model& model) const {
  std::vector<std::string> violations;
  for (const Operation& operation : operations_) {
    if (auto wrong = Examination(operation, model).run()) {
      violations.push_back(to_text(operation) + " " + *wrong);
    }
  }
  std::map<Bytes, Revision> written;
  for (const auto& [revision, events] : model.revisions()) {
    for (const Event& event : events) {
      if (event.type != EventType::put) continue;
      auto [first, fresh] = written.emplace(event.kv.value, revision);
      if (!fresh && first->second != revision) {
        violations.push_back(std::format("{} was written at revision {} and again at {}",
                                         event.kv.value, first->second, revision));
      }
    }
  }
  return violations;
}

}  // namespace tripod::etcd::robustness
