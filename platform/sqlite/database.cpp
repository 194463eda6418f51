#include "platform/sqlite/database.h"

#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <format>
#include <utility>

#include "platform/base/check.h"
#include "platform/sqlite/scratch_wal.h"

namespace tripod::sqlite {
namespace {

ErrorCode code_of(int result) {
  switch (result & 0xff) {
    case SQLITE_FULL: return ErrorCode::no_space;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return ErrorCode::corrupt;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY: return ErrorCode::io;
    case SQLITE_PERM:
    case SQLITE_AUTH: return ErrorCode::denied;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return ErrorCode::unavailable;
    case SQLITE_TOOBIG: return ErrorCode::too_large;
    case SQLITE_CONSTRAINT: return ErrorCode::conflict;
    case SQLITE_INTERRUPT: return ErrorCode::cancelled;
    default: return ErrorCode::invalid;
  }
}

Error error_of(sqlite3* handle, std::string_view path, int result) {
  int extended = handle != nullptr ? sqlite3_extended_errcode(handle) : result;
  if ((extended & 0xff) != (result & 0xff)) extended = result;
  const char* text = handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(result);
  ErrorCode code = code_of(extended);
  if ((extended & 0xff) == SQLITE_CANTOPEN && handle != nullptr &&
      sqlite3_system_errno(handle) == ENOENT) {
    code = ErrorCode::not_found;
  }
  return Error{code, std::format("{}: {} (sqlite {})", path, text, extended)};
}

Error error_of(sqlite3_stmt* statement, int result) {
  sqlite3* handle = sqlite3_db_handle(statement);
  const char* path = sqlite3_db_filename(handle, "main");
  return error_of(handle, path != nullptr ? path : "?", result);
}

std::string_view synchronous_name(Synchronous mode) {
  switch (mode) {
    case Synchronous::off: return "OFF";
    case Synchronous::normal: return "NORMAL";
    case Synchronous::full: return "FULL";
  }
  return "FULL";
}

/// "file:/a%20b?immutable=1"; all but the usual characters are escaped.
std::string immutable_uri(const std::string& path) {
  std::string uri = "file:";
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '/' || c == '.' || c == '-' || c == '_';
    uri += plain ? std::string(1, c) : std::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return uri + "?immutable=1";
}

void bound(int result) {
  CHECK(result == SQLITE_OK, sqlite3_errstr(result));
}

}  // namespace

Statement::Statement(Statement&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(handle_, other.handle_);
  return *this;
}

Statement::~Statement() {
  sqlite3_finalize(handle_);
}

void Statement::bind(int index, std::int64_t value) {
  bound(sqlite3_bind_int64(handle_, index, value));
}

void Statement::bind_blob(int index, BytesView bytes) {
  // A null pointer would bind NULL; an empty blob is a value.
  const char* data = bytes.data() != nullptr ? bytes.data() : "";
  bound(sqlite3_bind_blob64(handle_, index, data, bytes.size(), nullptr));
}

void Statement::bind_text(int index, std::string_view text) {
  const char* data = text.data() != nullptr ? text.data() : "";
  bound(sqlite3_bind_text64(handle_, index, data, text.size(), nullptr, SQLITE_UTF8));
}

void Statement::bind_null(int index) {
  bound(sqlite3_bind_null(handle_, index));
}

Result<bool> Statement::step() {
  int result = sqlite3_step(handle_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  Error error = error_of(handle_, result);
  reset();
  return std::unexpected(std::move(error));
}

void Statement::reset() {
  sqlite3_reset(handle_);  // repeats the error of the last step, which was reported there
  sqlite3_clear_bindings(handle_);
}

Result<> Statement::run() {
  for (;;) {
    auto row = step();
    if (!row) return std::unexpected(std::move(row.error()));
    if (!*row) break;
  }
  reset();
  return {};
}

std::int64_t Statement::column_int64(int index) const {
  return sqlite3_column_int64(handle_, index);
}

BytesView Statement::column_blob(int index) const {
  const void* data = sqlite3_column_blob(handle_, index);
  int size = sqlite3_column_bytes(handle_, index);
  if (data == nullptr) return {};
  return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

std::string_view Statement::column_text(int index) const {
  return column_blob(index);
}

bool Statement::column_is_null(int index) const {
  return sqlite3_column_type(handle_, index) == SQLITE_NULL;
}

Result<Database> Database::open(const std::string& path, const Options& options) {
  CHECK(options.cache_kib > 0 && options.cache_kib <= limits.cache_kib_max);
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const bool read_only = options.read_only || options.immutable;
  flags |= read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  if (options.create && !read_only) flags |= SQLITE_OPEN_CREATE;
  if (options.immutable) flags |= SQLITE_OPEN_URI;
  sqlite3* handle = nullptr;
  const char* vfs = options.vfs.empty() ? nullptr : options.vfs.c_str();
  if (vfs == nullptr && options.log && sqlite3_vfs_find(log_vfs) != nullptr) vfs = log_vfs;
  if (options.scratch) vfs = options.scratch->vfs_name().c_str();
  const std::string name = options.immutable ? immutable_uri(path) : path;
  int result = sqlite3_open_v2(name.c_str(), &handle, flags, vfs);
  Database database(handle, path);
  database.scratch_ = options.scratch;
  if (result != SQLITE_OK) return std::unexpected(error_of(handle, path, result));
  if (auto configured = database.configure(options); !configured) {
    return std::unexpected(std::move(configured.error()));
  }
  return database;
}

Result<> Database::configure(const Options& options) {
  sqlite3_limit(handle_, SQLITE_LIMIT_LENGTH, limits.value_bytes_max);
  sqlite3_limit(handle_, SQLITE_LIMIT_SQL_LENGTH, limits.statement_bytes_max);
  sqlite3_limit(handle_, SQLITE_LIMIT_ATTACHED, 0);
  // Debian's SQLite would write zeros over what is freed.
  std::string pragmas = std::format(
      "PRAGMA locking_mode={}; PRAGMA page_size={}; PRAGMA cache_size=-{}; PRAGMA mmap_size=0;"
      "PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=OFF; PRAGMA busy_timeout=0;"
      "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA secure_delete=OFF;",
      options.exclusive ? "EXCLUSIVE" : "NORMAL", options.page_size_bytes, options.cache_kib);
  if (options.transaction_kib > 0) {
    pragmas += std::format("PRAGMA cache_spill={};",
                           std::int64_t{options.transaction_kib} * 1024 / options.page_size_bytes);
  }
  if (!options.read_only && !options.immutable) {
    if (options.incremental_vacuum) pragmas += "PRAGMA auto_vacuum=INCREMENTAL;";
    pragmas += std::format(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous={}; PRAGMA wal_autocheckpoint={};"
        "PRAGMA journal_size_limit={};",
        synchronous_name(options.synchronous), options.checkpoint_wal_pages,
        options.wal_kept_bytes);
  }
  if (auto done = execute(pragmas); !done) return done;
  int keep_wal = options.log || !options.checkpoint_on_close ? 1 : 0;
  sqlite3_file_control(handle_, "main", SQLITE_FCNTL_PERSIST_WAL, &keep_wal);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, options.checkpoint_on_close ? 0 : 1,
                    nullptr);
  auto schema_rows = query_int64("SELECT count(*) FROM sqlite_schema");
  if (!schema_rows) return std::unexpected(std::move(schema_rows.error()));
  return {};
}

Database::Database(Database&& other) noexcept
    : scratch_(std::move(other.scratch_)),
      handle_(std::exchange(other.handle_, nullptr)),
      path_(std::move(other.path_)),
      begin_(std::move(other.begin_)),
      commit_(std::move(other.commit_)) {}

Database& Database::operator=(Database&& other) noexcept {
  std::swap(scratch_, other.scratch_);
  std::swap(handle_, other.handle_);
  std::swap(path_, other.path_);
  std::swap(begin_, other.begin_);
  std::swap(commit_, other.commit_);
  return *this;
}

Database::~Database() {
  if (handle_ == nullptr) return;
  begin_ = Statement();
  commit_ = Statement();
  int result = sqlite3_close(handle_);
  CHECK(result == SQLITE_OK, "a statement outlives its database");
}

Result<> Database::execute(const std::string& sql) {
  int result = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) return std::unexpected(error_of(handle_, path_, result));
  return {};
}

Result<> Database::run_kept(Statement& kept, std::string_view sql) {
  if (!kept) {
    auto prepared = prepare(sql);
    if (!prepared) return std::unexpected(std::move(prepared.error()));
    kept = std::move(*prepared);
  }
  return kept.run();
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  int result = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                  SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (result != SQLITE_OK) return std::unexpected(error_of(handle_, path_, result));
  CHECK(statement != nullptr, "empty statement");
  return Statement(statement);
}

Result<std::int64_t> Database::query_int64(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement) return std::unexpected(std::move(statement.error()));
  auto row = statement->step();
  if (!row) return std::unexpected(std::move(row.error()));
  if (!*row) return fail(ErrorCode::not_found, std::format("{}: no row for {}", path_, sql));
  return statement->column_int64(0);
}

std::int64_t Database::last_insert_rowid() const {
  return sqlite3_last_insert_rowid(handle_);
}

std::int64_t Database::changes() const {
  return sqlite3_changes64(handle_);
}

bool Database::in_transaction() const {
  return sqlite3_get_autocommit(handle_) == 0;
}

Result<CheckpointCounts> Database::checkpoint(Checkpoint mode) {
  CheckpointCounts counts;
  int wanted =
      mode == Checkpoint::truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
  if (scratch_) scratch_->checkpoint_begins();
  int result = sqlite3_wal_checkpoint_v2(handle_, "main", wanted, &counts.wal_pages,
                                         &counts.checkpointed_pages);
  if (result != SQLITE_OK) return std::unexpected(error_of(handle_, path_, result));
  if (scratch_ && counts.checkpointed_pages == counts.wal_pages) {
    if (auto whole = scratch_->checkpoint_is_whole(counts.wal_pages); !whole) {
      return std::unexpected(std::move(whole.error()));
    }
  }
  return counts;
}

Result<> Database::integrity_check() {
  auto statement = prepare("PRAGMA integrity_check(1)");
  if (!statement) return std::unexpected(std::move(statement.error()));
  auto row = statement->step();
  if (!row) return std::unexpected(std::move(row.error()));
  if (!*row) return fail(ErrorCode::corrupt, path_ + ": integrity check says nothing");
  std::string_view finding = statement->column_text(0);
  if (finding == "ok") return {};
  return fail(ErrorCode::corrupt, std::format("{}: {}", path_, finding));
}

Result<bool> Database::quick_check(std::size_t steps_max) {
  constexpr int steps_per_call = 1000;
  struct Budget {
    std::size_t left;
    static int spend(void* data) {
      auto* budget = static_cast<Budget*>(data);
      budget->left -= std::min<std::size_t>(budget->left, steps_per_call);
      return budget->left == 0;
    }
  } budget{steps_max};
  auto statement = prepare("PRAGMA quick_check(1)");
  if (!statement) return std::unexpected(std::move(statement.error()));
  sqlite3_progress_handler(handle_, steps_per_call, Budget::spend, &budget);
  auto row = statement->step();
  sqlite3_progress_handler(handle_, 0, nullptr, nullptr);
  if (!row && row.error() == ErrorCode::cancelled) return false;
  if (!row) return std::unexpected(std::move(row.error()));
  const std::string_view finding = *row ? statement->column_text(0) : "the check says nothing";
  if (finding == "ok") return true;
  return fail(ErrorCode::corrupt, std::format("{}: {}", path_, finding));
}

Result<> Database::vacuum_some(int pages_max) {
  return execute(std::format("PRAGMA incremental_vacuum({})", pages_max));
}

Result<std::int64_t> Database::size_bytes() {
  return query_int64("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size");
}

Result<std::int64_t> Database::free_bytes() {
  return query_int64(
      "SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size");
}

Result<Transaction> Transaction::begin(Database& database) {
  CHECK(!database.in_transaction(), "transactions do not nest");
  if (auto begun = database.run_kept(database.begin_, "BEGIN IMMEDIATE"); !begun) {
    return std::unexpected(std::move(begun.error()));
  }
  return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
  // Some errors roll back on their own; a second ROLLBACK would only repeat that.
  if (database_ != nullptr && database_->in_transaction()) (void)database_->execute("ROLLBACK");
}

Result<> Transaction::commit() {
  CHECK(database_ != nullptr, "committed twice");
  Database* database = std::exchange(database_, nullptr);
  auto done = database->run_kept(database->commit_, "COMMIT");
  if (!done && database->in_transaction()) (void)database->execute("ROLLBACK");
  return done;
}

}  // namespace tripod::sqlite
