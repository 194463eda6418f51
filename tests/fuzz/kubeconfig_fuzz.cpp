// A kubeconfig, or what passes for one, becomes a Kubeconfig or an error with words.

#include "firmware/kube/client/kubeconfig.h"
#include "platform/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tripod;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto config = kube::Kubeconfig::parse(text);
  if (config) {
    CHECK(!config->host.empty() && config->port != 0);
  } else {
    CHECK(!config.error().message.empty());
  }
  if (auto value = kube::parse_simple_yaml(text)) {
    CHECK(
        json::parse(json::serialize(*value), {.depth_max = 2000, .bytes_max = std::size_t{1} << 22})
            .has_value());
  }
  return 0;
}
