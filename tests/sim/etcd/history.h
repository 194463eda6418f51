#pragma once
// What clients asked of a cluster and what they were told, and whether one order of all of it
// explains the answers.
//
// etcd numbers its writes, so the order need not be searched for: a history is linearizable if each
// answer agrees with the state at the revision it names, and revisions never run against real time.
// With the order of writes known the check is linear in the history (Gibbons and Korach, "Testing
// Shared Memories", 1997), where the general one is exponential. What was written at which revision
// comes from watches (Model), themselves under test: two that disagree, or that leave a gap, are a
// violation too.

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "firmware/etcd/api/messages.h"
#include "platform/base/time.h"

namespace tripod::etcd::robustness {

struct Operation {
  enum class Kind : std::uint8_t {
    put,     // value at key
    remove,  // [key, range_end)
    swap,    // value at key if its mod_revision is `expected`, else read key
    pair,    // value at key and at key + "+", in one transaction
    read,    // [key, range_end)
  };
  Kind kind = Kind::read;
  std::size_t client = 0;
  std::size_t node = 0;
  Bytes key;
  Bytes range_end;
  Bytes value;  // of its own in the whole history
  Revision expected = 0;
  Revision at = 0;  // read: the state at that revision; 0: now
  bool serializable = false;

  bool answered = false;   // otherwise it may have happened, or may happen yet
  Revision floor = 0;      // the newest revision anyone had been told of when this was asked
  Revision revision = 0;   // of the answer's header
  bool succeeded = false;  // swap
  std::int64_t deleted = 0;
  std::vector<KeyValue> kvs;  // read, and a swap that failed
};

/// What happened at each revision, as watches of everything told it.
class Model {
 public:
  /// One delivery: events of one or more whole revisions. Returns what contradicts what is known.
  std::vector<std::string> learn(const std::vector<Event>& events);
  /// Everything below `revision` may be compacted from now on.
  void compact(Revision revision) { compacted_ = std::max(compacted_, revision); }
  Revision compacted() const { return compacted_; }
  /// True when the previous value of `event` may be gone.
  bool may_lack_previous(const Event& event) const { return event.kv.mod_revision <= compacted_; }
  /// Revisions 2 to known_until() are known without a gap.
  Revision known_until() const { return known_until_; }
  const std::map<Revision, std::vector<Event>>& revisions() const { return revisions_; }
  /// The key as it was at `revision`.
  std::optional<KeyValue> at(const Bytes& key, Revision revision) const;
  std::vector<KeyValue> range_at(const Bytes& key, const Bytes& range_end, Revision revision) const;

 private:
  std::map<Revision, std::vector<Event>> revisions_;
  std::map<Bytes, std::map<Revision, std::optional<KeyValue>>> keys_;
  Revision known_until_ = 1;
  Revision compacted_ = 0;
};

class History {
 public:
  /// Notes that the operation is being asked for now; gives its place.
  std::size_t begin(Operation operation);
  /// The answer came now.
  void end(std::size_t place, Operation answered);
  const std::vector<Operation>& operations() const { return operations_; }
  /// The newest revision that an answer named, serializable reads aside.
  Revision newest() const { return newest_; }

  /// Everything that no order explains.
  std::vector<std::string> check(const Model& model) const;

 private:
  std::vector<Operation> operations_;
  Revision newest_ = 0;
};

/// True when [key, range_end) holds `candidate`; empty range_end is one key, "\\0" has no end.
bool in_range(const Bytes& candidate, const Bytes& key, const Bytes& range_end);
bool same(const KeyValue& a, const KeyValue& b);
std::string to_text(const Operation& operation);

}  // namespace tripod::etcd::robustness
