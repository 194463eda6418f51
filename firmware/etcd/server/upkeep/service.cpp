// The Maintenance service, what takes its time: hashes, which read the whole state in slices, and
// defragmentation; the downgrade that a cluster can be asked for; and compaction without being
// asked.
#include <charconv>
#include <format>

#include "firmware/etcd/api/codec.h"
#include "firmware/etcd/mvcc/key_space/key_space_hash.h"
#include "firmware/etcd/server/core.h"
#include "firmware/etcd/server/upkeep/auto_compaction.h"
#include "firmware/etcd/version.h"
#include "platform/async/sync.h"

namespace tripod::etcd {
namespace {

constexpr std::size_t hash_rows_per_slice = 500;
constexpr Duration hash_pause = Milliseconds(1);

/// What one member alone knows, or may be further with than another.
bool is_own_fact(std::string_view name) {
  return name == "applied_index" || name == "compacted_to" || name == "member_id" ||
         name.starts_with("once/");
}

struct Version {
  unsigned major = 0;
  unsigned minor = 0;
  friend bool operator==(const Version&, const Version&) = default;
};

/// "3.5" or "3.5.1".
std::optional<Version> parse_version(std::string_view text) {
  std::array<unsigned, 3> parts{};
  std::size_t count = 0;
  while (count < parts.size()) {
    const char* end = text.data() + text.size();
    const auto [next, error] = std::from_chars(text.data(), end, parts[count]);
    if (error != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(next - text.data()));
    ++count;
    if (text.empty()) break;
    if (text[0] != '.') return std::nullopt;
    text.remove_prefix(1);
  }
  if (!text.empty() || count < 2) return std::nullopt;
  return Version{parts[0], parts[1]};
}

}  // namespace

Task<grpc::Reply<KeySpaceHash>> Member::Implementation::hash_in_slices(Revision revision) {
  auto hasher = KeySpaceHasher::begin(store->space(), revision);
  if (!hasher) co_return std::unexpected(std::move(hasher.error()));
  for (;;) {
    if (stopping) co_return reject(outcome::stopped);
    auto done = hasher->step(hash_rows_per_slice);
    if (!done) co_return std::unexpected(std::move(done.error()));
    if (*done) co_return hasher->value();
    if (auto slept = co_await async::sleep_for(world.clock, hash_pause); !slept) {
      co_return std::unexpected(grpc::Status::from_error(slept.error()));
    }
  }
}

Task<grpc::Reply<HashKVResponse>> Member::hash_kv(HashKVRequest request) {
  auto hash = co_await implementation_->hash_in_slices(request.revision);
  if (!hash) co_return std::unexpected(std::move(hash.error()));
  HashKVResponse response{.hash = hash->hash,
                          .compact_revision = hash->compact_revision,
                          .hash_revision = hash->revision};
  fill(response.header);
  co_return response;
}

Task<grpc::Reply<HashResponse>> Member::hash_state(HashRequest) {
  auto keys = co_await implementation_->hash_in_slices(0);
  if (!keys) co_return std::unexpected(std::move(keys.error()));
  Crc32c crc;
  crc.add(std::format("{:08x}", keys->hash));
  StateDb& db = implementation_->store->db();
  db.each_lease(
      [&](LeaseId id, std::int64_t ttl) { crc.add(std::format("lease {} {}", id, ttl)); });
  db.each_blob("", [&](std::string_view name, BytesView value) {
    if (!is_own_fact(name)) crc.add(std::format("fact {} {}", name, value));
  });
  HashResponse response{.hash = crc.value()};
  fill(response.header);
  co_return response;
}

Task<grpc::Reply<DefragmentResponse>> Member::defragment(DefragmentRequest) {
  Implementation& member = *implementation_;
  if (member.stopping) co_return reject(outcome::stopped);
  const std::int64_t before = member.store->db().size_bytes();
  member.log.info("defragmenting", LogField("size-bytes", before),
                  LogField("free-bytes", member.store->db().free_bytes()));
  async::Oneshot<void> compacted;
  member.housekeeper->when_compacted([compacted]() mutable { compacted.set(); });
  if (auto waited = co_await compacted; !waited) {
    co_return std::unexpected(grpc::Status::from_error(waited.error()));
  }
  async::Oneshot<void> done;
  member.housekeeper->defragment([done]() mutable { done.set(); });
  if (auto waited = co_await done; !waited) {
    co_return std::unexpected(grpc::Status::from_error(waited.error()));
  }
  member.log.info("defragmented", LogField("size-bytes", member.store->db().size_bytes()),
                  LogField("size-bytes-before", before));
  DefragmentResponse response;
  fill(response.header);
  co_return response;
}

// --- compaction ---

Task<void> Member::Implementation::compact_automatically() {
  AutoCompaction schedule(options.auto_compaction, world.clock.now());
  while (!stopping) {
    schedule.note(store->space().revision());
    if (!co_await async::sleep_for(world.clock, schedule.interval())) co_return;
    const bool leading = leadership.role == raft::Role::leader;
    const auto due = schedule.due(world.clock.now(), store->space().revision(), leading);
    if (!due) continue;
    auto reply = co_await write<CompactionResponse>(CompactionRequest{.revision = *due},
                                                    Credentials::board());
    if (reply || outcome::compacted.is(reply.error())) {
      schedule.compacted(world.clock.now(), *due);
      log.info("compacted by auto-compaction-retention", LogField("revision", *due));
    } else {
      log.warn("auto compaction failed, trying again", LogField("revision", *due),
               LogField("why", reply.error().message));
    }
  }
}

// --- downgrade ---

Task<grpc::Reply<void>> Member::Implementation::check_downgrade(DowngradeAction action,
                                                                std::string version) {
  auto confirmed = co_await reads->confirm();
  if (!confirmed) co_return std::unexpected(std::move(confirmed.error()));
  if (action == DowngradeAction::cancel) {
    if (!store->downgrade().enabled) co_return reject(outcome::no_inflight_downgrade);
    co_return grpc::Reply<void>{};
  }
  Version allowed = *parse_version(cluster_version);
  --allowed.minor;
  if (parse_version(version) != allowed)
    co_return reject(outcome::invalid_downgrade_target_version);
  if (store->downgrade().enabled) co_return reject(outcome::downgrade_in_process);
  co_return grpc::Reply<void>{};
}

Task<grpc::Reply<DowngradeResponse>> Member::downgrade(DowngradeRequest request) {
  if (request.action > DowngradeAction::cancel) co_return reject(outcome::unknown_method);
  if (request.action != DowngradeAction::cancel) {
    const auto target = parse_version(request.version);
    if (!target) co_return reject(outcome::wrong_downgrade_version_format);
    request.version = std::format("{}.{}.0", target->major, target->minor);
  }
  auto good = co_await implementation_->check_downgrade(request.action, request.version);
  if (!good) co_return std::unexpected(std::move(good.error()));
  DowngradeResponse response;
  if (request.action != DowngradeAction::validate) {
    auto reply = co_await implementation_->write<DowngradeResponse>(std::move(request),
                                                                    Credentials::board());
    if (!reply) co_return reply;
    response = std::move(*reply);
  }
  const Version now = *parse_version(cluster_version);
  response.version = std::format("{}.{}", now.major, now.minor);
  fill(response.header);
  co_return response;
}

}  // namespace tripod::etcd
