#include "firmware/kube/client/event_recorder.h"

namespace tripod::kube {
namespace {

constexpr std::size_t queue_max = 1000;
constexpr std::size_t remembered_max = 2048;
constexpr std::size_t similar_max = 10;  // distinct messages before they are combined
constexpr std::chrono::minutes similar_interval{10};
constexpr int burst_per_object = 25;
constexpr double events_per_second = 1.0 / 300;
constexpr std::size_t message_bytes_max = 1024;

}  // namespace

EventRecorder::EventRecorder(Client& client, Logger logger, std::string component, std::string host)
    : client_(client),
      logger_(std::move(logger)),
      component_(std::move(component)),
      host_(std::move(host)),
      queue_(queue_max) {}

void EventRecorder::record(const Resource& resource, const json::Value& about, EventType type,
                           std::string_view reason, std::string_view message,
                           std::string_view component) {
  if (component.empty()) component = component_;
  if (!admit(uid_of(about), component)) return;
  const WallTime wall = client_.clock().wall_now();
  const std::string now = to_rfc3339(wall);
  const std::string_view ns = namespace_of(about).empty() ? "default" : namespace_of(about);
  const auto stamp =
      static_cast<std::uint64_t>(wall.time_since_epoch().count()) * 1000 + sequence_++ % 1000;
  json::Object involved;
  involved["kind"] = resource.kind;
  if (!namespace_of(about).empty()) involved["namespace"] = namespace_of(about);
  involved["name"] = name_of(about);
  involved["uid"] = uid_of(about);
  involved["apiVersion"] = resource.api_version();
  if (!resource_version_of(about).empty()) involved["resourceVersion"] = resource_version_of(about);
  json::Object source;
  source["component"] = component;
  if (!host_.empty()) source["host"] = host_;
  json::Object event;
  event["apiVersion"] = "v1";
  event["kind"] = "Event";
  event["metadata"] =
      json::Object{{"name", std::format("{}.{:x}", name_of(about), stamp)}, {"namespace", ns}};
  event["involvedObject"] = std::move(involved);
  event["reason"] = reason;
  event["message"] = message.substr(0, message_bytes_max);
  event["source"] = std::move(source);
  event["firstTimestamp"] = now;
  event["lastTimestamp"] = now;
  event["count"] = 1;
  event["type"] = type == EventType::normal ? "Normal" : "Warning";
  event["reportingComponent"] = component;
  event["reportingInstance"] = host_;
  std::string key = std::format("{}/{}/{}/{}", component, uid_of(about), name_of(about), reason);
  if (!queue_.try_push({std::move(event), std::move(key)})) {
    logger_.debug("event dropped", LogField("reason", reason));
  }
}

bool EventRecorder::admit(std::string_view uid, std::string_view component) {
  if (budgets_.size() > remembered_max) budgets_.clear();
  auto [budget, fresh] = budgets_.try_emplace(std::format("{}/{}", component, uid),
                                              events_per_second, burst_per_object);
  return budget->second.try_take(client_.clock().now());
}

void EventRecorder::combine(Pending& pending) {
  const MonotonicTime now = client_.clock().now();
  Similar& similar = similar_[pending.aggregate_key];
  if (now - similar.since > similar_interval) similar = Similar{{}, now};
  json::Object& event = pending.event.as_object();
  std::string message(json::get_string(pending.event, "message"));
  if (similar.messages.size() < similar_max) {
    similar.messages[message] = true;
    pending.aggregate_key += "/" + message;
  } else if (!similar.messages.contains(message)) {
    event["message"] = "(combined from similar events): " + message;
  } else {
    pending.aggregate_key += "/" + message;
  }
}

void EventRecorder::forget_old() {
  const MonotonicTime now = client_.clock().now();
  std::erase_if(sent_,
                [&](const auto& each) { return now - each.second.last > std::chrono::hours(1); });
  std::erase_if(similar_,
                [&](const auto& each) { return now - each.second.since > similar_interval; });
  if (sent_.size() > remembered_max) sent_.clear();
  if (similar_.size() > remembered_max) similar_.clear();
}

Task<void> EventRecorder::run() {
  while (true) {
    auto pending = co_await queue_.pop();
    if (!pending) co_return;
    if (sent_.size() > remembered_max || similar_.size() > remembered_max) forget_old();
    combine(*pending);
    co_await send(std::move(*pending));
  }
}

Task<void> EventRecorder::send(Pending pending) {
  const std::string ns(namespace_of(pending.event));
  auto known = sent_.find(pending.aggregate_key);
  if (known != sent_.end()) {
    json::Object body;
    body["count"] = ++known->second.count;
    body["lastTimestamp"] = json::get_string(pending.event, "lastTimestamp");
    body["message"] = json::get_string(pending.event, "message");
    known->second.last = client_.clock().now();
    auto patched = co_await client_.patch(resources::events, ns, known->second.name,
                                          PatchType::strategic, std::move(body));
    if (patched || !patched.error().is_not_found()) co_return;
    sent_.erase(pending.aggregate_key);
  }
  auto created = co_await client_.create(resources::events, ns, pending.event);
  if (!created) {
    logger_.debug("event not written", LogField("error", created.error().to_string()));
    co_return;
  }
  sent_[pending.aggregate_key] =
      Sent{.name = std::string(name_of(pending.event)), .count = 1, .last = client_.clock().now()};
}

}  // namespace tripod::kube
