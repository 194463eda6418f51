#pragma once
// What a component that is active on one board at a time is made of, around its work: the elector,
// the events it reports, and three clients, so that neither a renewal nor an event waits behind the
// work's writes, and the work writes only while it leads. Loop thread only.

#include <string>

#include "firmware/election/elector.h"
#include "platform/os/board.h"

namespace tripod::election {

struct ComponentOptions {
  std::string name;  // "kube-scheduler": of the lease, unless leader_election has one
  std::string user_agent;
  std::string event_source;  // "default-scheduler"
  std::string event_host;    // empty: none is named
  Config leader_election;    // name and identity are filled in when empty
  double requests_per_second = 100;
  int burst = 200;
};

class Component {
 public:
  /// All borrowed: `transport` leads to an API server.
  Component(http::Transport& transport, os::World& world, const Logger& logger,
            const ComponentOptions& options);

  /// Until the caller's scope is cancelled; then the lease is released. Events go out meanwhile.
  Task<void> run(Elected& work);

  /// The work's; refuses writes while another may lead.
  kube::Client& client() { return client_; }
  kube::EventRecorder& events() { return events_; }
  const Elector& elector() const { return elector_; }

 private:
  kube::Client election_client_;
  kube::Client client_;
  kube::Client event_client_;
  kube::EventRecorder events_;
  Elector elector_;
};

}  // namespace tripod::election
