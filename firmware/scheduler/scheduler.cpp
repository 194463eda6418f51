#include "firmware/scheduler/scheduler.h"

#include "firmware/election/component.h"
#include "firmware/kube/client/informer.h"
#include "firmware/scheduler/place.h"
#include "firmware/scheduler/queue.h"
#include "platform/async/sync.h"

namespace tripod::scheduler {
namespace {

using kube::EventType;
namespace resources = kube::resources;

election::ComponentOptions component_options(const Config& config) {
  return {.name = "kube-scheduler",
          .user_agent = "tripod/scheduler",
          .event_source = config.scheduler_name,
          .event_host = {},
          .leader_election = config.leader_election,
          .requests_per_second = config.requests_per_second,
          .burst = config.burst};
}

bool is_gated(const json::Value& pod) {
  const json::Array* gates = json::get_array(pod, "spec", "schedulingGates");
  return gates && !gates->empty();
}

}  // namespace

struct Scheduler::Parts final : election::Elected {
  Parts(http::Transport& transport, os::World& world_, Config config_, metrics::Registry* metrics_)
      : world(world_),
        config(std::move(config_)),
        logger(world_.log, "scheduler"),
        component(transport, world_, logger, component_options(config)) {
    if (!metrics_) return;
    for (const char* result : {"scheduled", "unschedulable", "error"}) {
      attempts[result] =
          &metrics_->counter("scheduler_schedule_attempts_total",
                             "Number of attempts to schedule pods, by the result.",
                             {{"profile", config.scheduler_name}, {"result", result}});
    }
    for (const char* queue : {"active", "backoff", "unschedulable"}) {
      pending[queue] =
          &metrics_->gauge("scheduler_pending_pods", "Number of pending pods, by the queue type.",
                           {{"queue", queue}});
    }
  }

  void count(const std::string& result) {
    if (auto found = attempts.find(result); found != attempts.end()) found->second->add();
  }

  Task<void> lead() override;

  os::World& world;
  Config config;
  Logger logger;
  election::Component component;
  std::map<std::string, metrics::Counter*> attempts;
  std::map<std::string, metrics::Gauge*> pending;
};

/// Caches and queue of one term of leadership.
class Scheduler::Session {
 public:
  explicit Session(Parts& parts)
      : parts_(parts),
        nodes_informer_(
            parts.component.client(), parts.world.entropy, parts.logger, resources::nodes,
            {.ns = {}, .label_selector = {}, .field_selector = {}, .prune = prune_node}),
        pods_informer_(parts.component.client(), parts.world.entropy, parts.logger, resources::pods,
                       {.ns = {}, .label_selector = {}, .field_selector = {}, .prune = prune_pod}) {
    nodes_informer_.store().add_handler([this](const kube::Change& change) { on_node(change); });
    pods_informer_.store().add_handler([this](const kube::Change& change) { on_pod(change); });
  }

  Task<void> run() {
    async::ScopeCore& outer = co_await async::current_scope();
    Scope scope(outer.executor());
    {
      async::detail::CancelLink link(outer, scope);
      scope.spawn(nodes_informer_.run());
      scope.spawn(pods_informer_.run());
      scope.spawn(loop(&scope));
      co_await scope.join();
    }
  }

 private:
  struct Placed {
    PodInfo info;
    std::string node;
    bool assumed = false;  // by us; the watch has not told yet
  };

  void on_node(const kube::Change& change);
  void on_pod(const kube::Change& change);
  void unplace(const std::string& key);
  void put(PodInfo info, std::string node, bool assumed);
  bool is_ours(const json::Value& pod) const;
  Task<void> loop(Scope* scope);
  void attempt(Scope& scope, const std::string& key);
  Task<void> bind(kube::ObjectPtr pod, std::string node);
  Task<void> refuse(kube::ObjectPtr pod, std::string message);
  void show_queue();

  MonotonicTime now() const { return parts_.world.clock.now(); }

  Parts& parts_;
  kube::Informer nodes_informer_;
  kube::Informer pods_informer_;
  Nodes nodes_;
  std::map<std::string, Placed> placed_;
  Queue queue_;
  async::Signal changed_;
  std::size_t binding_ = 0;
};

Task<void> Scheduler::Parts::lead() {
  Session session(*this);
  co_await session.run();
}

void Scheduler::Session::on_node(const kube::Change& change) {
  const std::string name(kube::name_of(change.latest()));
  if (change.now) {
    nodes_[name].read(*change.now);
    if (change.before && equal_for_scheduling(*change.before, *change.now)) return;
  } else {
    NodeInfo& node = nodes_[name];
    if (node.pods == 0) {
      nodes_.erase(name);
    } else {
      node.name.clear();
    }
    return;
  }
  queue_.move_all(now());
  changed_.notify();
}

bool Scheduler::Session::is_ours(const json::Value& pod) const {
  std::string_view name = json::get_string(pod, "spec", "schedulerName");
  return (name.empty() || name == parts_.config.scheduler_name) && kube::is_pod_active(pod) &&
         !is_gated(pod);
}

void Scheduler::Session::unplace(const std::string& key) {
  auto found = placed_.find(key);
  if (found == placed_.end()) return;
  NodeInfo& node = nodes_[found->second.node];
  node.unplace(found->second.info);
  if (node.pods == 0 && node.name.empty()) nodes_.erase(found->second.node);
  placed_.erase(found);
}

void Scheduler::Session::put(PodInfo info, std::string node, bool assumed) {
  unplace(info.key);
  nodes_[node].place(info);
  std::string key = info.key;
  placed_[std::move(key)] = Placed{std::move(info), std::move(node), assumed};
}

void Scheduler::Session::on_pod(const kube::Change& change) {
  const std::string key = kube::key_of(change.latest());
  const bool replaced =
      change.before && change.now && kube::uid_of(*change.before) != kube::uid_of(*change.now);
  const bool gone = !change.now || kube::is_pod_finished(*change.now);
  if (gone || replaced) {
    const bool freed = placed_.contains(key);
    unplace(key);
    queue_.remove(key);
    if (freed) queue_.move_all(now());
    changed_.notify();
    if (gone) return;
  }
  const json::Value& pod = *change.now;
  if (std::string_view node = json::get_string(pod, "spec", "nodeName"); !node.empty()) {
    queue_.remove(key);
    auto known = placed_.find(key);
    if (known != placed_.end() && known->second.node == node && !known->second.assumed) return;
    put(PodInfo::parse(pod), std::string(node), false);
    return;
  }
  if (!is_ours(pod)) {
    queue_.remove(key);
    return;
  }
  // A new condition of ours is no reason to try again.
  if (change.before && !replaced && queue_.contains(key) &&
      json::equal_semantic(json::find(*change.before, "spec"), json::find(pod, "spec"))) {
    return;
  }
  queue_.add(key, json::get_int(pod, "spec", "priority").value_or(0), now());
  changed_.notify();
}

Task<void> Scheduler::Session::loop(Scope* scope) {
  while (!nodes_informer_.has_synced() || !pods_informer_.has_synced()) {
    if (!co_await async::sleep_for(parts_.world.clock, std::chrono::milliseconds(20))) co_return;
  }
  while (!scope->cancelled()) {
    while (binding_ < parts_.config.bindings_max) {
      auto key = queue_.pop(now());
      if (!key) break;
      attempt(*scope, *key);
    }
    show_queue();
    std::unique_ptr<os::Operation> timer;
    if (auto next = queue_.next_change(); next && binding_ < parts_.config.bindings_max) {
      timer = parts_.world.clock.call_at(*next, [this] { changed_.notify(); });
    }
    if (!co_await changed_.wait()) co_return;
  }
}

void Scheduler::Session::attempt(Scope& scope, const std::string& key) {
  kube::ObjectPtr pod = pods_informer_.store().get(key);
  if (!pod || !is_ours(*pod) || !json::get_string(*pod, "spec", "nodeName").empty()) {
    queue_.done(key);
    return;
  }
  PodInfo info = PodInfo::parse(*pod);
  Placement placement = place(nodes_, info, parts_.world.entropy.next());
  if (placement.node.empty()) {
    parts_.count("unschedulable");
    queue_.report_unschedulable(key, now());
    scope.spawn(refuse(pod, placement.message()));
    return;
  }
  put(std::move(info), placement.node, true);
  ++binding_;
  scope.spawn(bind(pod, placement.node));
}

Task<void> Scheduler::Session::bind(kube::ObjectPtr pod, std::string node) {
  const std::string key = kube::key_of(*pod);
  auto bound = co_await parts_.component.client().bind(std::string(kube::namespace_of(*pod)),
                                                       std::string(kube::name_of(*pod)),
                                                       std::string(kube::uid_of(*pod)), node);
  --binding_;
  changed_.notify();
  if (bound) {
    parts_.count("scheduled");
    queue_.done(key);
    parts_.component.events().record(resources::pods, *pod, EventType::normal, "Scheduled",
                                     std::format("Successfully assigned {} to {}", key, node));
    co_return;
  }
  parts_.count("error");
  if (auto placed = placed_.find(key); placed != placed_.end() && placed->second.assumed)
    unplace(key);
  queue_.report_failure(key, now());
  if (bound.error().no_answer() || bound.error().is_conflict() || bound.error().is_not_found())
    co_return;
  parts_.component.events().record(resources::pods, *pod, EventType::warning, "FailedScheduling",
                                   std::format("binding rejected: {}", bound.error().message));
}

Task<void> Scheduler::Session::refuse(kube::ObjectPtr pod, std::string message) {
  parts_.component.events().record(resources::pods, *pod, EventType::warning, "FailedScheduling",
                                   message);
  const json::Value* known = kube::condition(*pod, "PodScheduled");
  if (known && json::get_string(*known, "status") == "False" &&
      json::get_string(*known, "message") == message)
    co_return;
  const bool transition = !known || json::get_string(*known, "status") != "False";
  json::Object condition;
  condition["type"] = "PodScheduled";
  condition["status"] = "False";
  condition["reason"] = "Unschedulable";
  condition["message"] = message;
  condition["lastProbeTime"] = nullptr;
  condition["lastTransitionTime"] =
      transition ? to_rfc3339(parts_.world.clock.wall_now())
                 : std::string(json::get_string(*known, "lastTransitionTime"));
  json::Value body = json::Object();
  json::set(body, {"metadata", "uid"}, json::Value(kube::uid_of(*pod)));
  json::ensure_array(body, {"status", "conditions"}).push_back(std::move(condition));
  auto patched = co_await parts_.component.client().patch(
      resources::pods, std::string(kube::namespace_of(*pod)), std::string(kube::name_of(*pod)),
      kube::PatchType::strategic, std::move(body), "status");
  if (patched) pods_informer_.observe_written(std::move(*patched));
}

void Scheduler::Session::show_queue() {
  if (parts_.pending.empty()) return;
  parts_.pending["active"]->set(static_cast<double>(queue_.active()));
  parts_.pending["backoff"]->set(static_cast<double>(queue_.backing_off()));
  parts_.pending["unschedulable"]->set(static_cast<double>(queue_.unschedulable()));
}

Scheduler::Scheduler(http::Transport& transport, os::World& world, Config config,
                     metrics::Registry* metrics)
    : parts_(std::make_unique<Parts>(transport, world, std::move(config), metrics)) {}

Scheduler::~Scheduler() = default;

const election::Elector& Scheduler::elector() const {
  return parts_->component.elector();
}

Task<void> Scheduler::run() {
  return parts_->component.run(*parts_);
}

}  // namespace tripod::scheduler
