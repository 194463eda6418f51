#include "firmware/etcd/api/codec.h"
#include "platform/async/sync.h"
#include "tools/etcd-load/loads.h"

namespace tripod::load {
namespace {

constexpr std::int64_t lease_seconds = 600;

/// How many of `count` things line `line` of `lines` has.
int share_of(int count, std::size_t line, std::size_t lines) {
  const auto total = static_cast<std::size_t>(count);
  return static_cast<int>(total / lines + (line < total % lines ? 1 : 0));
}

struct Delivery {
  std::vector<MonotonicTime> written;  // per event, when its put was sent
};

/// Reads until each of `watches` watches has been told of every event.
Task<void> follow(Bench* bench, Delivery* delivery, grpc::ClientCall* call, int watches) {
  const std::size_t events = delivery->written.size();
  std::size_t missing = events * static_cast<std::size_t>(watches);
  while (missing > 0) {
    auto message = co_await call->read();
    if (!message || !*message) {
      if (!(co_await async::current_scope()).cancelled()) {
        bench->report.failed("Watch", message ? grpc::Status{} : message.error());
      }
      co_return;
    }
    auto response = etcd::decode<etcd::WatchResponse>(**message, etcd::response_limits);
    if (!response || response->canceled || response->events.size() > missing) {
      bench->report.failed("Watch", {grpc::StatusCode::internal, "not what a watch answers"});
      co_return;
    }
    const MonotonicTime now = bench->now();
    for (const etcd::Event& event : response->events) {
      const std::string_view digits = std::string_view(event.kv.key).substr(6);
      std::size_t sequence = events;
      std::from_chars(digits.data(), digits.data() + digits.size(), sequence);
      if (sequence >= events) {
        bench->report.failed("Watch", {grpc::StatusCode::internal, "an event of another key"});
        co_return;
      }
      bench->report.answered(now - delivery->written[sequence]);
    }
    missing -= response->events.size();
  }
}

Task<void> write_events(Bench* bench, Delivery* delivery) {
  etcd::PutRequest request;
  request.value.assign(static_cast<std::size_t>(bench->options.value_bytes), 'w');
  for (std::size_t sequence = 0; sequence < delivery->written.size(); ++sequence) {
    request.key = std::format("bench/{:08}", sequence);
    delivery->written[sequence] = bench->now();
    auto answer =
        co_await bench->fleet.channel(0).unary("/etcdserverpb.KV/Put", etcd::encode(request));
    if (!answer) {
      bench->report.failed("Put", answer.error());
      co_return;
    }
  }
}

Task<grpc::Reply<std::vector<etcd::LeaseId>>> grant(Bench* bench, std::size_t line, int count) {
  std::vector<etcd::LeaseId> leases;
  for (int i = 0; i < count; ++i) {
    auto answer = co_await bench->fleet.channel(line).unary(
        "/etcdserverpb.Lease/LeaseGrant",
        etcd::encode(etcd::LeaseGrantRequest{.ttl = lease_seconds}));
    if (!answer) co_return std::unexpected(std::move(answer.error()));
    auto granted = etcd::decode<etcd::LeaseGrantResponse>(*answer);
    if (!granted || granted->id == 0) {
      co_return grpc::reject(grpc::StatusCode::internal, "no lease in the answer");
    }
    leases.push_back(granted->id);
  }
  co_return leases;
}

struct Holder {
  std::unique_ptr<grpc::ClientCall> call;
  std::vector<etcd::LeaseId> leases;
};

Task<void> prepare_holder(Bench* bench, std::size_t line, Holder* holder) {
  const int count = share_of(bench->options.clients, line, bench->fleet.size());
  auto leases = co_await grant(bench, line, count);
  if (!leases) {
    bench->report.failed("LeaseGrant", leases.error());
    co_return;
  }
  holder->leases = std::move(*leases);
  auto call = co_await bench->fleet.channel(line).open("/etcdserverpb.Lease/LeaseKeepAlive");
  if (!call) {
    bench->report.failed("LeaseKeepAlive", call.error());
    co_return;
  }
  holder->call = std::move(*call);
}

/// All leases of one stream at once, again and again; true while everything is well.
Task<bool> renew_all(Bench* bench, Holder* holder) {
  const MonotonicTime start = bench->now();
  for (const etcd::LeaseId lease : holder->leases) {
    auto written =
        co_await holder->call->write(etcd::encode(etcd::LeaseKeepAliveRequest{.id = lease}));
    if (written) continue;
    bench->report.failed("LeaseKeepAlive", written.error());
    co_return false;
  }
  for (std::size_t i = 0; i < holder->leases.size(); ++i) {
    auto message = co_await holder->call->read();
    if (!message || !*message) {
      bench->report.failed("LeaseKeepAlive", message ? grpc::Status{} : message.error());
      co_return false;
    }
    auto kept = etcd::decode<etcd::LeaseKeepAliveResponse>(**message);
    if (!kept || kept->ttl <= 0) {
      bench->report.failed("LeaseKeepAlive", {grpc::StatusCode::not_found, "the lease is gone"});
      co_return false;
    }
    bench->report.answered(bench->now() - start);
  }
  co_return true;
}

Task<void> renew(Bench* bench, Holder* holder, MonotonicTime deadline) {
  const auto operations = static_cast<std::uint64_t>(bench->options.operations);
  while (operations > 0 ? bench->report.operations() < operations : bench->now() < deadline) {
    if (!co_await renew_all(bench, holder)) co_return;
  }
}

}  // namespace

Task<void> count_events(Bench* bench, grpc::ClientCall* call) {
  while (true) {
    auto message = co_await call->read();
    if (!message || !*message) {
      if (!(co_await async::current_scope()).cancelled()) {
        bench->report.failed("Watch", message ? grpc::Status{} : message.error());
      }
      co_return;
    }
    auto response = etcd::decode<etcd::WatchResponse>(**message, etcd::response_limits);
    if (!response || response->canceled) {
      bench->report.failed("Watch", {grpc::StatusCode::internal, "the watch was cancelled"});
      co_return;
    }
    for (std::size_t i = 0; i < response->events.size(); ++i) bench->report.event();
  }
}

Task<void> run_watch(Bench* bench) {
  const Options& options = bench->options;
  Delivery delivery;
  delivery.written.resize(
      static_cast<std::size_t>(options.operations > 0 ? options.operations : 1000));
  std::vector<std::unique_ptr<grpc::ClientCall>> calls;
  for (std::size_t line = 0; line < bench->fleet.size(); ++line) {
    auto call =
        co_await open_watches(bench, line, share_of(options.clients, line, bench->fleet.size()));
    if (!call) {
      bench->report.failed("Watch", call.error());
      co_return;
    }
    calls.push_back(std::move(*call));
  }
  bench->begin();
  Scope scope(bench->world.executor);
  auto& parent = co_await async::current_scope();
  {
    async::detail::CancelLink link(parent, scope);
    for (std::size_t line = 0; line < calls.size(); ++line) {
      scope.spawn(follow(bench, &delivery, calls[line].get(),
                         share_of(options.clients, line, calls.size())));
    }
    scope.spawn(write_events(bench, &delivery));
    co_await scope.join();
  }
  bench->report.end(bench->now());
}

Task<void> run_lease(Bench* bench) {
  std::vector<Holder> holders(bench->fleet.size());
  Scope scope(bench->world.executor);
  auto& parent = co_await async::current_scope();
  async::detail::CancelLink link(parent, scope);
  for (std::size_t line = 0; line < holders.size(); ++line) {
    scope.spawn(prepare_holder(bench, line, &holders[line]));
  }
  co_await scope.join();
  if (bench->report.errors() > 0) co_return;
  bench->begin();
  const MonotonicTime deadline = bench->now() + std::chrono::seconds(bench->options.seconds);
  for (Holder& holder : holders) scope.spawn(renew(bench, &holder, deadline));
  co_await scope.join();
  bench->report.end(bench->now());
}

}  // namespace tripod::load
