#pragma once
// Which pods go first when there are too many: unassigned before assigned, pending before running,
// not ready before ready, cheaper (pod-deletion-cost) before dearer, from crowded nodes before
// lonely ones, recently ready before long ready, often restarted before seldom, young before old.
// As upstream's ActivePodsWithRanks. Pure.

#include <vector>

#include "firmware/kube/client/objects.h"

namespace tripod::controllers {

/// The `count` pods of `candidates` to delete, best first. `related` are the active pods of the
/// same application, by which crowded nodes are known.
std::vector<kube::ObjectPtr> pods_to_delete(std::vector<kube::ObjectPtr> candidates,
                                            const std::vector<kube::ObjectPtr>& related,
                                            std::size_t count, WallTime now);

}  // namespace tripod::controllers
