#include "firmware/election/component.h"

namespace tripod::election {
namespace {

kube::Client::Options client_options(const ComponentOptions& options, std::string user_agent) {
  kube::Client::Options client;
  client.user_agent = std::move(user_agent);
  client.requests_per_second = options.requests_per_second;
  client.burst = options.burst;
  return client;
}

kube::Client::Options work_options(const ComponentOptions& options,
                                   std::function<bool()> may_write) {
  kube::Client::Options client = client_options(options, options.user_agent);
  client.may_write = std::move(may_write);
  return client;
}

Config election_config(const ComponentOptions& options, os::World& world) {
  Config election = options.leader_election;
  if (election.resource_name.empty()) election.resource_name = options.name;
  if (election.identity.empty()) {
    election.identity = make_identity(world.board.hostname(), world.entropy);
  }
  return election;
}

}  // namespace

Component::Component(http::Transport& transport, os::World& world, const Logger& logger,
                     const ComponentOptions& options)
    : election_client_(transport, world.clock, client_options(options, "tripod/leader-election")),
      client_(transport, world.clock,
              work_options(options, [this] { return elector_.may_write(); })),
      event_client_(transport, world.clock, client_options(options, options.user_agent)),
      events_(event_client_, logger.named("events"), options.event_source, options.event_host),
      elector_(election_client_, world.entropy, logger.named("election"),
               election_config(options, world)) {}

Task<void> Component::run(Elected& work) {
  async::ScopeCore& outer = co_await async::current_scope();
  Scope recording(outer.executor());
  recording.spawn(events_.run());
  co_await elector_.run(work, &events_);
  recording.cancel();
  co_await recording.join();
}

}  // namespace tripod::election
