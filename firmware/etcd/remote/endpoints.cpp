#include "firmware/etcd/remote/endpoints.h"

#include <format>

namespace tripod::etcd {
namespace {

// As kube-apiserver's etcd client asks: 30 s of silence, then 10 s for the answer.
constexpr std::chrono::seconds ping_interval{30};
constexpr std::chrono::seconds ping_timeout{10};

std::string name_of(const EndpointAddress& address) {
  return std::format("{}://{}", address.tls ? "https" : "http",
                     os::Address{address.host, address.port}.to_string());
}

http::NetworkOptions network_options(const RemoteOptions& options, const EndpointAddress& address) {
  http::NetworkOptions out;
  out.host = address.host;
  out.port = address.port;
  if (address.tls) {
    out.tls = [connect = options.tls, host = address.host](std::unique_ptr<os::Stream> lower) {
      return connect(std::move(lower), host);
    };
  }
  out.http2_without_tls = true;
  out.connect_timeout = options.connect_timeout;
  out.ping_interval = ping_interval;
  out.ping_timeout = ping_timeout;
  return out;
}

}  // namespace

Endpoint::Endpoint(const os::World& world, const RemoteOptions& options,
                   const EndpointAddress& address)
    : name(name_of(address)),
      transport(world.executor, world.clock, world.network, network_options(options, address)),
      channel(world.clock, transport) {}

Endpoints::Endpoints(const os::World& world, const RemoteOptions& options)
    : clock_(world.clock), log_(world.log, "etcd.remote") {
  CHECK(!options.endpoints.empty(), "a remote cluster has at least one endpoint");
  for (const EndpointAddress& address : options.endpoints) {
    CHECK(!address.tls || options.tls, "https needs a way to make TLS sessions");
    endpoints_.push_back(std::make_unique<Endpoint>(world, options, address));
  }
  current_ = options.first % endpoints_.size();
}

Endpoint& Endpoints::pick() {
  std::size_t best = current_;
  for (std::size_t step = 0; step < endpoints_.size(); ++step) {
    const std::size_t at = (current_ + step) % endpoints_.size();
    if (!suspect(*endpoints_[at])) return *endpoints_[at];
    // All are suspect: whoever failed longest ago is due.
    if (endpoints_[at]->suspect_until < endpoints_[best]->suspect_until) best = at;
  }
  return *endpoints_[best];
}

void Endpoints::answered(Endpoint& endpoint) {
  endpoint.suspect_until = {};
  Endpoint& current = *endpoints_[current_];
  if (&endpoint == &current || !suspect(current)) return;
  for (std::size_t at = 0; at < endpoints_.size(); ++at) {
    if (endpoints_[at].get() == &endpoint) current_ = at;
  }
  log_.info("using another endpoint", LogField("endpoint", endpoint.name),
            LogField("instead_of", current.name));
}

void Endpoints::failed(Endpoint& endpoint, Duration time, const grpc::Status& why) {
  if (!suspect(endpoint)) {
    log_.warn("an endpoint does not serve", LogField("endpoint", endpoint.name),
              LogField("code", grpc::name_of(why.code)), LogField("why", why.message));
  }
  endpoint.suspect_until = clock_.now() + time;
}

bool Endpoints::suspect(const Endpoint& endpoint) const {
  return clock_.now() < endpoint.suspect_until;
}

bool Endpoints::left(const Endpoint& endpoint) const {
  return endpoints_[current_].get() != &endpoint && suspect(endpoint);
}

Task<void> Endpoints::drain() {
  for (const auto& endpoint : endpoints_) co_await endpoint->transport.drain();
}

}  // namespace tripod::etcd
