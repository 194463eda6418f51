#pragma once
// state.db: the rows of the key space, leases, members and small facts, and the index of the last
// Raft entry that made them. Format:
//
//   kv(id INTEGER PRIMARY KEY, key, created, version, lease, value)   one row per change, id as in
//   revision.h;
//                                                                     of a tombstone: version 0,
//                                                                     value NULL
//   lease(id INTEGER PRIMARY KEY, ttl)
//   fact(name PRIMARY KEY, value)                                     numbers and blobs
//
// One write transaction stays open over many changes; reads on this connection see it. commit()
// puts the applied index beside them, and the WAL is scratch (platform/sqlite/scratch_wal.h), so a
// crash leaves the state of the last whole checkpoint, never a mixed one: raft.db has the rest. A
// failure of SQLite in here is lost ground and ends the process: a member that cannot apply a
// committed entry has nothing to say.
//
// Used by one thread at a time (the loop); checkpoints go through a second connection.

#include <functional>
#include <optional>
#include <string>

#include "firmware/etcd/mvcc/state_db/revision.h"
#include "platform/sqlite/database.h"
#include "platform/sqlite/scratch_wal.h"

namespace tripod::etcd {

/// A row; views are valid until the next call on the database.
struct Row {
  BytesView key;
  Revision created = 0;
  std::int64_t version = 0;
  LeaseId lease = 0;
  BytesView value;
};

class StateDb {
 public:
  /// `path` may be ":memory:" in tests. Fails with `invalid`, and leaves the file as it is, when a
  /// later release wrote it in a format that this one does not know.
  static Result<StateDb> open(const std::string& path, const std::string& vfs);

  void insert(RowId id, const Row& row);
  void erase(RowId id);
  /// The row must be there.
  Row read(RowId id);
  /// Everything but the value: cheap for large values.
  Row read_head(RowId id);
  /// Many rows, each of which must be there: asks `next` for an id and gives its row to `visit`,
  /// until there is none. Ids rise; those close together cost less than by read().
  void read_rising(const std::function<std::optional<RowId>()>& next,
                   const std::function<void(const Row&)>& visit);
  /// Rows with `first` <= id < `end`, in order, at most `rows_max`, until `visit` says false.
  void scan(RowId first, RowId end, std::int64_t rows_max,
            const std::function<bool(RowId, const Row&)>& visit);
  /// As scan(), without values.
  void scan_heads(RowId first, RowId end, const std::function<bool(RowId, const Row&)>& visit);

  void put_lease(LeaseId id, std::int64_t ttl);
  void erase_lease(LeaseId id);
  void each_lease(const std::function<void(LeaseId, std::int64_t)>& visit);

  std::optional<std::int64_t> number(std::string_view name);
  void set_number(std::string_view name, std::int64_t value);
  std::optional<Bytes> blob(std::string_view name);
  void set_blob(std::string_view name, BytesView value);
  void erase_blob(std::string_view name);
  /// Facts whose names start with `prefix`, by name.
  void each_blob(std::string_view prefix,
                 const std::function<void(std::string_view, BytesView)>& visit);

  /// Bytes written since the last commit, about.
  std::size_t uncommitted_bytes() const { return uncommitted_bytes_; }
  bool in_transaction() const { return writing_; }
  /// For other connections to this file.
  const std::shared_ptr<sqlite::ScratchWal>& scratch() const { return scratch_; }
  /// Ends the open transaction, if any.
  void commit();
  /// What was committed survives a power cut afterwards, and the WAL is empty. `unavailable` while
  /// another connection reads.
  Result<> make_durable();
  /// Lets go of the file; an open transaction is lost. Only to be replaced afterwards.
  void close();

  /// Gives at most that many free pages back, as part of the open transaction; the file shrinks
  /// with the checkpoint that follows.
  void vacuum(int pages_max);
  /// `corrupt` with SQLite's finding; looks at `steps_max` cells and pages at most.
  Result<bool> check(std::size_t steps_max) { return database_->quick_check(steps_max); }

  /// As it will be once everything is committed; cheap.
  std::int64_t size_bytes();
  std::int64_t free_bytes();
  std::int64_t page_bytes() const { return page_bytes_; }

 private:
  StateDb() = default;
  Result<> prepare();
  void begin();
  void run(sqlite::Statement& statement);
  Row row_of(sqlite::Statement& statement, bool value) const;

  std::shared_ptr<sqlite::ScratchWal> scratch_;
  // Statements die before their database.
  std::unique_ptr<sqlite::Database> database_;
  sqlite::Statement insert_, erase_, read_, read_head_, scan_, scan_heads_;
  sqlite::Statement put_lease_, erase_lease_, get_fact_, set_fact_, erase_fact_, page_count_;
  std::int64_t page_bytes_ = 0;
  bool writing_ = false;
  std::size_t uncommitted_bytes_ = 0;
};

}  // namespace tripod::etcd
