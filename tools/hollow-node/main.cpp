// hollow-node: N kubelets without containers, over the network with a client certificate.

#include <csignal>
#include <cstdio>

#include "firmware/kube/client/kubeconfig.h"
#include "platform/http/network_transport.h"
#include "platform/linux/machine.h"
#include "platform/tls/stream.h"
#include "tools/hollow-node/options.h"

namespace tripod::hollow {
namespace {

constexpr std::size_t pem_bytes_max = 256 * 1024;

/// The bytes of the kubeconfig, or of the file it names, relative to itself.
Result<Bytes> pem(os::Storage& storage, const std::string& kubeconfig, const Bytes& data,
                  const std::string& path) {
  if (!data.empty() || path.empty()) return data;
  std::size_t slash = kubeconfig.rfind('/');
  const bool relative = !path.starts_with('/') && slash != std::string::npos;
  return storage.read_file(relative ? kubeconfig.substr(0, slash + 1) + path : path, pem_bytes_max);
}

Result<std::shared_ptr<const tls::Context>> client_context(os::World world, const std::string& path,
                                                           const kube::Kubeconfig& config) {
  auto authority =
      pem(world.storage, path, config.certificate_authority_data, config.certificate_authority);
  if (!authority) return wrap("certificate-authority", authority.error());
  auto certificate =
      pem(world.storage, path, config.client_certificate_data, config.client_certificate);
  if (!certificate) return wrap("client-certificate", certificate.error());
  auto key = pem(world.storage, path, config.client_key_data, config.client_key);
  if (!key) return wrap("client-key", key.error());
  return tls::Context::open(tls::Context::Side::client,
                            {.certificate_pem = std::move(*certificate),
                             .key_pem = std::move(*key),
                             .authority_pem = std::move(*authority),
                             .alpn = {"h2", "http/1.1"},
                             .prefer_chacha20 = !linux_os::Machine::has_aes_instructions()},
                            world.entropy);
}

struct HollowNode {
  HollowNode(http::Transport& transport, os::World world, const Options& options, int number,
             const std::string& authority)
      : client(transport, world.clock,
               {.user_agent = "tripod/hollow-node",
                .authority = authority,
                .requests_per_second = 50,
                .burst = 100}),
        kubelet(client, world.entropy, Logger(world.log, "kubelet"), config_of(options, number)) {}

  static NodeConfig config_of(const Options& options, int number) {
    NodeConfig config = options.node;
    config.name = std::format("{}{}", options.name_prefix, number);
    config.number = number;
    return config;
  }

  kube::Client client;
  Kubelet kubelet;
};

Result<> serve(linux_os::Machine& machine, const Options& options) {
  os::World world = machine.world();
  auto text = world.storage.read_file(options.kubeconfig, pem_bytes_max);
  if (!text) return wrap("--kubeconfig " + options.kubeconfig, text.error());
  auto config = kube::Kubeconfig::parse(*text);
  if (!config) return wrap("--kubeconfig " + options.kubeconfig, config.error());
  auto context = client_context(world, options.kubeconfig, *config);
  if (!context) return wrap("--kubeconfig " + options.kubeconfig, context.error());
  const std::string server_name =
      config->tls_server_name.empty() ? config->host : config->tls_server_name;
  http::NetworkTransport transport(
      machine.loop(), machine.loop(), world.network,
      {.host = config->host,
       .port = config->port,
       .tls = [world, context = *context, server_name](std::unique_ptr<os::Stream> stream) {
         return tls::connect(world, context, std::move(stream), server_name);
       }});
  const std::string authority = os::Address{config->host, config->port}.to_string();
  std::vector<std::unique_ptr<HollowNode>> nodes;
  Scope scope(machine.loop());
  Scope closing(machine.loop());
  for (int number = 1; number <= options.nodes; ++number) {
    nodes.push_back(std::make_unique<HollowNode>(transport, world, options, number, authority));
    scope.spawn(nodes.back()->kubelet.run());
  }
  auto stop = [&] {
    if (scope.cancelled()) return;
    scope.cancel();
    scope.when_idle([&] {
      closing.spawn(transport.drain());
      closing.when_idle([&] { machine.loop().stop(); });
    });
  };
  machine.loop().on_signal(SIGTERM, stop);
  machine.loop().on_signal(SIGINT, stop);
  machine.loop().run();
  return {};
}

}  // namespace
}  // namespace tripod::hollow

int main(int count, char** values) {
  using namespace tripod;
  auto options = hollow::parse_options(std::vector<std::string>(values + 1, values + count));
  if (!options) {
    std::fprintf(stderr, "hollow-node: %s\n%s", options.error().message.c_str(),
                 std::string(hollow::usage()).c_str());
    return 2;
  }
  if (options->help) {
    std::fputs(std::string(hollow::usage()).c_str(), stdout);
    return 0;
  }
  auto machine = linux_os::Machine::create(options->log_level);
  if (auto done = hollow::serve(*machine, *options); !done) {
    std::fprintf(stderr, "hollow-node: %s\n", done.error().to_string().c_str());
    return 1;
  }
  return 0;
}
