#include "firmware/controllers/manager.h"

#include "firmware/controllers/credentials/bootstrap_tokens.h"
#include "firmware/controllers/credentials/service_account.h"
#include "firmware/controllers/endpoints/endpoints.h"
#include "firmware/controllers/garbage/garbage_collector.h"
#include "firmware/controllers/garbage/namespace.h"
#include "firmware/controllers/garbage/pod_gc.h"
#include "firmware/controllers/nodes/node_lifecycle.h"
#include "firmware/controllers/workloads/deployment/deployment.h"
#include "firmware/controllers/workloads/replica_set.h"
#include "firmware/election/component.h"

namespace tripod::controllers {
namespace {

election::ComponentOptions component_options(const Config& config, const os::World& world) {
  return {.name = "kube-controller-manager",
          .user_agent = "tripod/controller-manager",
          .event_source = "kube-controller-manager",
          .event_host = world.board.hostname(),
          .leader_election = config.leader_election,
          .requests_per_second = config.requests_per_second,
          .burst = config.burst};
}

}  // namespace

/// Everything of one term of leadership.
class ControllerManager::Session {
 public:
  Session(Hub::Parts parts, const Config& config) : hub_(std::move(parts)) {
    hub_.informer(kube::resources::pods,
                  {.ns = {}, .label_selector = {}, .field_selector = {}, .prune = prune_pod});
    add_ownership_indexes(hub_.informer(kube::resources::pods).store());
    hub_.informer(kube::resources::pods).store().add_index("node", kube::index_by_node);
    add_ownership_indexes(hub_.informer(kube::resources::replica_sets).store());
    add_ownership_indexes(hub_.informer(kube::resources::replication_controllers).store());
    add<ReplicaSetController>(kube::resources::replica_sets);
    add<ReplicaSetController>(kube::resources::replication_controllers);
    add<DeploymentController>();
    add<EndpointsController>(config.max_endpoints_per_slice);
    add<NamespaceController>();
    add<ServiceAccountController>(config.root_ca_pem);
    add<BootstrapTokenController>();
    add<NodeLifecycleController>(
        NodeLifecycleConfig{.monitor_period = config.node_monitor_period,
                            .grace_period = config.node_monitor_grace_period,
                            .eviction_rate = config.node_eviction_rate,
                            .secondary_eviction_rate = config.secondary_node_eviction_rate,
                            .large_cluster_size = config.large_cluster_size_threshold,
                            .unhealthy_threshold = config.unhealthy_zone_threshold});
    add<PodGcController>(config.terminated_pod_gc_threshold);
    add<GarbageCollector>();
  }

  Task<void> run() {
    async::ScopeCore& outer = co_await async::current_scope();
    Scope scope(outer.executor());
    {
      async::detail::CancelLink link(outer, scope);
      scope.spawn(start(&scope));
      co_await scope.join();
    }
  }

 private:
  template <typename T, typename... Arguments>
  void add(Arguments&&... arguments) {
    controllers_.push_back(std::make_unique<T>(hub_, std::forward<Arguments>(arguments)...));
  }

  Task<void> start(Scope* scope) {
    hub_.start(*scope);
    if (!co_await hub_.wait_for_sync()) co_return;
    for (auto& controller : controllers_) {
      scope->spawn(controller->tick());
      for (int i = 0; i < controller->workers(); ++i) scope->spawn(controller->work());
    }
  }

  Hub hub_;
  std::vector<std::unique_ptr<Controller>> controllers_;
};

struct ControllerManager::Parts final : election::Elected {
  Parts(http::Transport& transport, os::World& world_, Config config_, metrics::Registry* metrics_)
      : world(world_),
        config(std::move(config_)),
        metrics(metrics_),
        logger(world_.log, "controllers"),
        component(transport, world_, logger, component_options(config, world_)) {}

  Task<void> lead() override {
    Session session({component.client(), component.events(), world.entropy, logger, metrics},
                    config);
    co_await session.run();
  }

  os::World& world;
  Config config;
  metrics::Registry* metrics;
  Logger logger;
  election::Component component;
};

ControllerManager::ControllerManager(http::Transport& transport, os::World& world, Config config,
                                     metrics::Registry* metrics)
    : parts_(std::make_unique<Parts>(transport, world, std::move(config), metrics)) {}

ControllerManager::~ControllerManager() = default;

const election::Elector& ControllerManager::elector() const {
  return parts_->component.elector();
}

Task<void> ControllerManager::run() {
  return parts_->component.run(*parts_);
}

}  // namespace tripod::controllers
