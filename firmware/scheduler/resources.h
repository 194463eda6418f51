#pragma once
// What pods ask for and nodes have, as numbers that add up: cpu in thousandths, everything else in
// units. Pure.

#include <cstdint>
#include <map>
#include <string>

#include "platform/json/json.h"

namespace tripod::scheduler {

struct Resources {
  std::int64_t cpu_milli = 0;
  std::int64_t memory_bytes = 0;
  std::int64_t ephemeral_bytes = 0;
  std::map<std::string, std::int64_t> extended;  // "example.com/gpu", "hugepages-2Mi"

  Resources& operator+=(const Resources& other);
  Resources& operator-=(const Resources& other);
  /// The larger of both, resource by resource.
  void raise_to(const Resources& other);
};

/// A ResourceList; what does not parse counts as zero.
Resources parse_resources(const json::Value* list);

/// max(sum of containers and sidecars, each init container with the sidecars before it) + overhead,
/// as kubelet and scheduler count it.
Resources requests_of(const json::Value& pod);

/// requests_of, but a container that asks for no cpu or memory counts as 100m or 200 MiB: for
/// scores only.
Resources scoring_requests_of(const json::Value& pod);

}  // namespace tripod::scheduler
