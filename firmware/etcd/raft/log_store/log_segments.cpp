#include "firmware/etcd/raft/log_store/log_segments.h"

#include <algorithm>
#include <format>

#include "firmware/etcd/raft/log_store/log_rows.h"
#include "platform/base/check.h"

namespace tripod::etcd::raft {
namespace {

/// The first has the name of format 1, which had no other.
std::string name_of(std::size_t table) {
  return table == 0 ? "entries" : std::format("entries_{}", table);
}

std::int64_t sum_of(const Entry& entry) {
  return sum_of_row({entry.index.value, entry.term.value, static_cast<std::uint64_t>(entry.type)},
                    entry.view());
}

}  // namespace

Result<> LogSegments::make_table(std::size_t table) {
  return database_->execute(
      std::format("CREATE TABLE {}(idx INTEGER PRIMARY KEY, term INTEGER NOT NULL,"
                  " type INTEGER NOT NULL, sum INTEGER NOT NULL, data BLOB NOT NULL)",
                  name_of(table)));
}

Result<> LogSegments::create() {
  if (auto made = make_table(0); !made) return made;
  tables_ = 1;
  return {};
}

Result<> LogSegments::open() {
  auto tables = database_->query_int64(
      "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name GLOB 'entries*'");
  if (!tables) return std::unexpected(std::move(tables.error()));
  tables_ = static_cast<std::size_t>(*tables);
  used_.clear();
  for (std::size_t table = 0; table < tables_; ++table) {
    auto ends = database_->prepare(std::format(
        "SELECT (SELECT min(idx) FROM {0}), (SELECT max(idx) FROM {0})", name_of(table)));
    if (!ends) return std::unexpected(std::move(ends.error()));
    auto row = ends->step();
    if (!row) return std::unexpected(std::move(row.error()));
    if (ends->column_is_null(0)) continue;
    used_.push_back({.table = table,
                     .first = {loaded(ends->column_int64(0))},
                     .last = {loaded(ends->column_int64(1))},
                     .bytes = 0});
  }
  std::ranges::sort(used_, {}, &Segment::first);
  if (used_.empty()) return {};
  auto bytes = database_->query_int64(std::format(
      "SELECT sum(length(data) + {}) FROM {}", Entry{}.size_bytes(), name_of(used_.back().table)));
  if (!bytes) return std::unexpected(std::move(bytes.error()));
  used_.back().bytes = static_cast<std::size_t>(*bytes);
  return {};
}

Result<> LogSegments::prepare(Prepared& prepared, std::size_t table, std::string_view before,
                              std::string_view behind) {
  if (prepared.statement && prepared.table == table) return {};
  auto statement = database_->prepare(std::format("{} {} {}", before, name_of(table), behind));
  if (!statement) return std::unexpected(std::move(statement.error()));
  prepared = {std::move(*statement), table};
  return {};
}

Result<> LogSegments::begin_segment(LogIndex first) {
  std::size_t table = 0;
  while (std::ranges::contains(used_, table, &Segment::table)) ++table;
  if (table == tables_) {
    if (auto made = make_table(table); !made) return made;
    ++tables_;
  }
  used_.push_back({.table = table, .first = first, .last = first.previous(), .bytes = 0});
  return {};
}

Result<> LogSegments::append(const Entry& entry) {
  CHECK(used_.empty() || entry.index == used_.back().last.next(), "entries come in order");
  if (used_.empty() || (used_.back().bytes >= segment_bytes_ && !one_table_)) {
    if (auto begun = begin_segment(entry.index); !begun) return begun;
  }
  Segment& tail = used_.back();
  if (auto ready = prepare(insert_, tail.table, "INSERT INTO",
                           "(idx, term, type, sum, data) VALUES(?, ?, ?, ?, ?)");
      !ready) {
    return ready;
  }
  sqlite::Statement& insert = insert_.statement;
  insert.bind(1, stored(entry.index.value));
  insert.bind(2, stored(entry.term.value));
  insert.bind(3, static_cast<std::int64_t>(entry.type));
  insert.bind(4, sum_of(entry));
  insert.bind_blob(5, entry.view());
  if (auto done = insert.run(); !done) return done;
  tail.last = entry.index;
  tail.bytes += entry.size_bytes();
  return {};
}

Result<> LogSegments::empty_table(std::size_t table) {
  return database_->execute("DELETE FROM " + name_of(table));
}

Result<> LogSegments::cut(LogIndex first) {
  while (!used_.empty() && used_.back().first >= first) {
    if (auto done = empty_table(used_.back().table); !done) return done;
    used_.pop_back();
  }
  CHECK(used_.empty() || used_.back().first < first);
  if (used_.empty() || used_.back().last < first) return {};
  used_.back().last = first.previous();
  return database_->execute(std::format("DELETE FROM {} WHERE idx >= {}",
                                        name_of(used_.back().table), stored(first.value)));
}

Result<> LogSegments::delete_up_to(LogIndex index) {
  if (used_.empty() || used_.front().first > index) return {};
  if (auto done = database_->execute(
          std::format("DELETE FROM {} WHERE idx <= {}", name_of(0), stored(index.value)));
      !done) {
    return done;
  }
  used_.front().first = index.next();
  if (used_.front().last <= index) used_.clear();
  return {};
}

Result<> LogSegments::release(LogIndex index) {
  if (one_table_) return delete_up_to(index);
  while (!used_.empty() && used_.front().last <= index) {
    if (used_.size() == 1 && used_.front().bytes < segment_bytes_)
      break;  // it goes on being filled
    if (auto done = empty_table(used_.front().table); !done) return done;
    used_.erase(used_.begin());
  }
  return {};
}

Result<> LogSegments::clear() {
  for (const Segment& segment : used_) {
    if (auto done = empty_table(segment.table); !done) return done;
  }
  used_.clear();
  return {};
}

Result<Entry> LogSegments::entry_of_row(const sqlite::Statement& row) const {
  auto corrupt = [&](const Entry& entry, std::string_view what) {
    return fail(ErrorCode::corrupt,
                std::format("{}: entry {}{}", database_->path(), entry.index.value, what));
  };
  Entry entry;
  entry.index = {loaded(row.column_int64(0))};
  entry.term = {loaded(row.column_int64(1))};
  const std::int64_t type = row.column_int64(2);
  if (type != 0 && type != 1) return corrupt(entry, std::format(": type {}", type));
  entry.type = static_cast<EntryType>(type);
  const BytesView data = row.column_blob(4);
  if (!data.empty()) entry.data = share(Bytes(data));
  if (row.column_int64(3) != sum_of(entry)) return corrupt(entry, " does not match its checksum");
  return entry;
}

Result<> LogSegments::visit(LogIndex first, LogIndex last,
                            const std::function<Result<bool>(Entry)>& visit) {
  for (const Segment& segment : used_) {
    if (segment.last < first || segment.first > last) continue;
    if (auto ready = prepare(select_, segment.table, "SELECT idx, term, type, sum, data FROM",
                             "WHERE idx BETWEEN ? AND ? ORDER BY idx");
        !ready) {
      return ready;
    }
    sqlite::Statement& select = select_.statement;
    select.bind(1, stored(first.value));
    select.bind(2, stored(last.value));
    for (;;) {
      auto row = select.step();
      if (!row) return std::unexpected(std::move(row.error()));
      if (!*row) break;
      auto entry = entry_of_row(select);
      Result<bool> more =
          entry ? visit(std::move(*entry)) : std::unexpected(std::move(entry.error()));
      if (more && *more) continue;
      select.reset();
      return more ? Result<>() : std::unexpected(std::move(more.error()));
    }
    select.reset();
  }
  return {};
}

}  // namespace tripod::etcd::raft
