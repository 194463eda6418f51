// What only the leader can answer, because lease times and how far the others are is in its memory
// alone: keepalives, the time left, promotions. Other members pass such requests on: one byte of
// kind, then the request as protobuf; the answer is a byte of gRPC code and the response or text.
#include "firmware/etcd/api/codec.h"
#include "firmware/etcd/mvcc/authorize.h"
#include "firmware/etcd/server/core.h"
#include "platform/async/sync.h"

namespace tripod::etcd {
namespace {

constexpr char kind_keep_alive = 1;
constexpr char kind_time_to_live = 2;
constexpr char kind_promote = 3;
constexpr Duration retry_pause = Milliseconds(50);
constexpr Duration lease_interval = Milliseconds(500);

Bytes pack(const grpc::Reply<Bytes>& reply) {
  if (reply) return Bytes(1, '\0') + *reply;
  return Bytes(1, static_cast<char>(reply.error().code)) + reply.error().message;
}

}  // namespace

grpc::Reply<Bytes> unpack_answer(BytesView bytes) {
  if (bytes.empty()) return reject(outcome::leader_changed);
  const auto code = static_cast<std::uint8_t>(bytes[0]);
  if (code == 0) return Bytes(bytes.substr(1));
  return grpc::reject(code <= 16 ? static_cast<grpc::StatusCode>(code) : grpc::StatusCode::unknown,
                      std::string(bytes.substr(1)));
}

namespace {

template <typename Response>
grpc::Reply<Response> decode_answer(grpc::Reply<Bytes> answer) {
  if (!answer) return std::unexpected(std::move(answer.error()));
  auto response = decode<Response>(*answer, response_limits);
  if (!response) return grpc::reject(grpc::StatusCode::internal, response.error().message);
  return std::move(*response);
}

}  // namespace

Task<Bytes> Member::Implementation::on_request(MemberId, Bytes request) {
  if (request.starts_with(kind_hash)) co_return pack(co_await answer_hash(std::move(request)));
  co_return pack(co_await answer_as_leader(std::move(request)));
}

Bytes Member::Implementation::promotion_question(const MemberPromoteRequest& request) {
  return Bytes(1, kind_promote) + encode(request);
}

/// Asks whoever leads, again while nobody does, until patience ends.
Task<grpc::Reply<Bytes>> Member::Implementation::ask_leader(Bytes request) {
  const MonotonicTime deadline = world.clock.now() + request_patience(options);
  while (!stopping) {
    if (leader() == plan.self) {
      auto answer = co_await answer_as_leader(request);
      if (answer || !outcome::not_leader.is(answer.error())) co_return answer;
    } else if (leader() != 0) {
      auto answer = co_await async::with_timeout(world.clock, deadline - world.clock.now(),
                                                 transport->call(leader(), request));
      if (answer) {
        auto reply = unpack_answer(*answer);
        if (reply || !outcome::not_leader.is(reply.error())) co_return reply;
      }
    }
    if (world.clock.now() + retry_pause >= deadline) co_return reject(outcome::timeout);
    if (auto slept = co_await async::sleep_for(world.clock, retry_pause); !slept) {
      co_return std::unexpected(grpc::Status::from_error(slept.error()));
    }
  }
  co_return reject(outcome::stopped);
}

Task<grpc::Reply<Bytes>> Member::Implementation::answer_as_leader(Bytes request) {
  if (stopping || request.empty() || !store->leases().primary())
    co_return reject(outcome::not_leader);
  // What was granted and acknowledged anywhere is committed, and counts.
  auto caught_up = co_await reads->wait_applied(replica->raft().committed());
  if (!caught_up) co_return std::unexpected(caught_up.error());
  const BytesView body = BytesView(request).substr(1);
  if (request[0] == kind_keep_alive) {
    auto keep_alive = decode<LeaseKeepAliveRequest>(body);
    if (keep_alive) co_return co_await renew(*keep_alive);
  } else if (request[0] == kind_time_to_live) {
    auto query = decode<LeaseTimeToLiveRequest>(body);
    if (query) co_return co_await time_to_live(*query);
  } else if (request[0] == kind_promote) {
    auto promotion = decode<MemberPromoteRequest>(body);
    if (promotion) co_return co_await promote_as_leader(*promotion);
  }
  co_return grpc::reject(grpc::StatusCode::unimplemented, "unknown request between members");
}

Task<grpc::Reply<Bytes>> Member::Implementation::renew(LeaseKeepAliveRequest request) {
  LeaseKeepAliveResponse response{.id = request.id};
  response.header.revision = store->space().revision();
  for (;;) {
    if (stopping || !store->leases().primary()) co_return reject(outcome::not_leader);
    const Lease* lease = store->leases().find(request.id);
    if (lease == nullptr) break;
    if (store->leases().renew(request.id, world.clock.now())) {
      response.ttl = lease->ttl_seconds;
      break;
    }
    // It ran out and is being revoked: the answer is certain only once that is done.
    if (auto slept = co_await async::sleep_for(world.clock, retry_pause); !slept) {
      co_return std::unexpected(grpc::Status::from_error(slept.error()));
    }
  }
  co_return encode(response);
}

Task<grpc::Reply<Bytes>> Member::Implementation::time_to_live(LeaseTimeToLiveRequest request) {
  LeaseTimeToLiveResponse response{.id = request.id, .ttl = -1};
  response.header.revision = store->space().revision();
  if (!store->leases().primary()) co_return reject(outcome::not_leader);
  if (const Lease* lease = store->leases().find(request.id)) {
    const Duration left = store->leases().remaining(request.id, world.clock.now());
    response.ttl = std::chrono::duration_cast<std::chrono::seconds>(left).count();
    response.granted_ttl = lease->ttl_seconds;
    if (request.keys) response.keys.assign(lease->keys.begin(), lease->keys.end());
  }
  co_return encode(response);
}

void Member::Implementation::expire_leases() {
  const MonotonicTime now = world.clock.now();
  const bool late = last_lease_round && now - *last_lease_round > lease_interval + held_for_long;
  last_lease_round = now;
  lease_timer = world.clock.call_at(now + lease_interval, [this] { expire_leases(); });
  store->auth().tokens().expire(now);
  if (!store->leases().primary()) return;
  // Renewals that came while this process stood still are not read yet; a round later they are.
  leases_spared = late && !leases_spared;
  if (leases_spared) store->leases().spare(now, now + lease_interval);
  std::vector<LeaseId> expired;
  store->leases().expire(world.clock.now(), expired);
  for (const LeaseId id : expired) scope.spawn(revoke_expired(id));
}

Task<void> Member::Implementation::revoke_expired(LeaseId id) {
  auto reply = co_await proposals->propose(LeaseExpiry{.id = id, .term = leadership.term.value});
  if (reply) {
    metrics
        .counter("etcd_debugging_server_lease_expired_total", "The total number of expired leases.")
        .add();
  }
}

/// Tells the others this member's name and client URLs, when they do not know them.
Task<void> Member::Implementation::publish_attributes() {
  const MemberAttributes mine{plan.self, options.name, options.advertise_client_urls};
  while (!stopping) {
    const MemberInfo* known = store->members().find(plan.self);
    if (known != nullptr && known->name == mine.name && known->client_urls == mine.client_urls) {
      co_return;
    }
    // One that joins has to learn first that it is in the list.
    if (leader() != 0 && known != nullptr) co_await proposals->propose(mine);
    if (!co_await async::sleep_for(world.clock, Milliseconds(200))) co_return;
  }
}

Task<grpc::Reply<LeaseKeepAliveResponse>> Member::lease_keep_alive(LeaseKeepAliveRequest request,
                                                                   Credentials who) {
  const Store& store = *implementation_->store;
  auto caller = co_await implementation_->identify(std::move(who));
  if (!caller) co_return std::unexpected(std::move(caller.error()));
  if (*caller && store.auth().enabled()) {
    if (!(*caller)->auth_revision) co_return reject(outcome::user_empty);
    auto refused = may_write_lease(store.auth(), store.leases(), **caller, request.id);
    if (refused) co_return reject(*refused);
  }
  // Taken before the question: whoever sees a later revision knows that the lease may be gone.
  const Revision revision = implementation_->store->space().revision();
  auto reply = decode_answer<LeaseKeepAliveResponse>(
      co_await implementation_->ask_leader(Bytes(1, kind_keep_alive) + encode(request)));
  if (reply) {
    reply->header = {.revision = revision};
    fill(reply->header);
  }
  co_return reply;
}

Task<grpc::Reply<LeaseTimeToLiveResponse>> Member::lease_time_to_live(
    LeaseTimeToLiveRequest request, Credentials who) {
  auto allowed = co_await require_user(who);
  if (!allowed) co_return std::unexpected(std::move(allowed.error()));
  const Store& store = *implementation_->store;
  const std::uint64_t auth_revision = store.auth().revision();
  if (request.keys) {
    auto caller = co_await implementation_->identify(std::move(who));
    if (!caller) co_return std::unexpected(std::move(caller.error()));
    if (*caller) {
      auto refused = may_read_lease(store.auth(), store.leases(), **caller, request.id);
      if (refused) co_return reject(*refused);
    }
  }
  auto reply = decode_answer<LeaseTimeToLiveResponse>(
      co_await implementation_->ask_leader(Bytes(1, kind_time_to_live) + encode(request)));
  if (request.keys && store.auth().enabled() && auth_revision != store.auth().revision()) {
    co_return reject(outcome::auth_old_revision);
  }
  if (reply) fill(reply->header);
  co_return reply;
}

}  // namespace tripod::etcd
