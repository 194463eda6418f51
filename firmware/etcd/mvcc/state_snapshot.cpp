#include "firmware/etcd/mvcc/state_snapshot.h"

#include "platform/base/check.h"

namespace tripod::etcd {

Result<SnapshotReader> SnapshotReader::open(const std::string& path, const std::string& vfs) {
  sqlite::Options options;
  options.vfs = vfs;
  options.synchronous = sqlite::Synchronous::normal;
  options.cache_kib = 64;
  options.checkpoint_wal_pages = 0;
  options.exclusive = false;
  options.create = false;
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
