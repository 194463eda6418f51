#pragma once
// /healthz, /livez and /readyz with their checks, ?verbose, ?exclude= and one path per check, as
// upstream prints them.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/apiserver/reply.h"
#include "firmware/apiserver/request_info.h"

namespace tripod::apiserver {

struct HealthCheck {
  std::string name;
  bool live = true;  // part of /livez and /healthz too
  std::function<Task<Result<>>()> run;
};

class Health {
 public:
  explicit Health(std::vector<HealthCheck> checks) : checks_(std::move(checks)) {}

  static bool is_health_path(std::string_view path);
  /// 404 for a check that is not there.
  Task<kube::Outcome<Reply>> serve(const RequestInfo* info) const;

 private:
  std::vector<HealthCheck> checks_;
};

}  // namespace tripod::apiserver
