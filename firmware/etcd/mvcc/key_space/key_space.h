#pragma once
// The multi-version key space: what etcd's KV service means. Every change makes a row of state.db;
// every writing request makes one revision. Deterministic: the same requests in the same order give
// the same responses, rows and events on every member, whatever their clocks, caches or the
// progress of their compactions.
//
// Not thread-safe; lives on the loop thread. Requests were checked by commands/checks.h.

#include <span>

#include "firmware/etcd/api/errors.h"
#include "firmware/etcd/mvcc/books/lease_book.h"
#include "firmware/etcd/mvcc/key_space/key_index.h"
#include "firmware/etcd/mvcc/key_space/stored_event.h"
#include "firmware/etcd/mvcc/state_db/state_db.h"

namespace tripod::etcd {

/// As etcd's HashKV.
struct KeySpaceHash {
  std::uint32_t hash = 0;
  Revision compact_revision = 0;
  Revision revision = 0;
};

class KeySpace {
 public:
  /// Reads the index and the keys of leases from `db`; `leases` holds the leases already. Both
  /// outlive this object.
  KeySpace(StateDb& db, LeaseBook& leases);
  /// Reads anew, from another state.db.
  void reload();

  /// Of the newest change; 1 before the first.
  Revision revision() const { return revision_; }
  /// Reads below it fail; -1 before the first compaction.
  Revision compact_revision() const { return compact_revision_; }
  std::size_t key_count() const { return index_.size(); }
  /// What this process did since it started, for metrics.
  struct Counts {
    std::uint64_t ranges = 0;
    std::uint64_t puts = 0;
    std::uint64_t deletes = 0;
    std::uint64_t txns = 0;
    std::uint64_t put_bytes = 0;
  };
  const Counts& counts() const { return counts_; }

  grpc::Reply<RangeResponse> range(const RangeRequest& request) {
    return range_at(request, revision_);
  }

  /// The writing requests append what they changed to `events`. A refused one changes nothing.
  grpc::Reply<PutResponse> put(PutRequest request, Events& events);
  grpc::Reply<DeleteRangeResponse> delete_range(const DeleteRangeRequest& request, Events& events);
  grpc::Reply<TxnResponse> txn(TxnRequest request, Events& events);
  /// Deletes these keys in one revision, in their order; those that do not exist are skipped.
  void remove(const std::set<Bytes, std::less<>>& keys, Events& events);

  /// Marks everything below `revision` as gone; the rows go by compact_some().
  grpc::Reply<CompactionResponse> compact(Revision revision);
  bool compacting() const { return compacted_to_ < compact_revision_; }
  /// A slice of the work: that many entries of the index, or rows of the file; true when nothing is
  /// left. The index forgets a batch of rows first, then the file does, in its own order.
  bool compact_some(std::size_t work_max);

  /// What `event` replaced; nullopt when the key did not exist, or when that was compacted.
  std::optional<KeyValue> previous(const StoredEvent& event);
  /// Events of whole revisions from `from` on, until `events_max` were visited or the newest was;
  /// calls visit(SharedEvent). Returns the first revision not visited.
  Revision history(Revision from, std::size_t events_max,
                   const std::function<void(SharedEvent)>& visit);

  /// Of everything up to `revision` (0: the newest), in one go (key_space_hash.h takes slices).
  grpc::Reply<KeySpaceHash> hash(Revision revision);

 private:
  friend class KeySpaceHasher;
  /// One writing request under way.
  struct Write {
    Revision begin;
    Events& events;
    std::int64_t changes = 0;
    Revision now() const { return begin + (changes > 0 ? 1 : 0); }
  };

  /// A row, and which element of a response it becomes.
  struct RowPlace {
    RowId id;
    std::size_t place;
  };

  /// A compaction under way.
  struct Compacting {
    Revision to;
    Bytes cursor;               // where the walk through the index goes on
    std::vector<RowId> behind;  // forgotten by the index, still in the file; falling while erasing
    bool walked = false;        // to the end of the index
    bool erasing = false;
  };
  static constexpr std::size_t compaction_batch_rows = 16 * 1024;

  grpc::Reply<RangeResponse> range_at(const RangeRequest& request, Revision current);
  KeyValue load(const IndexEntry& entry, RowId id, bool value);
  void load_rows(std::vector<RowPlace>& rows, std::vector<KeyValue>& kvs);
  KeyValue load_head(const IndexEntry& entry, RowId id);
  std::optional<KeyValue> current(BytesView key);
  std::size_t count(const KeyRange& range, Revision revision) const;

  std::optional<Outcome> check_put(const PutRequest& request);
  bool compare(const Compare& compare);
  void choose(const TxnRequest& request, std::vector<bool>& path);
  std::optional<Outcome> check_txn(const TxnRequest& request, const std::vector<bool>& path,
                                   std::size_t& step, std::size_t& deletes);

  PutResponse run(PutRequest request, Write& write);
  DeleteRangeResponse run(const DeleteRangeRequest& request, Write& write);
  void run(TxnRequest request, const std::vector<bool>& path, std::size_t& step, Write& write,
           TxnResponse& response);
  void erase(BytesView key, Write& write);
  void finish(const Write& write);

  StateDb& db_;
  LeaseBook& leases_;
  KeyIndex index_;
  Counts counts_;
  Revision revision_ = 1;
  Revision compact_revision_ = -1;
  Revision compacted_to_ = -1;  // rows below are gone for this compact revision
  std::optional<Compacting> compaction_;
};

}  // namespace tripod::etcd
