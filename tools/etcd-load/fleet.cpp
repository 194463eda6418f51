#include "tools/etcd-load/fleet.h"

#include "firmware/etcd/api/codec.h"

namespace tripod::load {
namespace {

constexpr std::chrono::seconds first_answer_max{30};

http::NetworkOptions network_options(const os::Address& endpoint, const TlsConnect& tls) {
  http::NetworkOptions out;
  out.host = endpoint.ip;
  out.port = endpoint.port;
  out.http2_without_tls = true;
  out.connect_timeout = first_answer_max;
  if (tls) {
    out.tls = [tls, host = endpoint.ip](std::unique_ptr<os::Stream> lower) {
      return tls(std::move(lower), host);
    };
  }
  return out;
}

}  // namespace

Fleet::Fleet(const os::World& world, const Options& options, const TlsConnect& tls) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(options.connections); ++i) {
    const os::Address& endpoint = options.endpoints[i % options.endpoints.size()];
    lines_.push_back(std::make_unique<Line>(world, network_options(endpoint, tls)));
  }
}

Task<grpc::Reply<void>> Fleet::connect() {
  for (const auto& line : lines_) {
    auto answer = co_await line->channel.unary("/etcdserverpb.Maintenance/Status",
                                               etcd::encode(etcd::StatusRequest{}),
                                               {.timeout = first_answer_max});
    if (!answer) co_return std::unexpected(std::move(answer.error()));
  }
  co_return grpc::Reply<void>{};
}

Task<void> Fleet::drain() {
  for (const auto& line : lines_) co_await line->transport.drain();
}

}  // namespace tripod::load
