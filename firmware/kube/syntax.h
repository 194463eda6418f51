#pragma once
// Syntax of names and values. Each check answers with what is wrong, in Kubernetes' words; nothing
// means valid.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tripod::kube {

using Complaints = std::vector<std::string>;

Complaints check_dns1123_subdomain(std::string_view value);
Complaints check_dns1123_label(std::string_view value);
Complaints check_dns1035_label(std::string_view value);
/// Label and annotation keys, resource names: "example.com/my-name".
Complaints check_qualified_name(std::string_view value);
Complaints check_label_value(std::string_view value);
Complaints check_config_key(std::string_view value);
Complaints check_port_name(std::string_view value);
Complaints check_port_number(std::int64_t value);
/// Printable ASCII other than '='.
Complaints check_env_name(std::string_view value);
Complaints check_ip(std::string_view value);
Complaints check_percent(std::string_view value);
/// What may be a path segment of a URL: not ".", "..", nor with '/' or '%'.
Complaints check_path_segment(std::string_view value);

bool is_dns1123_subdomain(std::string_view value);
bool is_dns1123_label(std::string_view value);
/// The address family: 4, 6, or 0 when it is no IP address.
int ip_family(std::string_view value);

/// "a; b"
std::string join(const Complaints& complaints);

}  // namespace tripod::kube
