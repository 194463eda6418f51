#pragma once
// The etcd whose API this member speaks; clients parse it.

#include <string_view>

namespace tripod::etcd {

inline constexpr std::string_view server_version = "3.6.5";
inline constexpr std::string_view cluster_version = "3.6.0";
inline constexpr std::string_view storage_version = "3.6.0";

}  // namespace tripod::etcd
