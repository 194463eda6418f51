#pragma once
// The Kubernetes version this server speaks. Clients decide by it which features to expect.

#include "platform/json/json.h"

namespace tripod::apiserver {

inline constexpr std::string_view git_version = "v1.34.2+tripod";

/// The body of /version.
json::Value version_info();

}  // namespace tripod::apiserver
