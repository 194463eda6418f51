#include "firmware/node/provisioning/requests.h"

#include <algorithm>
#include <format>

#include "platform/async/sync.h"
#include "platform/http/network_transport.h"
#include "platform/tls/stream.h"

namespace tripod::node {
namespace {

constexpr Duration call_limit = std::chrono::seconds(20);
constexpr std::size_t answer_bytes_max = 512 * 1024;
constexpr std::size_t servers_max = 32;

Error error_of(const EtcdServer& server, const ApiAnswer& answer) {
  const std::string message(json::get_string(answer.document, "message"));
  ErrorCode code = ErrorCode::unavailable;
  if (answer.status == 401 || answer.status == 403) code = ErrorCode::denied;
  if (answer.status == 409) code = ErrorCode::exists;
  if (answer.status == 400 || answer.status == 404) code = ErrorCode::invalid;
  return {code, std::format("{}: {} {}", url_of(server), answer.status, message)};
}

/// Whom a board without the authorities' keys names.
std::vector<EtcdServer> named_servers(const ApiAnswer& answer) {
  std::vector<EtcdServer> out;
  if (json::get_string(answer.document, "reason") != "NoAuthority") return out;
  const json::Array* servers = json::get_array(answer.document, "details", "servers");
  for (const json::Value& text : servers != nullptr ? *servers : json::Array()) {
    if (auto server = parse_api_url(json::as_string(text))) out.push_back(std::move(*server));
  }
  return out;
}

Task<Result<http::Response>> fetch_from(http::NetworkTransport* transport, http::RequestHead head,
                                        Bytes body) {
  co_return co_await http::fetch(*transport, std::move(head), std::move(body), answer_bytes_max);
}

}  // namespace

std::string url_of(const EtcdServer& server) {
  return "https://" + os::Address{server.host, server.port}.to_string();
}

Task<std::vector<EtcdServer>> living_api_servers(kube::Client* api) {
  std::vector<EtcdServer> servers;
  auto endpoints = co_await api->get(kube::resources::endpoints, "default", "kubernetes");
  const json::Array* subsets = endpoints ? json::get_array(*endpoints, "subsets") : nullptr;
  if (subsets == nullptr) co_return servers;
  for (const json::Value& subset : *subsets) {
    const json::Array* addresses = json::get_array(subset, "addresses");
    const json::Array* ports = json::get_array(subset, "ports");
    if (addresses == nullptr || ports == nullptr || ports->empty()) continue;
    const auto port = json::get_int(ports->front(), "port").value_or(0);
    for (const json::Value& address : *addresses) {
      servers.push_back({.tls = true,
                         .host = std::string(json::get_string(address, "ip")),
                         .port = static_cast<std::uint16_t>(port)});
    }
  }
  co_return servers;
}

Result<EtcdServer> parse_api_url(std::string_view text) {
  auto server = parse_endpoint(text);
  if (!server || !server->tls) {
    return fail(ErrorCode::invalid,
                std::format("\"{}\": expected https:// with a host and a port, as "
                            "https://192.168.1.11:6443",
                            text));
  }
  return server;
}

Result<std::shared_ptr<const tls::Context>> calling_context(os::World world,
                                                            std::string authority_pem,
                                                            std::string certificate_pem,
                                                            std::string key_pem) {
  tls::Options options{.certificate_pem = std::move(certificate_pem),
                       .key_pem = std::move(key_pem),
                       .authority_pem = std::move(authority_pem),
                       .alpn = {"h2", "http/1.1"}};
  if (options.authority_pem.empty()) options.peers = tls::PeerCertificates::none;
  return tls::Context::open(tls::Context::Side::client, std::move(options), world.entropy);
}

Task<Result<ApiAnswer>> call_api(Caller caller, EtcdServer server, std::string method,
                                 std::string path, json::Value body) {
  const os::World world = caller.world;
  http::NetworkOptions options{.host = server.host, .port = server.port};
  options.tls = [world, context = caller.context,
                 host = server.host](std::unique_ptr<os::Stream> lower) {
    return tls::connect(world, context, std::move(lower), host);
  };
  http::RequestHead head{.method = std::move(method), .path = std::move(path)};
  head.headers.add("accept", "application/json");
  head.headers.add("user-agent", "tripod/board");
  Bytes text;
  if (!body.is_null()) {
    head.headers.add("content-type", "application/json");
    text = json::serialize(body);
  }
  if (!caller.token.empty()) head.headers.add("authorization", "Bearer " + caller.token);
  http::NetworkTransport transport(world.executor, world.clock, world.network, std::move(options));
  auto response = co_await async::with_timeout(
      world.clock, call_limit, fetch_from(&transport, std::move(head), std::move(text)));
  co_await transport.drain();
  if (!response && response.error() == ErrorCode::cancelled) {
    co_return std::unexpected(response.error());
  }
  if (!response) {
    co_return fail(ErrorCode::unavailable,
                   std::format("{}: {}", url_of(server), response.error().message));
  }
  auto document = json::parse(response->body);
  if (!document) {
    co_return fail(ErrorCode::unavailable,
                   std::format("{}: answered {} with something that is not JSON", url_of(server),
                               response->head.status));
  }
  co_return ApiAnswer{.status = response->head.status, .document = std::move(*document)};
}

Task<Result<json::Value>> ask_boards(Caller caller, std::vector<EtcdServer> servers,
                                     std::string method, std::string path, json::Value body) {
  Error trouble{ErrorCode::unavailable, "there is nobody to ask"};
  std::vector<std::string> known;
  for (const EtcdServer& server : servers) known.push_back(url_of(server));
  for (std::size_t i = 0; i < servers.size() && i < servers_max; ++i) {
    const EtcdServer server = servers[i];
    auto answer = co_await call_api(caller, server, method, path, body);
    if (answer && answer->ok()) co_return std::move(answer->document);
    trouble = answer ? error_of(server, *answer) : answer.error();
    if (trouble != ErrorCode::unavailable) break;
    if (!answer) continue;
    for (EtcdServer& other : named_servers(*answer)) {
      if (std::ranges::find(known, url_of(other)) != known.end()) continue;
      known.push_back(url_of(other));
      servers.push_back(std::move(other));
    }
  }
  co_return std::unexpected(std::move(trouble));
}

Task<Result<SignedCertificates>> ask_for_certificates(Caller caller,
                                                      std::vector<EtcdServer> servers,
                                                      std::string board,
                                                      std::vector<std::string> names,
                                                      std::map<std::string, std::string> requests) {
  json::Object wanted;
  for (const auto& [use, pem] : requests) wanted[use] = pem;
  json::Array wanted_names;
  for (const std::string& name : names) wanted_names.emplace_back(json::String(name));
  json::Object body;
  body["names"] = std::move(wanted_names);
  body["requests"] = std::move(wanted);
  auto answer = co_await ask_boards(std::move(caller), std::move(servers), "POST",
                                    std::format("/tripod/v1/boards/{}/certificates", board),
                                    json::Value(std::move(body)));
  if (!answer) co_return std::unexpected(answer.error());
  SignedCertificates out{
      .certificates = {},
      .authority_pem = std::string(json::get_string(*answer, "authorities", "ca")),
      .etcd_authority_pem = std::string(json::get_string(*answer, "authorities", "etcd-ca"))};
  for (const auto& [use, pem] : requests) {
    const std::string_view certificate = json::get_string(*answer, "certificates", use);
    if (certificate.empty()) {
      co_return fail(ErrorCode::unavailable,
                     std::format("the answer has no certificate \"{}\"", use));
    }
    out.certificates[use] = certificate;
  }
  if (out.authority_pem.empty() || out.etcd_authority_pem.empty()) {
    co_return fail(ErrorCode::unavailable, "the answer lacks the authorities");
  }
  co_return out;
}

}  // namespace tripod::node
