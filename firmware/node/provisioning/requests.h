#pragma once
// Calls to the API server of another board, by a board that has nothing but a token or its own
// certificate. service.h says what they mean. A connection for each: they are rare.
//
// Lives on the loop thread.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "firmware/kube/client/client.h"
#include "firmware/node/config.h"
#include "platform/json/json.h"
#include "platform/os/board.h"
#include "platform/tls/context.h"

namespace tripod::node {

/// Who asks, and whom it trusts.
struct Caller {
  os::World world;
  std::shared_ptr<const tls::Context> context;  // with the board's certificate, if it has one
  std::string token;                            // or this; empty: none
};

/// An https:// URL of an API server, as [node] join holds it.
Result<EtcdServer> parse_api_url(std::string_view text);

struct ApiAnswer {
  int status = 0;
  json::Value document;

  bool ok() const { return status >= 200 && status <= 299; }
};

/// Every API server that is alive, as `api` says; none when it does not answer.
Task<std::vector<EtcdServer>> living_api_servers(kube::Client* api);

std::string url_of(const EtcdServer& server);

/// One request. Fails with `unavailable` when nobody answers, or not in TLS or JSON.
Task<Result<ApiAnswer>> call_api(Caller caller, EtcdServer server, std::string method,
                                 std::string path, json::Value body);

/// The same; an answer that is no success becomes an error: `denied` for 401 and 403, `exists` for
/// 409, `invalid` for 400 and 404, `unavailable` for the others. Asks the servers in turn, and
/// those that one without the authorities' keys names, until one answers otherwise.
Task<Result<json::Value>> ask_boards(Caller caller, std::vector<EtcdServer> servers,
                                     std::string method, std::string path, json::Value body);

struct SignedCertificates {
  std::map<std::string, std::string> certificates;  // by use
  std::string authority_pem;
  std::string etcd_authority_pem;
};
/// `requests`: PEM by use.
Task<Result<SignedCertificates>> ask_for_certificates(Caller caller,
                                                      std::vector<EtcdServer> servers,
                                                      std::string board,
                                                      std::vector<std::string> names,
                                                      std::map<std::string, std::string> requests);

/// The contexts that calls are made with: `authority_pem` empty trusts anybody.
Result<std::shared_ptr<const tls::Context>> calling_context(os::World world,
                                                            std::string authority_pem,
                                                            std::string certificate_pem = {},
                                                            std::string key_pem = {});

}  // namespace tripod::node
