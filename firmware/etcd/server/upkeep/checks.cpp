// Whether the members hold the same data: the leader's periodic check, which raises the CORRUPT
// alarm, and the check of a member that starts (corruption.h decides). A question is kind_hash and
// a HashKVRequest, the answer a HashKVResponse whose header has the revision of who answered.
#include <format>

#include "firmware/etcd/api/codec.h"
#include "firmware/etcd/server/core.h"
#include "platform/async/sync.h"

namespace tripod::etcd {
namespace {

constexpr Duration hash_patience = std::chrono::seconds(30);
constexpr Duration connect_patience = std::chrono::seconds(3);
constexpr Duration connect_poll = Milliseconds(20);

}  // namespace

Task<grpc::Reply<Bytes>> Member::Implementation::answer_hash(Bytes request) {
  auto question = decode<HashKVRequest>(BytesView(request).substr(1));
  if (!question) co_return grpc::reject(grpc::StatusCode::internal, question.error().message);
  auto hash = co_await hash_in_slices(question->revision);
  if (!hash) co_return std::unexpected(std::move(hash.error()));
  HashKVResponse response{.hash = hash->hash,
                          .compact_revision = hash->compact_revision,
                          .hash_revision = hash->revision};
  response.header.revision = store->space().revision();
  co_return encode(response);
}

Task<void> Member::Implementation::ask_hash(MemberId peer, Revision revision,
                                            std::vector<PeerHash>* answers) {
  auto answer = co_await async::with_timeout(
      world.clock, hash_patience,
      transport->call(peer, Bytes(1, kind_hash) + encode(HashKVRequest{.revision = revision})));
  grpc::Reply<Bytes> reply = grpc::reject(grpc::StatusCode::unavailable, "no answer");
  if (answer) reply = unpack_answer(*answer);
  auto response = reply
                      ? decode<HashKVResponse>(*reply)
                      : Result<HashKVResponse>(fail(ErrorCode::unavailable, reply.error().message));
  if (!response) {
    // Compacted there, behind, or away: nothing to compare, as in etcd.
    log.info("a member gives no hash to compare with", LogField("peer", std::format("{:x}", peer)),
             LogField("revision", revision), LogField("why", response.error().message));
    co_return;
  }
  answers->push_back({peer,
                      {response->hash, response->compact_revision, response->hash_revision},
                      response->header.revision});
}

Task<std::vector<PeerHash>> Member::Implementation::ask_hashes(Revision revision) {
  std::vector<PeerHash> answers;
  for (const MemberInfo& member : store->members().list()) {
    if (member.id != plan.self) co_await ask_hash(member.id, revision, &answers);
  }
  co_return answers;
}

// --- the leader's ---

Task<grpc::Reply<void>> Member::Implementation::check_for_corruption() {
  auto first = co_await hash_in_slices(0);
  if (!first) co_return std::unexpected(std::move(first.error()));
  const std::vector<PeerHash> peers = co_await ask_hashes(first->revision);
  auto confirmed = co_await reads->confirm();
  if (!confirmed) co_return std::unexpected(std::move(confirmed.error()));
  auto second = co_await hash_in_slices(0);
  if (!second) co_return std::unexpected(std::move(second.error()));
  const std::vector<MemberId> corrupt = find_corrupt(plan.self, {*first, *second}, peers);
  for (const MemberId id : corrupt) {
    log.error("a member holds other data than the leader",
              LogField("member", std::format("{:x}", id)), LogField("revision", first->revision),
              LogField("hash", first->hash));
    raise_alarm({id, AlarmType::corrupt});
  }
  log.info("compared the data of the members", LogField("revision", first->revision),
           LogField("compared", peers.size()), LogField("corrupt", corrupt.size()));
  co_return grpc::Reply<void>{};
}

Task<void> Member::Implementation::check_periodically() {
  while (co_await async::sleep_for(world.clock, options.corrupt_check_time)) {
    if (stopping) co_return;
    if (leadership.role != raft::Role::leader) continue;
    auto checked = co_await check_for_corruption();
    if (!checked) {
      log.warn("the data of the members were not compared",
               LogField("why", checked.error().message));
    }
  }
}

// --- of a member that starts ---

Task<Result<>> Member::check_against_others() {
  Implementation& member = *implementation_;
  const MonotonicTime limit = member.world.clock.now() + connect_patience;
  while (member.transport->connected_count() + 1 < member.store->members().all().size() &&
         member.world.clock.now() < limit) {
    if (auto slept = co_await async::sleep_for(member.world.clock, connect_poll); !slept) {
      co_return slept;
    }
  }
  auto own = co_await member.hash_in_slices(0);
  if (!own) co_return fail(ErrorCode::unavailable, own.error().message);
  const std::vector<PeerHash> peers = co_await member.ask_hashes(own->revision);
  const std::vector<MemberId> different = find_different(*own, peers);
  member.log.info("compared this member's data with the others'",
                  LogField("revision", own->revision), LogField("compared", peers.size()));
  if (different.empty()) co_return Result<>{};
  std::string names;
  for (const MemberId id : different) {
    if (!names.empty()) names += ", ";
    const MemberInfo* known = member.store->members().find(id);
    names += std::format("{:x} ({})", id, known == nullptr ? "" : known->name);
  }
  co_return fail(
      ErrorCode::corrupt,
      std::format(
          "etcd: the data of member {:x} differ from those of {} at revision {}; it does not "
          "serve. Find out which is right (etcdctl endpoint hashkv --rev={}), then remove the "
          "wrong member, empty its data directory and add it anew",
          id(), names, own->revision, own->revision));
}

}  // namespace tripod::etcd
