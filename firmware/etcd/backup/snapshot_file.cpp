#include "firmware/etcd/backup/snapshot_file.h"

#include <algorithm>
#include <format>

#include "firmware/etcd/mvcc/key_space/key_space_hash.h"
#include "firmware/etcd/version.h"
#include "platform/base/sha256.h"

namespace tripod::etcd::backup {
namespace {

constexpr std::size_t piece_bytes = 256 * 1024;
constexpr std::uint64_t page_bytes_min = 512;
constexpr BytesView magic{"SQLite format 3\0", 16};

std::string hex(BytesView bytes) {
  std::string out;
  for (const char byte : bytes) out += std::format("{:02x}", static_cast<std::uint8_t>(byte));
  return out;
}

std::unexpected<Error> no_snapshot(const std::string& path, std::string_view why) {
  return fail(
      ErrorCode::invalid,
      std::format("{}: {}; expected what `tripod snapshot save`, `import` or `etcdctl snapshot "
                  "save` on tripod wrote. A snapshot of etcd itself is for etcdutl; use `tripod "
                  "snapshot import` on the running etcd",
                  path, why));
}

Result<> read_digest(os::FileReader& file, const std::string& path, Sha256& hash) {
  auto digest = file.read(Sha256::digest_bytes);
  if (!digest) return std::unexpected(digest.error());
  const Bytes found = hash.finish();
  if (*digest == found) return {};
  return fail(ErrorCode::corrupt,
              std::format("{}: expected sha256 {}, got {}", path, hex(*digest), hex(found)));
}

/// Adds every row of a query to the hash, and counts them.
Result<std::int64_t> hash_rows(sqlite::Database& state, std::string_view sql, int columns,
                               Crc32c& crc) {
  auto rows = state.prepare(sql);
  if (!rows) return std::unexpected(rows.error());
  std::int64_t count = 0;
  for (;;) {
    auto row = rows->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return count;
    ++count;
    for (int column = 0; column < columns; ++column) {
      const BytesView value = rows->column_blob(column);
      crc.add(std::format("{}:", value.size()));
      crc.add(value);
    }
  }
}

}  // namespace

Result<> read_snapshot(const Files& files, const std::string& path, HashCheck check,
                       os::FileWriter* copy) {
  auto file = files.open(path);
  if (!file) return std::unexpected(file.error());
  std::uint64_t left = (*file)->size_bytes();
  const bool has_digest = left % page_bytes_min == Sha256::digest_bytes;
  if (!has_digest && check == HashCheck::required) {
    return no_snapshot(path, "snapshot missing hash but --skip-hash-check=false");
  }
  if (has_digest) left -= Sha256::digest_bytes;
  Sha256 hash;
  bool first = true;
  while (left > 0) {
    auto piece =
        (*file)->read(static_cast<std::size_t>(std::min<std::uint64_t>(left, piece_bytes)));
    if (!piece) return std::unexpected(piece.error());
    if (piece->empty()) return no_snapshot(path, "the file became shorter");
    if (std::exchange(first, false) && !piece->starts_with(magic)) {
      return no_snapshot(path, "it does not begin as a SQLite database");
    }
    hash.update(*piece);
    if (copy != nullptr) {
      if (auto written = copy->append(*piece); !written) return written;
    }
    left -= piece->size();
  }
  if (first) return no_snapshot(path, "the file is empty");
  if (!has_digest || check == HashCheck::skipped) return {};
  return read_digest(**file, path, hash);
}

Result<Revision> newest_revision(sqlite::Database& state) {
  // The row id of the last change holds its revision in the upper bits (mvcc/state_db/revision.h).
  auto last = state.query_int64("SELECT ifnull(max(id), 0) FROM kv");
  if (!last) return last;
  auto compacted =
      state.query_int64("SELECT ifnull(max(value), 0) FROM fact WHERE name = 'compact_revision'");
  if (!compacted) return compacted;
  return std::max({Revision{1}, main_of(*last), *compacted});
}

Result<SnapshotStatus> snapshot_status(const Files& files, const std::string& path) {
  if (auto whole = read_snapshot(files, path, HashCheck::required, nullptr); !whole) {
    return std::unexpected(whole.error());
  }
  auto file = files.open(path);
  if (!file) return std::unexpected(file.error());
  SnapshotStatus status;
  status.total_size = static_cast<std::int64_t>((*file)->size_bytes());
  status.version = storage_version;
  auto state = sqlite::Database::open(path, {.vfs = files.storage.vfs_name(), .immutable = true});
  if (!state) return std::unexpected(state.error());
  auto revision = newest_revision(*state);
  if (!revision) return no_snapshot(path, revision.error().message);
  status.revision = *revision;
  Crc32c crc;
  auto keys = hash_rows(
      *state, "SELECT id, key, created, version, lease, value FROM kv ORDER BY id", 6, crc);
  if (!keys) return std::unexpected(keys.error());
  status.total_keys = *keys;
  auto leases = hash_rows(*state, "SELECT id, ttl FROM lease ORDER BY id", 2, crc);
  if (!leases) return std::unexpected(leases.error());
  auto users = hash_rows(
      *state, "SELECT name, value FROM fact WHERE name >= 'auth/' AND name < 'auth0' ORDER BY name",
      2, crc);
  if (!users) return std::unexpected(users.error());
  status.hash = crc.value();
  return status;
}

}  // namespace tripod::etcd::backup
