#include "firmware/etcd/backup/import.h"

#include <algorithm>
#include <format>
#include <map>
#include <set>

#include "firmware/etcd/api/errors.h"
#include "firmware/etcd/mvcc/state_db/state_db.h"
#include "firmware/etcd/mvcc/state_db/state_snapshot.h"

namespace tripod::etcd::backup {
namespace {

constexpr std::int64_t page_keys_first = 100;
constexpr std::int64_t page_keys_max = 5'000;
constexpr std::size_t page_bytes_wanted = 2 * 1024 * 1024;
constexpr std::size_t commit_bytes = 8 * 1024 * 1024;
constexpr std::int64_t ended_lease_seconds = 60;
constexpr int attempts_max = 3;

std::unexpected<Error> refused(std::string_view doing, const grpc::Status& status) {
  const bool compacted = outcome::compacted.is(status);
  return fail(compacted ? ErrorCode::conflict : ErrorCode::unavailable,
              std::format("{}: {}", doing, status.message));
}

/// One reading of the source, at one revision, into one state.db.
class Import {
 public:
  Import(RemoteClient& source, StateDb& state) : source_(source), state_(state) {}

  Task<Result<ImportReport>> run() {
    if (auto read = co_await read_keys(); !read) co_return std::unexpected(read.error());
    if (auto read = co_await read_leases(); !read) co_return std::unexpected(read.error());
    // What came before was not read, and nobody can ask for it.
    state_.set_number("compact_revision", report_.revision);
    state_.set_number("compacted_to", report_.revision);
    state_.commit();
    co_return report_;
  }

 private:
  Task<Result<>> read_keys() {
    RangeRequest request{.key = Bytes(1, '\0'), .range_end = Bytes(1, '\0')};
    request.limit = page_keys_first;
    for (;;) {
      auto page = co_await source_.range(request);
      if (!page) co_return refused("reading keys", page.error());
      if (report_.revision == 0) request.revision = report_.revision = page->header.revision;
      std::size_t bytes = 0;
      for (const KeyValue& kv : page->kvs) {
        if (auto kept = keep(kv); !kept) co_return kept;
        bytes += kv.key.size() + kv.value.size() + 32;
      }
      if (state_.uncommitted_bytes() >= commit_bytes) state_.commit();
      if (!page->more || page->kvs.empty()) co_return Result<>{};
      request.key = page->kvs.back().key + '\0';
      // The same revision on any member is the same data.
      request.serializable = false;
      const std::size_t each = bytes / page->kvs.size() + 1;
      request.limit = std::clamp<std::int64_t>(static_cast<std::int64_t>(page_bytes_wanted / each),
                                               1, page_keys_max);
    }
  }

  /// Keys of one revision get places in it in the order of their names.
  Result<> keep(const KeyValue& kv) {
    const std::int64_t place = places_[kv.mod_revision]++;
    if (kv.mod_revision <= 0 || kv.mod_revision > revision_max || place > sub_revision_max) {
      return fail(
          ErrorCode::too_large,
          std::format("key \"{}\" has revision {} as {} other keys do; expected at most {} and {}",
                      kv.key, kv.mod_revision, place, revision_max, sub_revision_max));
    }
    state_.insert(row_id(kv.mod_revision, place, false),
                  {kv.key, kv.create_revision, kv.version, kv.lease, kv.value});
    if (kv.lease != 0) wanted_leases_.insert(kv.lease);
    ++report_.keys;
    return {};
  }

  Task<Result<>> read_leases() {
    auto listed = co_await source_.lease_leases();
    if (!listed) co_return refused("reading leases", listed.error());
    for (const LeaseStatus& lease : listed->leases) wanted_leases_.insert(lease.id);
    for (const LeaseId id : wanted_leases_) {
      auto lease = co_await source_.lease_time_to_live({.id = id});
      if (!lease) co_return refused("reading leases", lease.error());
      const bool alive = lease->ttl > 0 && lease->granted_ttl > 0;
      state_.put_lease(id, alive ? lease->granted_ttl : ended_lease_seconds);
      ++report_.leases;
    }
    co_return Result<>{};
  }

  RemoteClient& source_;
  StateDb& state_;
  ImportReport report_;
  std::map<Revision, std::int64_t> places_;
  std::set<LeaseId> wanted_leases_;
};

Result<> remove_database(os::Storage& storage, const std::string& path) {
  if (storage.exists(path)) {
    if (auto removed = storage.remove_file(path); !removed) return removed;
  }
  return remove_side_files(storage, path);
}

/// The state.db at `from` as a snapshot file.
Result<> write_file(os::Storage& storage, const std::string& from, const std::string& file) {
  auto reader = SnapshotReader::open(from, storage.vfs_name());
  if (!reader) return std::unexpected(reader.error());
  const std::string part = file + ".part";
  auto writer = storage.create_file(part, 0600);
  if (!writer) return std::unexpected(writer.error());
  for (;;) {
    auto piece = reader->read(256 * 1024);
    if (!piece) return std::unexpected(piece.error());
    if (piece->empty()) break;
    if (auto written = (*writer)->append(*piece); !written) return written;
  }
  if (auto synced = (*writer)->sync(); !synced) return synced;
  return storage.rename_file(part, file);
}

}  // namespace

Task<Result<ImportReport>> import_snapshot(os::World world, RemoteClient* source,
                                           std::string file) {
  if (world.storage.exists(file)) {
    co_return fail(ErrorCode::exists, file + " is there already; expected a new name");
  }
  const std::string beside = file + ".state";
  Result<ImportReport> report = ImportReport{};
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    if (auto gone = remove_database(world.storage, beside); !gone) {
      co_return std::unexpected(gone.error());
    }
    auto state = StateDb::open(beside, world.storage.vfs_name());
    if (!state) co_return std::unexpected(state.error());
    Import reading(*source, *state);
    report = co_await reading.run();
    if (report || report.error() != ErrorCode::conflict) break;
  }
  Result<> written;
  if (report) written = write_file(world.storage, beside, file);
  auto gone = remove_database(world.storage, beside);
  if (!written) co_return std::unexpected(written.error());
  if (!gone) co_return std::unexpected(gone.error());
  co_return report;
}

}  // namespace tripod::etcd::backup
