#pragma once
// From the configuration to the options of each component: one function per component, in one
// place.

#include "firmware/apiserver/server.h"
#include "firmware/balancer/balancer.h"
#include "firmware/controllers/manager.h"
#include "firmware/etcd/options.h"
#include "firmware/etcd/remote/endpoints.h"
#include "firmware/node/config.h"
#include "firmware/scheduler/scheduler.h"

namespace tripod::node {

etcd::Options etcd_options(const Config& config);
/// Of an external cluster; `tls` makes its TLS sessions.
etcd::RemoteOptions etcd_remote_options(const Config& config, os::Entropy& entropy,
                                        decltype(etcd::RemoteOptions::tls) tls);
apiserver::Options apiserver_options(const Config& config);
controllers::Config controller_options(const Config& config, os::Entropy& entropy,
                                       std::string root_ca_pem);
scheduler::Config scheduler_options(const Config& config, os::Entropy& entropy);
balancer::Options balancer_options(const Config& config);

}  // namespace tripod::node
