#pragma once
// Reads a kubeconfig file: JSON, or the block-style YAML that kubectl and our own tools write
// (maps, lists of maps, plain and quoted scalars; no anchors, no multi-line scalars). Only what a
// client with a certificate needs.

#include <string>

#include "platform/base/result.h"
#include "platform/json/json.h"

namespace tripod::kube {

/// The current context's cluster and user. Of each pair, the data wins over the path of a file.
struct Kubeconfig {
  std::string server;  // "https://127.0.0.11:6443"
  std::string host;    // "127.0.0.11", without brackets
  std::uint16_t port = 443;
  std::string tls_server_name;             // empty: the host
  std::string certificate_authority;       // paths, as they stand in the file
  std::string client_certificate;          //
  std::string client_key;                  //
  std::string certificate_authority_data;  // PEM
  std::string client_certificate_data;     //
  std::string client_key_data;             //

  /// Errors: invalid, naming line or field.
  static Result<Kubeconfig> parse(std::string_view text);
};

/// The YAML subset above as a JSON document. All scalars but true, false and null become strings.
Result<json::Value> parse_simple_yaml(std::string_view text);

}  // namespace tripod::kube
