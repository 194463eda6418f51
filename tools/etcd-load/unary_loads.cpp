#include "firmware/etcd/api/codec.h"
#include "platform/async/sync.h"
#include "tools/etcd-load/loads.h"

namespace tripod::load {
namespace {

constexpr std::string_view prefix = "bench/";
constexpr std::string_view prefix_end = "bench0";
constexpr int fillers_max = 256;
constexpr std::int64_t page_keys = 100;     // of a list in the mix
constexpr std::uint64_t writes_one_in = 5;  // operations of the mix

struct Request {
  std::string method;
  Bytes message;
  std::int64_t keys_expected = -1;  // in the answer; -1: it is no Range
};

Request put(const Bench& bench, std::uint64_t sequence) {
  etcd::PutRequest request;
  request.key = bench.key(sequence);
  request.value.assign(static_cast<std::size_t>(bench.options.value_bytes),
                       static_cast<char>('a' + sequence % 26));
  return {"/etcdserverpb.KV/Put", etcd::encode(request)};
}

Request get(const Bench& bench, std::uint64_t sequence) {
  etcd::RangeRequest request;
  request.key = bench.key(sequence * 7919);  // not in the order written
  request.serializable = bench.options.serializable;
  return {"/etcdserverpb.KV/Range", etcd::encode(request), 1};
}

Request list(const Bench& bench, std::int64_t limit) {
  etcd::RangeRequest request;
  request.key = prefix;
  request.range_end = prefix_end;
  request.limit = limit;
  request.serializable = bench.options.serializable;
  const std::int64_t keys = bench.options.keys;
  return {"/etcdserverpb.KV/Range", etcd::encode(request), limit ? std::min(limit, keys) : keys};
}

Request next(const Bench& bench, std::uint64_t sequence) {
  switch (bench.options.kind) {
    case Kind::get: return get(bench, sequence);
    case Kind::list: return list(bench, 0);
    case Kind::mix:
      return sequence % writes_one_in == 0 ? put(bench, sequence) : list(bench, page_keys);
    case Kind::put:
    case Kind::watch:
    case Kind::lease: break;
  }
  return put(bench, sequence);
}

/// What the clients of one run share.
struct Turn {
  std::uint64_t sequence = 0;
  std::uint64_t sequence_end = UINT64_MAX;
  MonotonicTime deadline = MonotonicTime::max();
};

grpc::Reply<void> check_answer(const grpc::Reply<Bytes>& answer, std::int64_t keys_expected) {
  if (!answer) return std::unexpected(answer.error());
  if (keys_expected < 0) return {};
  auto range = etcd::decode<etcd::RangeResponse>(*answer, etcd::response_limits);
  if (!range) return grpc::reject(grpc::StatusCode::internal, range.error().message);
  const auto keys = static_cast<std::int64_t>(range->kvs.size());
  if (keys == keys_expected) return {};
  return grpc::reject(grpc::StatusCode::internal,
                      std::format("{} keys in the answer, expected {}", keys, keys_expected));
}

Task<void> client(Bench* bench, Turn* turn, std::size_t number, bool filling) {
  grpc::Channel& channel = bench->fleet.channel(number);
  while (turn->sequence < turn->sequence_end && bench->report.errors() == 0) {
    const MonotonicTime start = bench->now();
    if (start >= turn->deadline) break;
    const std::uint64_t sequence = turn->sequence++;
    Request request = filling ? put(*bench, sequence) : next(*bench, sequence);
    const std::int64_t keys_expected = request.keys_expected;
    std::string method = request.method;
    auto answer = co_await channel.unary(std::move(request.method), std::move(request.message));
    const Duration latency = bench->now() - start;
    if (auto good = check_answer(answer, keys_expected); !good) {
      bench->report.failed(method, good.error());
    } else if (!filling) {
      bench->report.answered(latency);
    }
  }
}

Task<void> run_clients(Bench* bench, Turn* turn, int count, bool filling) {
  Scope scope(bench->world.executor);
  auto& parent = co_await async::current_scope();
  {
    async::detail::CancelLink link(parent, scope);
    for (int i = 0; i < count; ++i) {
      scope.spawn(client(bench, turn, static_cast<std::size_t>(i), filling));
    }
    co_await scope.join();
  }
}

}  // namespace

Bytes Bench::key(std::uint64_t sequence) const {
  return std::format("{}{:08}", prefix, sequence % static_cast<std::uint64_t>(options.keys));
}

Task<grpc::Reply<void>> fill(Bench* bench) {
  Turn turn{.sequence_end = static_cast<std::uint64_t>(bench->options.keys)};
  co_await run_clients(bench, &turn, fillers_max, true);
  co_return grpc::Reply<void>{};
}

Task<grpc::Reply<std::unique_ptr<grpc::ClientCall>>> open_watches(Bench* bench, std::size_t line,
                                                                  int count) {
  auto call = co_await bench->fleet.channel(line).open("/etcdserverpb.Watch/Watch");
  if (!call) co_return std::unexpected(std::move(call.error()));
  for (int i = 0; i < count; ++i) {
    etcd::WatchCreateRequest create;
    create.key = prefix;
    create.range_end = prefix_end;
    auto written = co_await (*call)->write(etcd::encode(etcd::WatchRequest{std::move(create)}));
    if (!written) co_return std::unexpected(std::move(written.error()));
    auto answer = co_await (*call)->read();
    if (!answer) co_return std::unexpected(std::move(answer.error()));
    auto created = etcd::decode<etcd::WatchResponse>(answer->value_or(""));
    if (!created || !created->created || created->canceled) {
      co_return grpc::reject(grpc::StatusCode::internal, "the watch was not created");
    }
  }
  co_return std::move(*call);
}

Task<void> run_unary(Bench* bench) {
  const Options& options = bench->options;
  if (options.kind != Kind::put && !options.keep) {
    co_await fill(bench);
  }
  Scope watching(bench->world.executor);
  std::vector<std::unique_ptr<grpc::ClientCall>> watches;
  if (options.kind == Kind::mix && bench->report.errors() == 0) {
    for (std::size_t line = 0; line < bench->fleet.size(); ++line) {
      auto call = co_await open_watches(bench, line, 1);
      if (!call) {
        bench->report.failed("Watch", call.error());
        break;
      }
      watches.push_back(std::move(*call));
      watching.spawn(count_events(bench, watches.back().get()));
    }
  }
  if (bench->report.errors() == 0) {
    bench->begin();
    Turn turn;
    if (options.operations > 0) {
      turn.sequence_end = static_cast<std::uint64_t>(options.operations);
    } else {
      turn.deadline = bench->now() + std::chrono::seconds(options.seconds);
    }
    co_await run_clients(bench, &turn, options.clients, false);
    bench->report.end(bench->now());
  }
  watching.cancel();
  co_await watching.join();
}

}  // namespace tripod::load
