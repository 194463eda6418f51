#pragma once
// Which objects belong to a controller: those whose controlling owner it is, plus orphans that its
// selector matches, less those that no longer match. As upstream's ControllerRefManager. Pure;
// adopting and releasing leave as patches.

#include <vector>

#include "firmware/controllers/shell/decision.h"
#include "firmware/kube/client/store.h"
#include "firmware/kube/selector.h"

namespace tripod::controllers {

struct Claim {
  std::vector<kube::ObjectPtr>
      owned;  // ours already; adopted ones follow when the patch is through
  std::vector<Write>
      writes;  // releases and adoptions, with the check of the owner before the first adoption
};

/// `candidates`: what the owner controls, and the orphans of its namespace.
Claim claim(const kube::Resource& owner_resource, const json::Value& owner,
            const kube::LabelSelector& selector, const kube::Resource& resource,
            const std::vector<kube::ObjectPtr>& candidates);

/// Index "orphans": objects without controlling owner, by namespace.
void index_orphans(const json::Value& object, std::vector<std::string>& out);

/// An informer's indexes "owner" and "orphans".
void add_ownership_indexes(kube::Store& store);
/// What `owner` controls, then the orphans of its namespace.
std::vector<kube::ObjectPtr> claim_candidates(const kube::Store& store, const json::Value& owner);

/// The reference a controller writes into what it makes.
json::Value controller_reference(const kube::Resource& resource, const json::Value& owner);

}  // namespace tripod::controllers
