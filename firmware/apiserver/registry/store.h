#pragma once
// The write path and the linearizable reads of the registry: objects as JSON under /registry/...,
// optimistic transactions on mod_revision. Knows nothing of HTTP; knows of kinds only what their
// rows say.
//
// A write is a retried pure function: change() calls `decide` with the current object until its
// transaction holds. Lives on the loop thread.

#include <functional>
#include <optional>
#include <string>

#include "firmware/apiserver/registry/resource.h"
#include "firmware/apiserver/watch_cache/cache.h"
#include "firmware/etcd/client.h"
#include "platform/os/board.h"

namespace tripod::apiserver {

/// An object as clients see it, in its row's version, and the revision of its last change.
struct Stored {
  json::Value object;
  etcd::Revision revision = 0;
};

/// What a write wants done with the object it was shown.
struct Decision {
  enum class Action : std::uint8_t { keep, write, remove };
  Action action = Action::keep;
  json::Value object;  // of write: what to store; of remove: what to answer with
};

struct Changed {
  json::Value object;  // after the write; of a removal, the last state
  etcd::Revision revision = 0;
  Decision::Action action = Decision::Action::keep;
};

class Store {
 public:
  struct Limits {
    int attempts_max = 10;
    std::chrono::seconds event_ttl{3600};
    int keys_per_lease_max = 1000;
  };
  using Decide = std::function<kube::Outcome<Decision>(const json::Value& current)>;
  /// The cache of a storage prefix, or null.
  using FindCache = std::function<Cache*(const Resource&)>;

  Store(etcd::Client& etcd, os::World world, FindCache find_cache, ClusterView& cluster,
        Limits limits)
      : etcd_(etcd),
        world_(world),
        find_cache_(std::move(find_cache)),
        cluster_(cluster),
        limits_(limits) {}

  /// Linearizable. 404 when there is none.
  Task<kube::Outcome<Stored>> read(const Resource* resource, std::string name_space,
                                   std::string name);
  /// 409 AlreadyExists when the name is taken. `object` has its name.
  Task<kube::Outcome<Stored>> create(const Resource* resource, json::Value object, bool dry_run);
  /// 404 when there is none; what `decide` refuses is returned as it is.
  Task<kube::Outcome<Changed>> change(const Resource* resource, std::string name_space,
                                      std::string name, Decide decide, bool dry_run);

 private:
  struct Current {
    Stored stored;
    bool fresh = false;  // read from etcd, not from the cache
  };

  Task<kube::Outcome<etcd::LeaseId>> lease_for(const Resource* resource);
  Task<kube::Outcome<Current>> current(const Resource* resource, std::string name_space,
                                       std::string name, bool fresh);
  Task<kube::Outcome<std::optional<Changed>>> try_change(const Resource* resource, Bytes key,
                                                         Current* current, Decision decision,
                                                         Claims* claims);

  etcd::Client& etcd_;
  os::World world_;
  FindCache find_cache_;
  ClusterView& cluster_;
  Limits limits_;
  etcd::LeaseId lease_ = 0;
  MonotonicTime lease_until_{};
  int lease_keys_ = 0;
};

}  // namespace tripod::apiserver
