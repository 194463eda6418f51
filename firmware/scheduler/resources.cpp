#include "firmware/scheduler/resources.h"

#include "firmware/kube/quantity.h"

namespace tripod::scheduler {
namespace {

constexpr std::int64_t default_cpu_milli = 100;
constexpr std::int64_t default_memory_bytes = 200LL * 1024 * 1024;

Resources container_requests(const json::Value& container, bool with_defaults) {
  Resources requests = parse_resources(json::find(container, "resources", "requests"));
  if (with_defaults && requests.cpu_milli == 0) requests.cpu_milli = default_cpu_milli;
  if (with_defaults && requests.memory_bytes == 0) requests.memory_bytes = default_memory_bytes;
  return requests;
}

Resources count(const json::Value& pod, bool with_defaults) {
  Resources total;
  Resources sidecars;
  Resources init_peak;
  if (const json::Array* containers = json::get_array(pod, "spec", "containers")) {
    for (const json::Value& each : *containers) total += container_requests(each, with_defaults);
  }
  if (const json::Array* containers = json::get_array(pod, "spec", "initContainers")) {
    for (const json::Value& each : *containers) {
      Resources one = container_requests(each, with_defaults);
      if (json::get_string(each, "restartPolicy") == "Always") {
        sidecars += one;
        init_peak.raise_to(sidecars);
      } else {
        one += sidecars;
        init_peak.raise_to(one);
      }
    }
  }
  total += sidecars;
  total.raise_to(init_peak);
  total += parse_resources(json::find(pod, "spec", "overhead"));
  return total;
}

}  // namespace

Resources& Resources::operator+=(const Resources& other) {
  cpu_milli += other.cpu_milli;
  memory_bytes += other.memory_bytes;
  ephemeral_bytes += other.ephemeral_bytes;
  for (const auto& [name, amount] : other.extended) extended[name] += amount;
  return *this;
}

Resources& Resources::operator-=(const Resources& other) {
  cpu_milli -= other.cpu_milli;
  memory_bytes -= other.memory_bytes;
  ephemeral_bytes -= other.ephemeral_bytes;
  for (const auto& [name, amount] : other.extended) extended[name] -= amount;
  return *this;
}

void Resources::raise_to(const Resources& other) {
  cpu_milli = std::max(cpu_milli, other.cpu_milli);
  memory_bytes = std::max(memory_bytes, other.memory_bytes);
  ephemeral_bytes = std::max(ephemeral_bytes, other.ephemeral_bytes);
  for (const auto& [name, amount] : other.extended)
    extended[name] = std::max(extended[name], amount);
}

Resources parse_resources(const json::Value* list) {
  Resources resources;
  const json::Object* object = list ? list->if_object() : nullptr;
  if (!object) return resources;
  for (const auto& [key, value] : *object) {
    std::string text =
        value.is_string() ? std::string(json::as_string(value)) : json::serialize(value);
    auto quantity = kube::Quantity::parse(text);
    if (!quantity) continue;
    std::string name(key.data(), key.size());
    if (name == "cpu") {
      resources.cpu_milli = quantity->milli_value();
    } else if (name == "memory") {
      resources.memory_bytes = quantity->value();
    } else if (name == "ephemeral-storage") {
      resources.ephemeral_bytes = quantity->value();
    } else if (name != "pods") {
      resources.extended[name] = quantity->value();
    }
  }
  return resources;
}

Resources requests_of(const json::Value& pod) {
  return count(pod, false);
}
Resources scoring_requests_of(const json::Value& pod) {
  return count(pod, true);
}

}  // namespace tripod::scheduler
