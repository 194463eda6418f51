#include "firmware/etcd/mvcc/state_db/state_db.h"

#include <format>
#include <limits>

#include "platform/base/check.h"

namespace tripod::etcd {
namespace {

/// In SQLite's own place for it, so that it goes along when the file is sent to another member.
constexpr std::int64_t format_version = 1;
// Scratch that is written over is hardly ever written to the disk, unlike what is cut and grows.
constexpr std::int64_t wal_kept_bytes = 16 * 1024 * 1024;

/// Stepping over that many rows costs about as much as finding one from the root.
constexpr std::size_t rows_skipped_max = 4;

constexpr std::string_view schema = R"(
  BEGIN IMMEDIATE;
  CREATE TABLE IF NOT EXISTS kv(
    id INTEGER PRIMARY KEY, key BLOB NOT NULL, created INTEGER NOT NULL, version INTEGER NOT NULL,
    lease INTEGER NOT NULL, value BLOB);
  CREATE TABLE IF NOT EXISTS lease(id INTEGER PRIMARY KEY, ttl INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS fact(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
  PRAGMA user_version = 1;
  COMMIT;
)";

/// Makes the tables in a file that has no format yet. Before formats were counted, files were as
/// they are in the first.
Result<> prepare_format(sqlite::Database& database) {
  auto format = database.query_int64("PRAGMA user_version");
  if (!format) return std::unexpected(format.error());
  if (*format == format_version) return {};
  if (*format == 0) return database.execute(std::string(schema));
  return fail(ErrorCode::invalid,
              std::format("{}: format {} is unknown, this release writes format {}",
                          database.path(), *format, format_version));
}

template <typename T>
T must(Result<T> result, const StateDb&) {
  if (!result) fatal(std::format("etcd state: {}", result.error().to_string()));
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace

Result<StateDb> StateDb::open(const std::string& path, const std::string& vfs) {
  sqlite::Options options;
  options.vfs = vfs;
  const bool in_memory = path == ":memory:";
  if (!in_memory) {
    auto scratch = sqlite::ScratchWal::open(path, vfs);
    if (!scratch) return std::unexpected(scratch.error());
    options.scratch = std::move(*scratch);
  }
  options.synchronous = sqlite::Synchronous::normal;
  options.cache_kib = 2048;
  options.wal_kept_bytes = wal_kept_bytes;
  options.checkpoint_wal_pages = 0;  // the storage lane does it
  options.exclusive = in_memory;
  options.incremental_vacuum = true;
  auto database = sqlite::Database::open(path, options);
  if (!database) return std::unexpected(database.error());
  StateDb state;
  state.scratch_ = options.scratch;
  state.database_ = std::make_unique<sqlite::Database>(std::move(*database));
  if (auto known = prepare_format(*state.database_); !known) {
    return std::unexpected(known.error());
  }
  if (auto prepared = state.prepare(); !prepared) return std::unexpected(prepared.error());
  return state;
}

Result<> StateDb::prepare() {
  const std::pair<sqlite::Statement*, std::string_view> wanted[] = {
      {&insert_, "INSERT INTO kv(id, key, created, version, lease, value) VALUES(?,?,?,?,?,?)"},
      {&erase_, "DELETE FROM kv WHERE id = ?"},
      {&read_, "SELECT id, key, created, version, lease, value FROM kv WHERE id = ?"},
      {&read_head_, "SELECT id, key, created, version, lease FROM kv WHERE id = ?"},
      {&scan_,
       "SELECT id, key, created, version, lease, value FROM kv WHERE id >= ? AND id < ? ORDER BY "
       "id LIMIT ?"},
      {&scan_heads_,
       "SELECT id, key, created, version, lease FROM kv WHERE id >= ? AND id < ? ORDER BY id"},
      {&put_lease_, "INSERT OR REPLACE INTO lease(id, ttl) VALUES(?,?)"},
      {&erase_lease_, "DELETE FROM lease WHERE id = ?"},
      {&get_fact_, "SELECT value FROM fact WHERE name = ?"},
      {&page_count_, "PRAGMA page_count"},
      {&set_fact_, "INSERT OR REPLACE INTO fact(name, value) VALUES(?,?)"},
      {&erase_fact_, "DELETE FROM fact WHERE name = ?"},
  };
  for (const auto& [statement, sql] : wanted) {
    auto prepared = database_->prepare(sql);
    if (!prepared) return std::unexpected(prepared.error());
    *statement = std::move(*prepared);
  }
  auto page_bytes = database_->query_int64("PRAGMA page_size");
  if (!page_bytes) return std::unexpected(page_bytes.error());
  page_bytes_ = *page_bytes;
  return {};
}

void StateDb::begin() {
  if (writing_) return;
  must(database_->execute("BEGIN IMMEDIATE"), *this);
  writing_ = true;
}

void StateDb::commit() {
  if (!writing_) return;
  read_.reset();  // a row still borrowed would hold an old snapshot and with it the WAL
  read_head_.reset();
  must(database_->execute("COMMIT"), *this);
  writing_ = false;
  uncommitted_bytes_ = 0;
}

Result<> StateDb::make_durable() {
  commit();
  read_.reset();
  read_head_.reset();
  auto counts = database_->checkpoint(sqlite::Checkpoint::truncate);
  if (!counts) return std::unexpected(counts.error());
  if (counts->checkpointed_pages < counts->wal_pages) {
    return fail(ErrorCode::unavailable, database_->path() + ": somebody reads it");
  }
  return {};
}

void StateDb::close() {
  for (sqlite::Statement* statement :
       {&insert_, &erase_, &read_, &read_head_, &scan_, &scan_heads_, &put_lease_, &erase_lease_,
        &get_fact_, &set_fact_, &erase_fact_, &page_count_}) {
    *statement = {};
  }
  database_.reset();
  scratch_.reset();
  writing_ = false;
  uncommitted_bytes_ = 0;
}

void StateDb::run(sqlite::Statement& statement) {
  must(statement.run(), *this);
}

void StateDb::insert(RowId id, const Row& row) {
  begin();
  insert_.bind(1, id);
  insert_.bind_blob(2, row.key);
  insert_.bind(3, row.created);
  insert_.bind(4, row.version);
  insert_.bind(5, row.lease);
  if (is_tombstone(id)) {
    insert_.bind_null(6);
  } else {
    insert_.bind_blob(6, row.value);
  }
  run(insert_);
  uncommitted_bytes_ += row.key.size() + row.value.size() + 32;
}

void StateDb::erase(RowId id) {
  begin();
  erase_.bind(1, id);
  run(erase_);
  uncommitted_bytes_ += 32;
}

Row StateDb::row_of(sqlite::Statement& statement, bool value) const {
  Row row;
  row.key = statement.column_blob(1);
  row.created = statement.column_int64(2);
  row.version = statement.column_int64(3);
  row.lease = statement.column_int64(4);
  if (value) row.value = statement.column_blob(5);
  return row;
}

Row StateDb::read(RowId id) {
  read_.reset();
  read_.bind(1, id);
  if (!must(read_.step(), *this)) fatal(std::format("etcd state: row {} is missing", id));
  return row_of(read_, true);
}

Row StateDb::read_head(RowId id) {
  read_head_.reset();
  read_head_.bind(1, id);
  if (!must(read_head_.step(), *this)) fatal(std::format("etcd state: row {} is missing", id));
  return row_of(read_head_, false);
}

void StateDb::read_rising(const std::function<std::optional<RowId>()>& next,
                          const std::function<void(const Row&)>& visit) {
  // One walk through the tree, begun anew from the root where the next row is far off.
  std::size_t steps_left = 0;
  for (std::optional<RowId> id = next(); id; id = next()) {
    bool found = false;
    while (!found && steps_left > 0 && must(scan_.step(), *this)) {
      --steps_left;
      found = scan_.column_int64(0) >= *id;
    }
    if (!found) {
      scan_.reset();
      scan_.bind(1, *id);
      scan_.bind(2, std::numeric_limits<RowId>::max());
      scan_.bind(3, std::int64_t{-1});
      found = must(scan_.step(), *this);
    }
    if (!found || scan_.column_int64(0) != *id)
      fatal(std::format("etcd state: row {} is missing", *id));
    steps_left = rows_skipped_max;
    visit(row_of(scan_, true));
  }
  scan_.reset();
}

void StateDb::scan(RowId first, RowId end, std::int64_t rows_max,
                   const std::function<bool(RowId, const Row&)>& visit) {
  scan_.reset();
  scan_.bind(1, first);
  scan_.bind(2, end);
  scan_.bind(3, rows_max);
  while (must(scan_.step(), *this)) {
    if (!visit(scan_.column_int64(0), row_of(scan_, true))) break;
  }
  scan_.reset();
}

void StateDb::scan_heads(RowId first, RowId end,
                         const std::function<bool(RowId, const Row&)>& visit) {
  scan_heads_.reset();
  scan_heads_.bind(1, first);
  scan_heads_.bind(2, end);
  while (must(scan_heads_.step(), *this)) {
    if (!visit(scan_heads_.column_int64(0), row_of(scan_heads_, false))) break;
  }
  scan_heads_.reset();
}

void StateDb::put_lease(LeaseId id, std::int64_t ttl) {
  begin();
  put_lease_.bind(1, id);
  put_lease_.bind(2, ttl);
  run(put_lease_);
}

void StateDb::erase_lease(LeaseId id) {
  begin();
  erase_lease_.bind(1, id);
  run(erase_lease_);
}

void StateDb::each_lease(const std::function<void(LeaseId, std::int64_t)>& visit) {
  auto statement = must(database_->prepare("SELECT id, ttl FROM lease ORDER BY id"), *this);
  while (must(statement.step(), *this)) visit(statement.column_int64(0), statement.column_int64(1));
}

std::optional<std::int64_t> StateDb::number(std::string_view name) {
  get_fact_.reset();
  get_fact_.bind_text(1, name);
  if (!must(get_fact_.step(), *this)) return std::nullopt;
  const std::int64_t value = get_fact_.column_int64(0);
  get_fact_.reset();
  return value;
}

void StateDb::set_number(std::string_view name, std::int64_t value) {
  begin();
  set_fact_.bind_text(1, name);
  set_fact_.bind(2, value);
  run(set_fact_);
}

std::optional<Bytes> StateDb::blob(std::string_view name) {
  get_fact_.reset();
  get_fact_.bind_text(1, name);
  if (!must(get_fact_.step(), *this)) return std::nullopt;
  Bytes value(get_fact_.column_blob(0));
  get_fact_.reset();
  return value;
}

void StateDb::set_blob(std::string_view name, BytesView value) {
  begin();
  set_fact_.bind_text(1, name);
  set_fact_.bind_blob(2, value);
  run(set_fact_);
}

void StateDb::erase_blob(std::string_view name) {
  begin();
  erase_fact_.bind_text(1, name);
  run(erase_fact_);
}

void StateDb::each_blob(std::string_view prefix,
                        const std::function<void(std::string_view, BytesView)>& visit) {
  auto statement =
      must(database_->prepare("SELECT name, value FROM fact WHERE name >= ? ORDER BY name"), *this);
  statement.bind_text(1, prefix);
  while (must(statement.step(), *this)) {
    const std::string_view name = statement.column_text(0);
    if (!name.starts_with(prefix)) break;
    visit(name, statement.column_blob(1));
  }
}

void StateDb::vacuum(int pages_max) {
  begin();
  const std::int64_t before = size_bytes();
  must(database_->vacuum_some(pages_max), *this);
  uncommitted_bytes_ += static_cast<std::size_t>(before - size_bytes());
}

std::int64_t StateDb::size_bytes() {
  must(page_count_.step(), *this);
  const std::int64_t pages = page_count_.column_int64(0);
  page_count_.reset();
  return pages * page_bytes_;
}
std::int64_t StateDb::free_bytes() {
  return must(database_->free_bytes(), *this);
}

}  // namespace tripod::etcd
