#pragma once
// Deletes what has lost its owners, and carries out the foreground and orphan policies of
// deletions. The caches say where to look; every decision is made on the live object and guarded by
// its uid and resourceVersion (upstream's garbagecollector).

#include <set>

#include "firmware/controllers/shell/controller.h"
#include "firmware/controllers/shell/discovery.h"

namespace tripod::controllers {

class GarbageCollector final : public Controller {
 public:
  explicit GarbageCollector(Hub& hub);
  ~GarbageCollector() override;

  /// Finds the kinds to watch, and again every half minute: custom kinds come and go.
  Task<void> tick() override;
  int workers() const override { return 8; }

 private:
  struct Owners;
  Task<kube::ApiResult<>> sync(std::string key) override;
  Task<kube::ApiResult<>> finish_foreground(kube::Resource resource, json::Value object);
  Task<kube::ApiResult<>> orphan_children(kube::Resource resource, json::Value object);
  Task<kube::ApiResult<>> look_at_owners(kube::Resource resource, json::Value object);
  Task<kube::ApiResult<std::optional<json::Value>>> live_owner(std::string ns,
                                                               json::Value reference);
  Task<kube::ApiResult<>> patch_owners(kube::Resource resource, json::Value object,
                                       json::Array references);
  Task<kube::ApiResult<>> drop_finalizer(kube::Resource resource, json::Value object,
                                         std::string finalizer);

  void watch(const kube::Resource& resource);
  void on_change(const std::string& group_resource, const kube::Change& change);
  void enqueue_children(std::string_view uid);
  void enqueue_owners(const json::Value& object);
  const Discovery::Kind* kind_of(std::string_view api_version, std::string_view kind) const;
  const kube::Resource* resource_of(std::string_view group_resource) const;

  std::unique_ptr<Discovery> discovery_;                                // the latest
  std::set<std::string> watched_;                                       // group resources
  std::map<std::string, std::string, std::less<>> by_uid_;              // uid -> queue key
  std::map<std::string, std::set<std::string>, std::less<>> children_;  // owner's uid -> queue keys
  std::unique_ptr<Scope> informers_;
  bool ready_ = false;
};

/// What the collector keeps of objects that nobody else watches: their metadata, without labels and
/// annotations.
void prune_to_ownership(json::Value& object);

}  // namespace tripod::controllers
