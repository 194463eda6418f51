#include "firmware/node/probes.h"

#include <format>

#include "platform/tls/stream.h"

namespace tripod::node {
namespace {

constexpr std::size_t answer_bytes_max = 64 * 1024;
constexpr int ok_status = 200;

}  // namespace

Probes::Probes(os::World world, Credentials::Context context, std::string path)
    : world_(world), context_(std::move(context)), path_(std::move(path)) {}

http::Transport& Probes::transport_to(const os::Address& backend) {
  auto& transport = transports_[backend];
  if (!transport) {
    http::NetworkOptions options{.host = backend.ip, .port = backend.port};
    options.tls = [world = world_, context = context_,
                   name = backend.ip](std::unique_ptr<os::Stream> lower) {
      return tls::connect(world, context->now, std::move(lower), name);
    };
    transport = std::make_unique<http::NetworkTransport>(world_.executor, world_.clock,
                                                         world_.network, std::move(options));
  }
  return *transport;
}

Task<Result<>> Probes::probe(os::Address backend) {
  http::RequestHead head{.method = "GET", .path = path_};
  auto response =
      co_await http::fetch(transport_to(backend), std::move(head), {}, answer_bytes_max);
  if (!response) co_return std::unexpected(response.error());
  if (response->head.status != ok_status) {
    co_return fail(ErrorCode::unavailable,
                   std::format("{} answered {}", path_, response->head.status));
  }
  co_return Result<>{};
}

Task<void> Probes::drain() {
  for (auto& [address, transport] : transports_) co_await transport->drain();
}

}  // namespace tripod::node
