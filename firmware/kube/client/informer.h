#pragma once
// Keeps a Store equal to what the server has: list, then watch from there, resume where it broke,
// list again when told that the past is gone (410), back off with jitter while the server is away.
//
// The first list is a quorum read, so a store that has synced holds everything acknowledged before
// run() began. Writes of this process are told to observe_written(), so that it reads its own
// writes before the watch brings them. Loop thread only; outlives the scope that run() runs in.

#include <memory>

#include "firmware/kube/client/client.h"
#include "firmware/kube/client/store.h"
#include "platform/base/log.h"

namespace tripod::kube {

class Informer {
 public:
  struct Options {
    std::string ns;
    std::string label_selector;
    std::string field_selector;
    bool metadata_only = false;
    int page_size = 250;
    /// Shrinks an object to what its readers need, before it is kept.
    std::function<void(json::Value&)> prune = prune_metadata;
  };

  Informer(Client& client, os::Entropy& entropy, Logger logger, Resource resource, Options options);

  /// Until its scope is cancelled.
  Task<void> run();

  const Resource& resource() const { return resource_; }
  Store& store() { return store_; }
  const Store& store() const { return store_; }
  bool has_synced() const { return synced_; }
  /// The resourceVersion up to which everything is in the store.
  std::uint64_t revision() const { return revision_; }

  /// The server's answer to a create, update or patch of ours. Ignored when the watch is past it
  /// already.
  void observe_written(json::Value object);
  /// A delete of ours was accepted: until the watch tells more, the object counts as being deleted.
  void observe_removing(std::string_view key, std::string_view uid, WallTime now);

 private:
  Task<ApiResult<>> list();
  Task<ApiResult<>> watch();
  void apply(WatchEvent event);

  Client& client_;
  os::Entropy& entropy_;
  Logger logger_;
  Resource resource_;
  Options options_;
  Store store_;
  bool synced_ = false;
  bool must_list_ = true;
  std::uint64_t revision_ = 0;
};

}  // namespace tripod::kube
