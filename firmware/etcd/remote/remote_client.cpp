#include "firmware/etcd/remote/remote_client.h"

#include <algorithm>

#include "firmware/etcd/api/codec.h"
#include "firmware/etcd/api/errors.h"
#include "platform/async/sync.h"

namespace tripod::etcd {
namespace {

using namespace std::chrono_literals;
using grpc::Attempt;
using grpc::Status;
using grpc::StatusCode;

constexpr Duration pause_min = 20ms;  // before an endpoint that failed lately is tried again
constexpr Duration pause_max = 500ms;
constexpr Duration election_pause = 500ms;

/// What a failed attempt says of the endpoint.
bool endpoint_failed(const Status& status) {
  return status.code == StatusCode::unavailable || status.code == StatusCode::deadline_exceeded;
}

/// The member turned the request away before it proposed anything.
bool turned_away(const Status& status) {
  return outcome::no_leader.is(status) ||
         (status.code == StatusCode::unavailable &&
          status.message == "etcdserver: rpc not supported for learner");
}

Task<Result<Attempt>> exchange(grpc::Channel* channel, std::string method, Bytes request,
                               grpc::CallOptions options) {
  auto call = co_await channel->open(std::move(method), std::move(options));
  if (!call) co_return Attempt{std::unexpected(std::move(call.error())), false};
  if (auto written = co_await (*call)->write(std::move(request)); !written) {
    co_return Attempt{std::unexpected(std::move(written.error()))};
  }
  auto answer = co_await (*call)->read();
  if (!answer) co_return Attempt{std::unexpected(std::move(answer.error())), !(*call)->refused()};
  if (!*answer) co_return Attempt{grpc::reject(StatusCode::unavailable, "the stream ended")};
  co_return Attempt{std::move(**answer)};
}

}  // namespace

RemoteClient::RemoteClient(const os::World& world, RemoteOptions options)
    : world_(world),
      options_(std::move(options)),
      endpoints_(world_, options_),
      watches_(world_, options_, endpoints_),
      scope_(world_.executor) {
  scope_.spawn(watches_.run());
}

RemoteClient::~RemoteClient() = default;

Task<void> RemoteClient::stop() {
  scope_.cancel();
  co_await scope_.join();
  co_await endpoints_.drain();
}

RemoteClient::Plan RemoteClient::reading(bool linearizable) const {
  return {.attempt_max = options_.read_timeout, .repeatable = true, .needs_leader = linearizable};
}

RemoteClient::Plan RemoteClient::writing() const {
  return {.attempt_max = options_.write_timeout};
}

Task<Attempt> RemoteClient::attempt(Endpoint* endpoint, std::string method, Bytes request,
                                    Plan plan, Duration limit) {
  grpc::CallOptions options{.timeout = limit};
  if (plan.needs_leader) options.metadata.add("hasleader", "true");
  if (!plan.streamed) {
    co_return co_await endpoint->channel.attempt(std::move(method), std::move(request),
                                                 std::move(options));
  }
  auto done = co_await async::with_timeout(
      world_.clock, limit,
      exchange(&endpoint->channel, std::move(method), std::move(request), std::move(options)));
  CHECK(done.has_value());  // exchange() reports inside the attempt
  co_return std::move(*done);
}

Task<Reply<Bytes>> RemoteClient::send(std::string method, Bytes request, Plan plan) {
  auto& scope = co_await async::current_scope();
  const MonotonicTime deadline = world_.clock.now() + options_.call_timeout;
  Duration pause = pause_min;
  while (true) {
    Endpoint& endpoint = endpoints_.pick();
    const Duration left = deadline - world_.clock.now();
    auto probe = world_.clock.call_at(world_.clock.now() + options_.probe_after, [this, &endpoint] {
      endpoint.transport.probe(options_.probe_timeout);
    });
    Attempt done = co_await attempt(&endpoint, method, request, plan,
                                    std::min<Duration>(plan.attempt_max, left));
    probe.reset();
    plan.attempt_max *= 2;  // all may be slow
    if (done.reply) {
      endpoints_.answered(endpoint);
      co_return std::move(done.reply);
    }
    Status& status = done.reply.error();
    if (scope.cancelled()) co_return std::move(done.reply);
    // Connecting fails in many ways; and a call that ran out of time is cancelled from within.
    const bool silent = status.code == StatusCode::cancelled;
    if (done.sent && !silent && !endpoint_failed(status)) {
      endpoints_.answered(endpoint);
      co_return std::move(done.reply);
    }
    // A member that can say what is wrong may soon be well: an election, mostly.
    const bool speaks = status.message.starts_with("etcdserver:");
    endpoints_.failed(endpoint, speaks ? election_pause : options_.suspicion, status);
    const bool repeat = plan.repeatable || !done.sent || turned_away(status);
    if (!repeat || world_.clock.now() + pause >= deadline) {
      if (status.code == StatusCode::cancelled) status.code = StatusCode::deadline_exceeded;
      if (!done.sent && !turned_away(status)) status.code = StatusCode::unavailable;
      co_return std::move(done.reply);
    }
    if (!endpoints_.suspect(endpoints_.pick())) continue;
    co_await async::sleep_for(world_.clock, pause);
    pause = std::min(2 * pause, pause_max);
  }
}

template <typename Response, typename Request>
Task<Reply<Response>> RemoteClient::call(std::string method, Request request, Plan plan) {
  auto bytes = co_await send("/etcdserverpb." + std::move(method), encode(request), plan);
  if (!bytes) co_return std::unexpected(std::move(bytes.error()));
  auto response = decode<Response>(*bytes, response_limits);
  if (!response) co_return grpc::reject(StatusCode::internal, response.error().message);
  co_return std::move(*response);
}

Task<Reply<RangeResponse>> RemoteClient::range(RangeRequest request) {
  const Plan plan = reading(!request.serializable);
  return call<RangeResponse>("KV/Range", std::move(request), plan);
}
Task<Reply<PutResponse>> RemoteClient::put(PutRequest request) {
  return call<PutResponse>("KV/Put", std::move(request), writing());
}
Task<Reply<DeleteRangeResponse>> RemoteClient::delete_range(DeleteRangeRequest request) {
  return call<DeleteRangeResponse>("KV/DeleteRange", std::move(request), writing());
}
Task<Reply<TxnResponse>> RemoteClient::txn(TxnRequest request) {
  return call<TxnResponse>("KV/Txn", std::move(request), writing());
}
Task<Reply<CompactionResponse>> RemoteClient::compact(CompactionRequest request) {
  return call<CompactionResponse>("KV/Compact", request, writing());
}
Task<Reply<LeaseGrantResponse>> RemoteClient::lease_grant(LeaseGrantRequest request) {
  return call<LeaseGrantResponse>("Lease/LeaseGrant", request, writing());
}
Task<Reply<LeaseRevokeResponse>> RemoteClient::lease_revoke(LeaseRevokeRequest request) {
  return call<LeaseRevokeResponse>("Lease/LeaseRevoke", request, writing());
}
Task<Reply<LeaseKeepAliveResponse>> RemoteClient::lease_keep_alive(LeaseKeepAliveRequest request) {
  // Renewing twice is renewing: it may be repeated like a read.
  Plan plan = reading(true);
  plan.streamed = true;
  return call<LeaseKeepAliveResponse>("Lease/LeaseKeepAlive", request, plan);
}
Task<Reply<LeaseLeasesResponse>> RemoteClient::lease_leases() {
  return call<LeaseLeasesResponse>("Lease/LeaseLeases", LeaseLeasesRequest{}, reading(true));
}
Task<Reply<LeaseTimeToLiveResponse>> RemoteClient::lease_time_to_live(
    LeaseTimeToLiveRequest request) {
  return call<LeaseTimeToLiveResponse>("Lease/LeaseTimeToLive", request, reading(true));
}
Task<Reply<StatusResponse>> RemoteClient::status() {
  return call<StatusResponse>("Maintenance/Status", StatusRequest{}, reading(false));
}

Task<Reply<Revision>> RemoteClient::read_revision() {
  // The header of a linearizable read carries the revision of the store at that read; counting one
  // key is the cheapest such read that etcd has.
  RangeRequest request;
  request.key = options_.prefix.empty() ? Bytes(1, '\0') : options_.prefix;
  request.count_only = true;
  Plan plan = reading(true);
  plan.attempt_max = options_.revision_timeout;
  auto response = co_await call<RangeResponse>("KV/Range", std::move(request), plan);
  if (!response) co_return std::unexpected(std::move(response.error()));
  co_return response->header.revision;
}

Task<Result<std::uint64_t>> RemoteClient::snapshot(std::function<Result<>(BytesView)> take) {
  const auto failed = [](const Status& status) {
    return fail(ErrorCode::unavailable,
                status.message.empty() ? std::string(grpc::name_of(status.code)) : status.message);
  };
  Endpoint& endpoint = endpoints_.pick();
  auto call = co_await endpoint.channel.open("/etcdserverpb.Maintenance/Snapshot");
  if (!call) co_return failed(call.error());
  if (auto asked = co_await (*call)->write(Bytes()); !asked) co_return failed(asked.error());
  (*call)->finish();
  std::uint64_t size_bytes = 0;
  for (;;) {
    auto message = co_await (*call)->read();
    if (!message) co_return failed(message.error());
    if (!*message) co_return size_bytes;
    auto piece = decode<SnapshotResponse>(**message, response_limits);
    if (!piece) co_return std::unexpected(piece.error());
    size_bytes += piece->blob.size();
    if (auto taken = take(piece->blob); !taken) co_return std::unexpected(taken.error());
  }
}

std::unique_ptr<Watch> RemoteClient::watch(WatchCreateRequest request, WatchObserver& observer) {
  return watches_.add(std::move(request), observer);
}

}  // namespace tripod::etcd
