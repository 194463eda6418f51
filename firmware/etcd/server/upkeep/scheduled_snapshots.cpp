#include "firmware/etcd/server/upkeep/scheduled_snapshots.h"

#include <algorithm>
#include <charconv>
#include <format>

#include "firmware/etcd/server/core.h"
#include "platform/async/sync.h"

namespace tripod::etcd {
namespace {

constexpr std::string_view prefix = "etcd-snapshot-";
constexpr std::string_view suffix = ".db";
constexpr std::string_view part_suffix = ".db.part";
constexpr std::size_t piece_bytes = 64 * 1024;
/// Other writes wait behind a sync, so each is a small one.
constexpr std::size_t sync_bytes = 1024 * 1024;
constexpr Duration retry_pause = std::chrono::minutes(1);

std::vector<SnapshotName> own_snapshots(const std::vector<std::string>& files,
                                        std::string_view member) {
  std::vector<SnapshotName> own;
  for (const std::string& file : files) {
    auto name = SnapshotName::parse(file);
    if (name && name->member == member) own.push_back(std::move(*name));
  }
  std::ranges::sort(own, {},
                    [](const SnapshotName& name) { return std::pair(name.revision, name.time); });
  return own;
}

}  // namespace

std::string SnapshotName::file() const {
  std::string stamp = to_rfc3339(time);  // 2026-11-25T12:00:00Z
  std::erase_if(stamp, [](char c) { return c == '-' || c == ':'; });
  return std::format("{}{}-{}-r{}{}", prefix, member, stamp, revision, suffix);
}

std::optional<SnapshotName> SnapshotName::parse(std::string_view file) {
  if (!file.starts_with(prefix) || !file.ends_with(suffix)) return std::nullopt;
  file.remove_prefix(prefix.size());
  file.remove_suffix(suffix.size());
  const std::size_t before_revision = file.rfind("-r");
  if (before_revision == std::string_view::npos) return std::nullopt;
  const std::string_view number = file.substr(before_revision + 2);
  SnapshotName name;
  const auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), name.revision);
  if (error != std::errc() || end != number.data() + number.size()) return std::nullopt;
  file = file.substr(0, before_revision);
  const std::size_t before_time = file.rfind('-');
  if (before_time == std::string_view::npos || before_time == 0) return std::nullopt;
  const std::string_view stamp = file.substr(before_time + 1);
  if (stamp.size() != 16) return std::nullopt;
  auto time = parse_rfc3339(std::format("{}-{}-{}:{}:{}", stamp.substr(0, 4), stamp.substr(4, 2),
                                        stamp.substr(6, 5), stamp.substr(11, 2), stamp.substr(13)));
  if (!time) return std::nullopt;
  name.member = file.substr(0, before_time);
  name.time = *time;
  return name;
}

std::optional<SnapshotName> newest_snapshot(const std::vector<std::string>& files,
                                            std::string_view member) {
  auto own = own_snapshots(files, member);
  if (own.empty()) return std::nullopt;
  return own.back();
}

std::vector<std::string> snapshots_to_remove(const std::vector<std::string>& files,
                                             std::string_view member, std::size_t kept) {
  std::vector<std::string> gone;
  const auto own = own_snapshots(files, member);
  for (std::size_t i = 0; i + kept < own.size(); ++i) gone.push_back(own[i].file());
  for (const std::string& file : files) {
    const std::string start = std::format("{}{}-", prefix, member);
    if (file.starts_with(start) && file.ends_with(part_suffix)) gone.push_back(file);
  }
  return gone;
}

// --- taking them ---

namespace {

/// Appends on the storage lane, with a sync now and then.
Task<Result<>> copy_stream(os::World world, std::shared_ptr<SnapshotStream> stream,
                           std::shared_ptr<os::FileWriter> file) {
  auto& scope = co_await async::current_scope();
  std::size_t unsynced = 0;
  for (;;) {
    if (scope.cancelled()) co_return fail(ErrorCode::cancelled, "the member is stopping");
    auto piece = co_await stream->read(piece_bytes);
    if (!piece) co_return std::unexpected(piece.error());
    const bool last = piece->empty();
    unsynced += piece->size();
    const bool sync = last || unsynced >= sync_bytes;
    if (sync) unsynced = 0;
    auto written = co_await async::run_on(world.storage_lane, [&piece, file, sync]() -> Result<> {
      if (auto appended = file->append(*piece); !appended) return appended;
      return sync ? file->sync() : Result<>{};
    });
    if (!written || last) co_return written;
  }
}

}  // namespace

Task<Result<std::string>> Member::Implementation::take_snapshot() {
  const std::string& folder = options.snapshot_dir;
  if (auto made = world.storage.make_directories(folder, 0700); !made) {
    co_return std::unexpected(made.error());
  }
  const SnapshotName name{options.name, world.clock.wall_now(), store->space().revision()};
  auto stream = co_await snapshots->open();
  if (!stream) co_return std::unexpected(stream.error());
  const std::string path = folder + "/" + name.file();
  auto file = world.storage.create_file(path + ".part", 0600);
  if (!file) co_return std::unexpected(file.error());
  auto copied = co_await copy_stream(world, std::move(*stream), std::shared_ptr(std::move(*file)));
  if (copied) copied = world.storage.rename_file(path + ".part", path);
  if (!copied) {
    (void)world.storage.remove_file(path + ".part");
    co_return std::unexpected(copied.error());
  }
  auto files = world.storage.list(folder);
  if (!files) co_return std::unexpected(files.error());
  for (const std::string& old :
       snapshots_to_remove(*files, options.name, options.snapshot_retention)) {
    auto gone = world.storage.remove_file(folder + "/" + old);
    if (!gone) {
      log.warn("an old snapshot stays", LogField("why", gone.error().to_string()));
    }
  }
  co_return path;
}

Task<void> Member::Implementation::take_snapshots() {
  Duration wait = options.snapshot_interval;
  if (auto files = world.storage.list(options.snapshot_dir)) {
    // A member that is restarted more often than that takes them all the same.
    if (auto newest = newest_snapshot(*files, options.name)) {
      const Duration age = world.clock.wall_now() - newest->time;
      wait = std::clamp(wait - age, Duration{}, wait);
    }
  }
  while (co_await async::sleep_for(world.clock, wait)) {
    if (stopping) co_return;
    auto taken = co_await take_snapshot();
    wait = taken ? options.snapshot_interval : std::min(options.snapshot_interval, retry_pause);
    if (taken) {
      log.info("took a snapshot", LogField("file", *taken));
    } else {
      log.error("a scheduled snapshot failed", LogField("why", taken.error().to_string()));
    }
  }
}

}  // namespace tripod::etcd
