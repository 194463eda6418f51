#include "firmware/etcd/mvcc/state_db/state_snapshot.h"

#include <format>

#include "firmware/etcd/api/codec.h"
#include "platform/base/check.h"

namespace tripod::etcd {
namespace {

constexpr const char* index_fact = "snapshot_index";
constexpr const char* term_fact = "snapshot_term";

/// Of a state of an earlier release some are missing, and 0.
Result<SnapshotFacts> read_facts(sqlite::Database& database) {
  SnapshotFacts facts;
  const std::pair<const char*, std::uint64_t*> numbers[] = {
      {"cluster_id", &facts.cluster},
      {"applied_index", &facts.index},
      {"applied_term", &facts.term},
      {"members_index", &facts.members_index},
  };
  for (const auto& [name, value] : numbers) {
    auto number =
        database.query_int64(std::format("SELECT value FROM fact WHERE name = '{}'", name));
    if (!number && number.error() != ErrorCode::not_found) return std::unexpected(number.error());
    *value = static_cast<std::uint64_t>(number.value_or(0));
  }
  auto members = database.prepare(
      "SELECT value FROM fact WHERE name >= 'member/' AND name < 'member0' ORDER BY name");
  if (!members) return std::unexpected(members.error());
  for (;;) {
    auto row = members->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return facts;
    auto member = decode<MemberInfo>(members->column_blob(0));
    if (!member) return std::unexpected(member.error());
    (member->is_learner ? facts.learners : facts.voters).push_back(member->id);
  }
}

/// A connection beside others, which takes no checkpoint by itself.
sqlite::Options existing(const std::string& vfs) {
  sqlite::Options options;
  options.vfs = vfs;
  options.synchronous = sqlite::Synchronous::normal;
  options.cache_kib = 64;
  options.checkpoint_wal_pages = 0;
  options.exclusive = false;
  options.create = false;
  return options;
}

}  // namespace

Result<SnapshotReader> SnapshotReader::open(const std::string& path,
                                            std::shared_ptr<sqlite::ScratchWal> scratch) {
  sqlite::Options options = existing("");
  options.scratch = std::move(scratch);
  return open(path, options);
}

Result<SnapshotReader> SnapshotReader::open(const std::string& path, const std::string& vfs) {
  return open(path, existing(vfs));
}

Result<SnapshotReader> SnapshotReader::open(const std::string& path,
                                            const sqlite::Options& options) {
  auto database = sqlite::Database::open(path, options);
  if (!database) return std::unexpected(database.error());
  SnapshotReader reader;
  reader.database_ = std::make_unique<sqlite::Database>(std::move(*database));
  // The first read takes the snapshot; what is committed later is not seen.
  if (auto begun = reader.database_->execute("BEGIN"); !begun) {
    return std::unexpected(begun.error());
  }
  auto size = reader.database_->size_bytes();
  if (!size) return std::unexpected(size.error());
  reader.size_bytes_ = static_cast<std::uint64_t>(*size) + Sha256::digest_bytes;
  auto facts = read_facts(*reader.database_);
  if (!facts) return std::unexpected(facts.error());
  reader.facts_ = std::move(*facts);
  auto pages = reader.database_->prepare("SELECT data FROM sqlite_dbpage ORDER BY pgno");
  if (!pages) return std::unexpected(pages.error());
  reader.pages_ = std::move(*pages);
  return reader;
}

Result<Bytes> SnapshotReader::read(std::size_t bytes_max) {
  const std::uint64_t content = size_bytes_ - Sha256::digest_bytes;
  if (read_bytes_ == size_bytes_) return Bytes();
  if (read_bytes_ == content) {
    read_bytes_ = size_bytes_;
    pages_.reset();
    return hash_.finish();
  }
  Bytes piece;
  std::size_t page = 0;
  while (read_bytes_ < content && piece.size() + page <= bytes_max) {
    auto row = pages_.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return fail(ErrorCode::corrupt, database_->path() + ": pages are missing");
    const BytesView data = pages_.column_blob(0);
    page = data.size();
    CHECK(page > 0);
    piece += data;
    read_bytes_ += page;
  }
  hash_.update(piece);
  return piece;
}

Result<> remove_side_files(os::Storage& storage, const std::string& path) {
  for (const std::string_view suffix : sqlite::side_file_suffixes) {
    const std::string side = path + std::string(suffix);
    if (!storage.exists(side)) continue;
    if (auto removed = storage.remove_file(side); !removed) return removed;
  }
  return {};
}

Result<> put_in_place(os::Storage& storage, const std::string& adopted, const std::string& path) {
  // A WAL must not meet a file that is not its own.
  if (auto removed = remove_side_files(storage, path); !removed) return removed;
  return storage.rename_file(adopted, path);
}

namespace {

/// Errors of the disk are the sender's business, not this member's end: its own state is elsewhere.
Result<> check_and_mark(const std::string& path, const std::string& vfs,
                        const SnapshotFacts& wanted, MemberId self) {
  auto database = sqlite::Database::open(path, existing(vfs));
  if (!database) return std::unexpected(database.error());
  auto facts = read_facts(*database);
  if (!facts) return std::unexpected(facts.error());
  if (facts->cluster != wanted.cluster || facts->index != wanted.index ||
      facts->term != wanted.term || facts->members_index != wanted.members_index) {
    return fail(ErrorCode::corrupt, "the snapshot is not what its sender said it was");
  }
  auto marked = database->execute(std::format(
      "INSERT OR REPLACE INTO fact(name, value) VALUES('member_id', {}), ('{}', {}), ('{}', {})",
      static_cast<std::int64_t>(self), index_fact, static_cast<std::int64_t>(wanted.index),
      term_fact, static_cast<std::int64_t>(wanted.term)));
  if (!marked) return marked;
  auto counts = database->checkpoint(sqlite::Checkpoint::truncate);
  if (!counts) return std::unexpected(counts.error());
  if (counts->checkpointed_pages < counts->wal_pages) {
    return fail(ErrorCode::unavailable, path + ": somebody reads it");
  }
  return {};
}

}  // namespace

Result<> adopt_snapshot(os::Storage& storage, const std::string& path, const SnapshotFacts& wanted,
                        MemberId self) {
  if (auto marked = check_and_mark(path, storage.vfs_name(), wanted, self); !marked) return marked;
  return remove_side_files(storage, path);
}

std::optional<SnapshotFacts> installed_snapshot(StateDb& db) {
  const auto index = db.number(index_fact);
  const auto term = db.number(term_fact);
  if (!index || !term) return std::nullopt;
  SnapshotFacts facts{
      .cluster = static_cast<ClusterId>(db.number("cluster_id").value_or(0)),
      .index = static_cast<std::uint64_t>(*index),
      .term = static_cast<std::uint64_t>(*term),
      .members_index = static_cast<std::uint64_t>(db.number("members_index").value_or(0)),
      .voters = {},
      .learners = {}};
  db.each_blob("member/", [&](std::string_view, BytesView value) {
    auto member = decode<MemberInfo>(value);
    if (member) (member->is_learner ? facts.learners : facts.voters).push_back(member->id);
  });
  return facts;
}

Result<SnapshotWriter> SnapshotWriter::create(os::Storage& storage, const std::string& path) {
  auto file = storage.create_file(path, 0600);
  if (!file) return std::unexpected(file.error());
  SnapshotWriter writer;
  writer.file_ = std::move(*file);
  return writer;
}

Result<> SnapshotWriter::append(BytesView pages) {
  hash_.update(pages);
  return file_->append(pages);
}

Result<> SnapshotWriter::finish(BytesView digest) {
  if (hash_.finish() != digest) {
    return fail(ErrorCode::corrupt, "the snapshot does not match its digest");
  }
  return file_->sync();
}

}  // namespace tripod::etcd
