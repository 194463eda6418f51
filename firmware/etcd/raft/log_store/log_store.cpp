#include "firmware/etcd/raft/log_store/log_store.h"

#include <format>

#include "firmware/etcd/raft/codec.h"
#include "firmware/etcd/raft/log_store/log_rows.h"
#include "firmware/etcd/raft/log_store/log_segments.h"
#include "platform/base/check.h"
#include "platform/sqlite/database.h"

namespace tripod::etcd::raft {
namespace {

/// One table of entries, and none up to base_index in it: one segment of today's.
constexpr std::int64_t format_without_segments = 1;
constexpr int transaction_kib = 4 * 1024;     // of many clients, and a cut of the log beside it
constexpr int page_bytes = 1024;              // small: a lone entry dirties one or two
constexpr int frame_bytes = page_bytes + 24;  // of a WAL

constexpr const char* schema =
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE hard_state(id INTEGER PRIMARY KEY CHECK(id = 0), term INTEGER NOT NULL,"
    " vote INTEGER NOT NULL, commit_index INTEGER NOT NULL, sum INTEGER NOT NULL);";

std::int64_t sum_of(const HardState& state) {
  return sum_of_row({state.term.value, state.vote.value, state.commit.value});
}

}  // namespace

struct LogStore::Implementation {
  Implementation(sqlite::Database opened, std::size_t segment_bytes)
      : database(std::move(opened)), segments(database, segment_bytes) {}

  sqlite::Database database;
  LogSegments segments;
  sqlite::Statement write_hard_state;
  sqlite::Statement write_meta;
  Recovered recovered;
  LogIndex base;
  LogIndex last;
  std::int64_t format = newest_format;
  std::int64_t format_found = newest_format;
  bool failed = false;

  std::unexpected<Error> corrupt(std::string_view what) const {
    return fail(ErrorCode::corrupt, std::format("{}: {}", database.path(), what));
  }

  Result<> prepare() {
    struct Wanted {
      sqlite::Statement* statement;
      const char* sql;
    };
    const Wanted all[] = {
        {&write_hard_state, "REPLACE INTO hard_state VALUES(0, ?, ?, ?, ?)"},
        {&write_meta, "REPLACE INTO meta VALUES(?, ?)"},
    };
    for (const Wanted& wanted : all) {
      auto prepared = database.prepare(wanted.sql);
      if (!prepared) return std::unexpected(std::move(prepared.error()));
      *wanted.statement = std::move(*prepared);
    }
    return {};
  }

  Result<> set_meta(std::string_view name, std::int64_t value) {
    write_meta.bind_text(1, name);
    write_meta.bind(2, value);
    return write_meta.run();
  }

  Result<> set_conf_state(const ConfState& state) {
    Bytes bytes = encode(state);
    write_meta.bind_text(1, "conf_state");
    write_meta.bind_blob(2, bytes);
    return write_meta.run();
  }

  Result<> begin_with(const ConfState& configuration) {
    CHECK(!configuration.voters.empty());
    auto transaction = sqlite::Transaction::begin(database);
    if (!transaction) return std::unexpected(std::move(transaction.error()));
    if (auto done = set_conf_state(configuration); !done) return done;
    if (auto done = transaction->commit(); !done) return done;
    recovered.founded = true;
    recovered.conf_state = configuration;
    return {};
  }

  /// `not_found` when there is no such row.
  Result<std::int64_t> meta(std::string_view name) {
    return database.query_int64(std::format("SELECT value FROM meta WHERE name = '{}'", name));
  }

  Result<> create(Identity identity, bool keep) {
    if (keep) format = format_found = format_without_segments;
    auto transaction = sqlite::Transaction::begin(database);
    if (!transaction) return std::unexpected(std::move(transaction.error()));
    if (auto done = database.execute(schema); !done) return done;
    if (auto done = segments.create(); !done) return done;
    if (auto done = prepare(); !done) return done;
    const std::pair<std::string_view, std::int64_t> rows[] = {
        {"format", format},
        {"cluster", stored(identity.cluster)},
        {"member", stored(identity.member.value)},
        {"base_index", 0},
        {"base_term", 0},
    };
    for (const auto& [name, value] : rows) {
      if (auto done = set_meta(name, value); !done) return done;
    }
    return transaction->commit();
  }

  Result<> verify(Identity identity) {
    auto refuse = [&](std::string why) {
      return fail(ErrorCode::invalid, std::format("{}: {}", database.path(), why));
    };
    auto found = meta("format");
    if (!found) {
      if (found.error() == ErrorCode::corrupt || found.error() == ErrorCode::io) {
        return std::unexpected(std::move(found.error()));
      }
      return refuse("this is not the Raft log of a tripod member");
    }
    if (*found != newest_format && *found != format_without_segments) {
      return refuse(std::format("format {} is unknown, this release writes format {}", *found,
                                newest_format));
    }
    format_found = *found;
    auto cluster = meta("cluster");
    auto member = meta("member");
    if (!cluster || !member) return corrupt("identity is missing");
    if (loaded(*cluster) != identity.cluster) {
      return refuse(
          std::format("the data belong to cluster {:x}, the configuration is of cluster {:x}",
                      loaded(*cluster), identity.cluster));
    }
    if (loaded(*member) != identity.member.value) {
      auto told = [&](NodeId id) {
        std::string name = identity.name ? identity.name(id) : "";
        return std::format("{:x}{}", id.value, name.empty() ? "" : " (" + name + ")");
      };
      return refuse(std::format("the data belong to member {}, this is member {}",
                                told({loaded(*member)}), told(identity.member)));
    }
    return {};
  }

  /// A file of an earlier format becomes one of this, once everything in it was understood, or
  /// stays what it is.
  Result<> settle_format(bool keep) {
    if (format_found == newest_format) return {};
    if (!keep) return set_meta("format", newest_format);
    format = format_found;
    segments.keep_to_one_table();
    return {};
  }

  Result<> recover_meta() {
    auto base_index = meta("base_index");
    auto base_term = meta("base_term");
    if (!base_index || !base_term) return corrupt("base is missing");
    recovered.base = {{loaded(*base_index)}, {loaded(*base_term)}};
    auto conf = database.prepare("SELECT value FROM meta WHERE name = 'conf_state'");
    if (!conf) return std::unexpected(std::move(conf.error()));
    auto row = conf->step();
    if (!row) return std::unexpected(std::move(row.error()));
    if (*row) {
      auto state = decode_conf_state(conf->column_blob(0), Limits{});
      if (!state || state->voters.empty()) return corrupt("malformed configuration");
      recovered.conf_state = std::move(*state);
      recovered.founded = true;
    }
    auto hard = database.prepare("SELECT term, vote, commit_index, sum FROM hard_state");
    if (!hard) return std::unexpected(std::move(hard.error()));
    row = hard->step();
    if (!row) return std::unexpected(std::move(row.error()));
    if (!*row) return {};
    recovered.hard_state = {{loaded(hard->column_int64(0))},
                            {loaded(hard->column_int64(1))},
                            {loaded(hard->column_int64(2))}};
    if (hard->column_int64(3) != sum_of(recovered.hard_state)) {
      return corrupt("the hard state does not match its checksum");
    }
    return {};
  }

  Result<> recover_entries() {
    recovered.last = recovered.base.index;
    Term term = recovered.base.term;
    auto visited = segments.visit(
        recovered.base.index.next(), {INT64_MAX}, [&](const Entry& entry) -> Result<bool> {
          if (entry.index != recovered.last.next() || entry.term < term) {
            return corrupt(std::format("entry {} of term {} follows entry {} of term {}",
                                       entry.index.value, entry.term.value, recovered.last.value,
                                       term.value));
          }
          if (recovered.term_runs.empty() || entry.term != term) {
            recovered.term_runs.push_back({entry.index, entry.term});
          }
          term = entry.term;
          recovered.last = entry.index;
          if (entry.type == EntryType::conf_change && entry.index > recovered.conf_state.index) {
            recovered.conf_changes.push_back(entry.index);
          }
          return true;
        });
    if (!visited) return visited;
    const HardState& hard = recovered.hard_state;
    if (term > hard.term)
      return corrupt(std::format("entries of term {} beyond term {}", term.value, hard.term.value));
    if (hard.commit > recovered.last) return corrupt("committed entries are missing");
    return {};
  }

  Result<> write_entries(const std::vector<Entry>& entries) {
    if (entries.empty()) return {};
    LogIndex first = entries.front().index;
    CHECK(first > base && first <= last.next(),
          std::format("entry {} for a log from {} to {}", first.value, base.next().value,
                      last.value));
    if (first <= last) {
      if (auto done = segments.cut(first); !done) return done;
    }
    LogIndex index = first;
    for (const Entry& entry : entries) {
      CHECK(entry.index == index);
      if (auto done = segments.append(entry); !done) return done;
      last = index;
      index = index.next();
    }
    return {};
  }

  Result<> set_base(LogPosition position) {
    base = position.index;
    if (auto done = set_meta("base_index", stored(position.index.value)); !done) return done;
    return set_meta("base_term", stored(position.term.value));
  }

  Result<> compact(LogIndex index) {
    if (index <= base) return {};
    CHECK(index <= last);
    std::optional<Term> term;
    auto visited = segments.visit(index, index, [&](const Entry& entry) -> Result<bool> {
      term = entry.term;
      return true;
    });
    if (!visited) return visited;
    if (!term) return corrupt(std::format("entry {} is missing", index.value));
    if (auto done = segments.release(index); !done) return done;
    return set_base({index, *term});
  }

  Result<> commit(const PersistBatch& batch) {
    auto transaction = sqlite::Transaction::begin(database);
    if (!transaction) return std::unexpected(std::move(transaction.error()));
    if (auto done = write(batch); !done) return done;
    return transaction->commit();
  }

  Result<> write(const PersistBatch& batch) {
    if (batch.reset) {
      if (auto done = segments.clear(); !done) return done;
      if (auto done = set_base(*batch.reset); !done) return done;
      last = batch.reset->index;
    }
    if (auto done = write_entries(batch.entries); !done) return done;
    if (batch.hard_state) {
      const HardState& state = *batch.hard_state;
      CHECK(state.commit <= last, "a commit index beyond the log");
      write_hard_state.bind(1, stored(state.term.value));
      write_hard_state.bind(2, stored(state.vote.value));
      write_hard_state.bind(3, stored(state.commit.value));
      write_hard_state.bind(4, sum_of(state));
      if (auto done = write_hard_state.run(); !done) return done;
    }
    if (batch.conf_state) {
      if (auto done = set_conf_state(*batch.conf_state); !done) return done;
    }
    if (batch.compact) return compact(*batch.compact);
    return {};
  }
};

LogStore::LogStore(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}
LogStore::LogStore(LogStore&&) noexcept = default;
LogStore& LogStore::operator=(LogStore&&) noexcept = default;
LogStore::~LogStore() = default;

namespace {

/// One connection, so that a second process is refused. A checkpoint costs two syncs and writes
/// each page that changed once more, so it comes rarely: pages of emptied segments have been used
/// again by then, several times under load. The WAL keeps its blocks: writing over them leaves the
/// file system nothing to log.
Result<sqlite::Database> open_database(const std::string& path, const std::string& vfs,
                                       const LogStoreOptions& options, bool only_looks) {
  auto database =
      sqlite::Database::open(path, {.vfs = vfs,
                                    .synchronous = sqlite::Synchronous::full,
                                    .page_size_bytes = page_bytes,
                                    .cache_kib = 256,
                                    .transaction_kib = transaction_kib,
                                    .checkpoint_wal_pages = options.wal_pages,
                                    .wal_kept_bytes = std::int64_t{frame_bytes} * options.wal_pages,
                                    .log = true,
                                    .checkpoint_on_close = !only_looks,
                                    .exclusive = true});
  if (!database && database.error() == ErrorCode::unavailable) {
    return fail(ErrorCode::unavailable, std::format("{}: another process uses this file", path));
  }
  return database;
}

}  // namespace

Result<std::optional<Identity>> LogStore::owner(const std::string& path, const std::string& vfs) {
  auto database = open_database(path, vfs, {}, true);
  if (!database) return std::unexpected(std::move(database.error()));
  auto tables = database->query_int64("SELECT count(*) FROM sqlite_schema");
  if (!tables) return std::unexpected(std::move(tables.error()));
  if (*tables == 0) return std::nullopt;
  Implementation self(std::move(*database), 0);
  auto founded = self.database.query_int64("SELECT 1 FROM meta WHERE name = 'conf_state'");
  if (!founded && founded.error() == ErrorCode::not_found) return std::nullopt;
  auto cluster = self.meta("cluster");
  auto member = self.meta("member");
  // What is wrong with it is said by open().
  if (!founded || !cluster || !member) return std::nullopt;
  return Identity{.cluster = loaded(*cluster), .member = {loaded(*member)}};
}

Result<LogStore> LogStore::open(const std::string& path, const std::string& vfs, Identity identity,
                                const LogStoreOptions& options) {
  CHECK(identity.member != nobody);
  auto database = open_database(path, vfs, options, false);
  if (!database) return std::unexpected(std::move(database.error()));
  auto implementation =
      std::make_unique<Implementation>(std::move(*database), options.segment_bytes);
  Implementation& self = *implementation;
  auto tables = self.database.query_int64("SELECT count(*) FROM sqlite_schema");
  if (!tables) return std::unexpected(std::move(tables.error()));
  Result<> done = *tables == 0 ? self.create(identity, options.keep_format) : self.verify(identity);
  if (done && *tables != 0) done = self.prepare();
  if (done) done = self.segments.open();
  if (done) done = self.recover_meta();
  if (done) done = self.recover_entries();
  if (done) done = self.settle_format(options.keep_format);
  if (!done) return std::unexpected(std::move(done.error()));
  self.base = self.recovered.base.index;
  self.last = self.recovered.last;
  return LogStore(std::move(implementation));
}

const Recovered& LogStore::recovered() const {
  return implementation_->recovered;
}

std::int64_t LogStore::format() const {
  return implementation_->format;
}
std::int64_t LogStore::format_found() const {
  return implementation_->format_found;
}

Result<> LogStore::found(const ConfState& founding) {
  CHECK(!implementation_->recovered.founded);
  return implementation_->begin_with(founding);
}

Result<> LogStore::replace_configuration(const ConfState& configuration) {
  Recovered& recovered = implementation_->recovered;
  CHECK(recovered.founded && configuration.index >= recovered.conf_state.index);
  std::erase_if(recovered.conf_changes,
                [&](LogIndex index) { return index <= configuration.index; });
  return implementation_->begin_with(configuration);
}

Result<> LogStore::append(const PersistBatch& batch) {
  Implementation& self = *implementation_;
  if (self.failed) return fail(ErrorCode::io, self.database.path() + ": an earlier write failed");
  auto done = self.commit(batch);
  self.failed = !done;
  return done;
}

Result<std::vector<Entry>> LogStore::read(LogIndex first, LogIndex last, std::size_t bytes_max) {
  Implementation& self = *implementation_;
  std::vector<Entry> entries;
  std::size_t bytes = 0;
  // What is compacted may still be there.
  auto visited = self.segments.visit(std::max(first, self.base.next()), last,
                                     [&](Entry entry) -> Result<bool> {
                                       bytes += entry.size_bytes();
                                       if (!entries.empty() && bytes > bytes_max) return false;
                                       entries.push_back(std::move(entry));
                                       return true;
                                     });
  if (!visited) return std::unexpected(std::move(visited.error()));
  return entries;
}

Result<std::int64_t> LogStore::size_bytes() {
  return implementation_->database.size_bytes();
}
Result<std::int64_t> LogStore::free_bytes() {
  return implementation_->database.free_bytes();
}

}  // namespace tripod::etcd::raft
