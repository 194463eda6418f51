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

namespace tripod::controllers {
namespace {

kube::Client::Options client_options(const Config& config, std::string user_agent) {
  kube::Client::Options options;
  options.user_agent = std::move(user_agent);
  options.requests_per_second = config.requests_per_second;
  options.burst = config.burst;
  return options;
}

election::Config election_config(const Config& config, os::World& world) {
  election::Config election = config.leader_election;
  if (election.resource_name.empty()) election.resource_name = "kube-controller-manager";
  if (election.identity.empty()) {
    election.identity = election::make_identity(world.board.hostname(), world.entropy);
  }
  return election;
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
        election_client(transport, world_.clock, client_options(config, "tripod/leader-election")),
        client(transport, world_.clock, work_options()),
        event_client(transport, world_.clock, client_options(config, "tripod/controller-manager")),
        events(event_client, logger.named("events"), "kube-controller-manager",
               world_.board.hostname()),
        elector(election_client, world_.entropy, logger.named("election"),
                election_config(config, world_)) {}

  kube::Client::Options work_options() {
    kube::Client::Options options = client_options(config, "tripod/controller-manager");
    options.may_write = [this] { return elector.may_write(); };
    return options;
  }

  Task<void> lead() override {
    Session session({client, events, world.entropy, logger, metrics}, config);
    co_await session.run();
  }

  os::World& world;
  Config config;
  metrics::Registry* metrics;
  Logger logger;
  kube::Client election_client;
  kube::Client client;
  kube::Client event_client;
  kube::EventRecorder events;
  election::Elector elector;
};

ControllerManager::ControllerManager(http::Transport& transport, os::World& world, Config config,
                                     metrics::Registry* metrics)
    : parts_(std::make_unique<Parts>(transport, world, std::move(config), metrics)) {}

ControllerManager::~ControllerManager() = default;

const election::Elector& ControllerManager::elector() const {
  return parts_->elector;
}

Task<void> ControllerManager::run() {
  async::ScopeCore& outer = co_await async::current_scope();
  Scope recording(outer.executor());
  recording.spawn(parts_->events.run());
  co_await parts_->elector.run(*parts_, &parts_->events);
  recording.cancel();
  co_await recording.join();
}

}  // namespace tripod::controllers
