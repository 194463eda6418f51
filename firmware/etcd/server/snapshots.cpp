#include "firmware/etcd/server/snapshots.h"

#include "platform/async/sync.h"

namespace tripod::etcd {

SnapshotStream::SnapshotStream(os::World world, SnapshotReader reader)
    : world_(world), facts_(reader.facts()), size_bytes_(reader.size_bytes()) {
  reader_ = std::make_shared<std::optional<SnapshotReader>>(std::move(reader));
}

Task<Result<Bytes>> SnapshotStream::read(std::size_t bytes_max) {
  co_return co_await async::run_on(
      world_.storage_lane, [reader = reader_, bytes_max]() -> Result<Bytes> {
        if (!*reader) return fail(ErrorCode::closed, "the state is being replaced");
        return (*reader)->read(bytes_max);
      });
}

Snapshots::Snapshots(const os::World& world, std::string path, Commit commit)
    : world_(world), path_(std::move(path)), commit_(std::move(commit)) {}

Task<Result<std::shared_ptr<SnapshotStream>>> Snapshots::open() {
  if (open_streams().size() >= streams_max) {
    co_return fail(ErrorCode::exhausted, "too many snapshots are being read");
  }
  if (held_) co_return fail(ErrorCode::unavailable, "the state is being replaced");
  auto reader = co_await async::run_on(world_.storage_lane, [path = path_, scratch = commit_()] {
    return SnapshotReader::open(path, scratch);
  });
  if (!reader) co_return std::unexpected(reader.error());
  if (held_) co_return fail(ErrorCode::unavailable, "the state is being replaced");
  auto stream = std::make_shared<SnapshotStream>(world_, std::move(*reader));
  streams_.push_back(stream);
  co_return stream;
}

Task<void> Snapshots::hold() {
  held_ = true;
  // Opening is a job of the lane, too: one that was under way is done, and dropped, before this
  // one.
  const auto streams = open_streams();
  co_await async::run_on(world_.storage_lane, [&streams] {
    for (const auto& stream : streams) stream->close();
    return true;
  });
}

std::vector<std::shared_ptr<SnapshotStream>> Snapshots::open_streams() {
  std::erase_if(streams_, [](const auto& stream) { return stream.expired(); });
  std::vector<std::shared_ptr<SnapshotStream>> open;
  for (const auto& stream : streams_) open.push_back(stream.lock());
  return open;
}

}  // namespace tripod::etcd
