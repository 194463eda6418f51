#pragma once
// What every cluster has from the start, made and kept by the API servers themselves: the system
// namespaces, the `kubernetes` Service, its Endpoints and EndpointSlice with the addresses of all
// servers that are alive, and the periodic compaction of etcd's history.
//
// Runs until its scope is cancelled; every server runs it, and they agree through etcd.

#include <string>

#include "firmware/apiserver/resources/call.h"

namespace tripod::apiserver {

class Bootstrap {
 public:
  struct Options {
    std::string advertise_address;
    std::int64_t port = 6444;  // signed, as numbers of objects are
    std::string service_address;
    Duration compaction_interval = std::chrono::minutes(5);
  };

  Bootstrap(Options options, const Backend& backend)
      : options_(std::move(options)),
        backend_(backend),
        log_(backend.world.log, "apiserver.bootstrap") {}

  /// Namespaces and Service, then the endpoints for as long as it may.
  Task<void> run();
  /// As upstream, one server of all compacts what is older than the interval.
  Task<void> compact();
  /// Takes this server out of the endpoints, as a clean stop does.
  Task<void> withdraw();
  /// The namespaces and the Service are there.
  bool done() const { return done_; }

 private:
  Task<bool> ensure(const char* group, const char* plural, json::Value object);
  Task<bool> create_basics();
  Task<void> announce();
  Task<void> publish();
  Task<void> settle(const char* group, const char* plural, json::Value wanted);
  json::Value service() const;

  Options options_;
  const Backend& backend_;
  Logger log_;
  bool done_ = false;
  etcd::LeaseId lease_ = 0;
  MonotonicTime announced_{};
};

}  // namespace tripod::apiserver
