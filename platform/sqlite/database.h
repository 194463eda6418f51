#pragma once
// SQLite without its sharp edges: a Database is one connection in WAL mode, a Statement one
// prepared query. Errors are Results: no_space (disk full), corrupt (bad page, no database), io
// (the system call failed, fsync too), unavailable (another connection holds the lock), invalid (a
// wrong statement). The message names the file.
//
// Not thread-safe: a connection and its statements are used by one thread at a time (a lane, or the
// loop).

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "platform/base/bytes.h"
#include "platform/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace tripod::sqlite {

/// Bounds on what one connection may hold or be asked for.
struct Limits {
  int value_bytes_max = 16 * 1024 * 1024;  // a blob, text or row
  int statement_bytes_max = 64 * 1024;     // SQL text
  int cache_kib_max = 64 * 1024;
};

class ScratchWal;

enum class Synchronous : std::uint8_t {
  off,     // tests only: a power cut may corrupt the file
  normal,  // a power cut may lose the last commits, never consistency
  full,    // a commit that returned survives a power cut
};

/// In place of SQLite's default VFS for databases with Options::log, when the machine registered
/// it.
inline constexpr const char* log_vfs = "tripod-log";

struct Options {
  std::string vfs;  // os::Storage::vfs_name(); empty means SQLite's default
  std::shared_ptr<ScratchWal> scratch = nullptr;  // of this file (scratch_wal.h), in place of vfs
  Synchronous synchronous = Synchronous::full;
  int page_size_bytes = 4096;  // of a new file
  int cache_kib = 512;         // page cache, the bound on this connection's memory
  /// What one transaction may hold instead. Of one that is larger, pages go to the WAL early; and
  /// when such a page changes again, SQLite reads and writes anew the frame of each behind it.
  int transaction_kib = 0;
  int checkpoint_wal_pages = 1000;  // automatic checkpoint on commit; 0 leaves it to checkpoint()
  std::int64_t wal_kept_bytes = 1 << 20;  // the WAL file is cut to this after a checkpoint
  bool log = false;  // every commit is synced: log_vfs; the WAL file outlives the connection
  bool checkpoint_on_close = true;  // false: the WAL stays for whoever opens next
  bool exclusive = true;            // one connection, no shared memory file, no second process
  bool create = true;
  bool read_only = false;
  bool immutable = false;  // read only, and nobody writes: no WAL, no lock, no file beside it
  bool incremental_vacuum = false;  // of a new file: vacuum_some() gives freed pages back
};

struct CheckpointCounts {
  int wal_pages = 0;           // in the WAL when it ran
  int checkpointed_pages = 0;  // of these, now in the database file
};

enum class Checkpoint : std::uint8_t { passive, truncate };

/// One prepared statement, kept by the caller for as long as the database is open. Parameters and
/// columns count as SQLite counts them: parameters from 1, columns from 0.
class Statement {
 public:
  Statement() = default;
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  ~Statement();

  void bind(int index, std::int64_t value);
  /// Borrowed until reset(): `bytes` must live as long.
  void bind_blob(int index, BytesView bytes);
  void bind_text(int index, std::string_view text);
  void bind_null(int index);

  /// True: a row is there. False: done. An error resets the statement.
  Result<bool> step();
  /// Ready for new parameters; the old ones are forgotten, and views of columns with them.
  void reset();
  /// Steps to the end, discarding rows, and resets.
  Result<> run();

  std::int64_t column_int64(int index) const;
  /// Views are valid until the next step() or reset().
  BytesView column_blob(int index) const;
  std::string_view column_text(int index) const;
  bool column_is_null(int index) const;

  explicit operator bool() const { return handle_ != nullptr; }

 private:
  friend class Database;
  explicit Statement(sqlite3_stmt* handle) : handle_(handle) {}

  sqlite3_stmt* handle_ = nullptr;
};

class Database {
 public:
  static constexpr Limits limits;

  /// Opens or creates the file and reads from it, so that a file that is no database is `corrupt`
  /// here.
  static Result<Database> open(const std::string& path, const Options& options);
  Database(Database&& other) noexcept;
  Database& operator=(Database&& other) noexcept;
  /// Statements of this connection must be gone.
  ~Database();

  /// One or more statements without parameters or wanted rows.
  Result<> execute(const std::string& sql);
  Result<Statement> prepare(std::string_view sql);
  /// The first column of the first row; `not_found` without a row.
  Result<std::int64_t> query_int64(std::string_view sql);

  std::int64_t last_insert_rowid() const;
  /// Rows changed by the last statement.
  std::int64_t changes() const;
  bool in_transaction() const;

  /// Moves the WAL into the database file and syncs it: what was committed before is durable
  /// afterwards, under Synchronous::normal too. Fewer pages than there are means that a reader
  /// stands in the way.
  Result<CheckpointCounts> checkpoint(Checkpoint mode);
  /// Walks the whole file; `corrupt` with SQLite's first finding.
  Result<> integrity_check();
  /// The same without looking into indexes, for at most about `steps_max` cells and pages: false
  /// when that was not the whole file.
  Result<bool> quick_check(std::size_t steps_max);
  /// Gives at most `pages_max` freed pages back to the file system.
  Result<> vacuum_some(int pages_max);
  /// The database file without the WAL, and the part of it that is free for reuse.
  Result<std::int64_t> size_bytes();
  Result<std::int64_t> free_bytes();

  const std::string& path() const { return path_; }
  /// For what this wrapper does not offer (online backup); stays owned by this object.
  sqlite3* handle() const { return handle_; }

 private:
  friend class Transaction;
  Database(sqlite3* handle, std::string path) : handle_(handle), path_(std::move(path)) {}
  Result<> configure(const Options& options);
  /// Runs `sql`, which `kept` holds prepared from the first time on.
  Result<> run_kept(Statement& kept, std::string_view sql);

  std::shared_ptr<ScratchWal> scratch_;  // outlives the connection
  sqlite3* handle_ = nullptr;
  std::string path_;
  Statement begin_, commit_;
};

/// BEGIN IMMEDIATE now; COMMIT when asked, else ROLLBACK at the end of its life. `database`
/// outlives it.
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  /// After an error the transaction is rolled back; nothing of it is in the file.
  Result<> commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}

  Database* database_ = nullptr;
};

}  // namespace tripod::sqlite
