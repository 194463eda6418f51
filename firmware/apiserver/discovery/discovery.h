#pragma once
// What the server offers, as clients ask for it: legacy and aggregated discovery, and the OpenAPI
// v3 index and documents. Derived from the registry's rows.

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "firmware/apiserver/negotiate.h"
#include "firmware/apiserver/reply.h"

namespace tripod::apiserver {

class Discovery {
 public:
  /// `address`: "192.0.2.1:6443", for /api.
  explicit Discovery(std::string address) : address_(std::move(address)) {}

  /// /api, /apis, /api/v1, /apis/G, /apis/G/V, /openapi/v2, /openapi/v3[/...]; nothing for other
  /// paths.
  std::optional<kube::Outcome<Reply>> serve(std::string_view path, std::string_view accept,
                                            std::string_view if_none_match, bool has_hash);

 private:
  kube::Outcome<Reply> serve_root(std::string_view path, std::string_view accept) const;
  std::optional<Reply> serve_openapi(std::string_view path, std::string_view if_none_match,
                                     bool has_hash);
  const std::string& document(const kube::GroupVersion& group_version);

  std::string address_;
  std::map<std::string, std::string, std::less<>>
      documents_;  // "apis/apps/v1" -> text, made on first use
};

}  // namespace tripod::apiserver
