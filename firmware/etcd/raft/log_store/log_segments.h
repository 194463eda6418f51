#pragma once
// The entries of raft.db, in segments: tables that are filled one after the other, and emptied
// whole when everything in them is compacted. SQLite gives the pages of a table back without
// writing them, those of rows deleted one by one it writes once more; and pages that are used again
// before a checkpoint are moved into the file only once.
//
// Which table holds what is not written down: the rows say it.

#include <functional>
#include <string>
#include <vector>

#include "firmware/etcd/raft/types.h"
#include "platform/base/result.h"
#include "platform/sqlite/database.h"

namespace tripod::etcd::raft {

class LogSegments {
 public:
  /// A segment is full once its entries count as so many bytes. After an error of a writing call
  /// the object is of no use any more.
  LogSegments(sqlite::Database& database, std::size_t segment_bytes)
      : database_(&database), segment_bytes_(segment_bytes) {}

  /// From now on as in format 1: one table, from which compacted entries are deleted one by one.
  void keep_to_one_table() { one_table_ = true; }

  /// The first table, of a new file.
  Result<> create();
  /// Finds what the tables hold.
  Result<> open();

  /// The entry must follow the last one that was not cut off.
  Result<> append(const Entry& entry);
  /// Forgets the entries from `first` on.
  Result<> cut(LogIndex first);
  /// Gives back the segments that hold nothing behind `index`. The entries of one that is partly
  /// behind it stay, unless it is the one table.
  Result<> release(LogIndex index);
  /// Forgets all entries.
  Result<> clear();
  /// Calls visit(Entry) -> Result<bool> for the entries from `first` to `last` that are there, in
  /// order, until it says false or fails. An entry that does not match its checksum is `corrupt`.
  Result<> visit(LogIndex first, LogIndex last, const std::function<Result<bool>(Entry)>& visit);

 private:
  struct Segment {
    std::size_t table;
    LogIndex first;
    LogIndex last;
    std::size_t bytes;  // Entry::size_bytes() of what was appended; counted for the last one
  };
  /// A statement on one table, prepared anew when another one is asked for.
  struct Prepared {
    sqlite::Statement statement;
    std::size_t table = 0;
  };

  Result<> make_table(std::size_t table);
  Result<> begin_segment(LogIndex first);
  Result<> empty_table(std::size_t table);
  Result<> delete_up_to(LogIndex index);
  Result<> prepare(Prepared& prepared, std::size_t table, std::string_view before,
                   std::string_view behind);
  Result<Entry> entry_of_row(const sqlite::Statement& row) const;

  sqlite::Database* database_;
  std::size_t segment_bytes_;
  bool one_table_ = false;
  std::size_t tables_ = 0;
  std::vector<Segment> used_;  // in the order of their entries
  Prepared insert_;
  Prepared select_;
};

}  // namespace tripod::etcd::raft
