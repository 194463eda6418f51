// How many replicas each set gets: rolling update, recreate, and proportional scaling. The
// arithmetic is upstream's (pkg/controller/deployment: rolling, recreate, sync).

#include <cmath>

#include "firmware/controllers/workloads/deployment/plan.h"

namespace tripod::controllers::deployment {
namespace {

bool scale_new_set(Plan& plan) {
  Set* set = plan.new_set();
  if (!set) return false;
  if (set->wanted() == plan.replicas()) return false;
  if (set->wanted() > plan.replicas()) return plan.scale(*set, plan.replicas());
  return plan.scale(*set, new_set_replicas(plan, set->wanted()));
}

/// Pods that never became available go first: they cost nothing. Returns how many went.
std::int64_t remove_unhealthy(Plan& plan, std::int64_t budget) {
  std::int64_t removed = 0;
  for (Set* set : plan.old_sets()) {
    if (removed >= budget) break;
    const std::int64_t unhealthy = set->wanted() - set->status("availableReplicas");
    if (!set->active() || unhealthy <= 0) continue;
    const std::int64_t count = std::min(budget - removed, unhealthy);
    plan.scale(*set, set->wanted() - count);
    removed += count;
  }
  return removed;
}

std::int64_t remove_healthy(Plan& plan) {
  const std::int64_t min_available = plan.replicas() - plan.max_unavailable();
  const std::int64_t budget = plan.status_total("availableReplicas") - min_available;
  std::int64_t removed = 0;
  for (Set* set : plan.old_sets()) {
    if (removed >= budget) break;
    if (!set->active()) continue;
    const std::int64_t count = std::min(set->wanted(), budget - removed);
    plan.scale(*set, set->wanted() - count);
    removed += count;
  }
  return std::max<std::int64_t>(removed, 0);
}

bool scale_old_sets(Plan& plan) {
  std::int64_t old_wanted = 0;
  for (Set* set : plan.old_sets()) old_wanted += set->wanted();
  if (old_wanted == 0) return false;
  const Set* newest = plan.new_set();
  const std::int64_t min_available = plan.replicas() - plan.max_unavailable();
  const std::int64_t new_unavailable =
      newest ? newest->wanted() - newest->status("availableReplicas") : 0;
  const std::int64_t budget = plan.wanted_total() - min_available - new_unavailable;
  if (budget <= 0) return false;
  const std::int64_t unhealthy = remove_unhealthy(plan, budget);
  const std::int64_t healthy = remove_healthy(plan);
  return unhealthy + healthy > 0;
}

/// What this set would gain or lose if the whole kept its proportions, within what is left to give.
std::int64_t proportion_of(const Plan& plan, const Set& set, std::int64_t to_add,
                           std::int64_t added) {
  if (set.wanted() == 0 || to_add == 0 || to_add == added) return 0;
  std::int64_t change = -set.wanted();
  if (plan.replicas() > 0) {
    std::string_view text = kube::annotation(set.object, max_annotation);
    std::int64_t before = 0;
    std::from_chars(text.data(), text.data() + text.size(), before);
    if (before <= 0) before = json::get_int(plan.object, "status", "replicas").value_or(0);
    if (before <= 0) before = plan.replicas();
    const double size = static_cast<double>(set.wanted()) *
                        static_cast<double>(plan.replicas() + plan.max_surge()) /
                        static_cast<double>(before);
    change = static_cast<std::int64_t>(std::llround(size)) - set.wanted();
  }
  const std::int64_t allowed = to_add - added;
  return to_add > 0 ? std::min(change, allowed) : std::max(change, allowed);
}

/// The one set to resize when there is no choice: the only active one, else the newest, else the
/// latest.
Set* active_or_latest(Plan& plan) {
  std::vector<Set*> active;
  for (Set& set : plan.sets) {
    if (set.active()) active.push_back(&set);
  }
  if (active.size() == 1) return active[0];
  if (active.size() > 1) return nullptr;
  if (plan.new_set()) return plan.new_set();
  return plan.sets.empty() ? nullptr : &plan.sets.back();
}

bool saturated(const Plan& plan) {
  const Set* set = plan.new_set();
  return set && set->wanted() == plan.replicas() &&
         set->status("availableReplicas") == plan.replicas() &&
         kube::annotation(set->object, desired_annotation) == std::to_string(plan.replicas());
}

}  // namespace

std::int64_t new_set_replicas(const Plan& plan, std::int64_t current) {
  if (!plan.rolling()) return plan.replicas();
  const std::int64_t total = plan.wanted_total();
  const std::int64_t max = plan.replicas() + plan.max_surge();
  if (total >= max) return current;
  return current + std::min(max - total, plan.replicas() - current);
}

bool roll(Plan& plan) {
  if (scale_new_set(plan)) return true;
  return scale_old_sets(plan);
}

bool recreate(Plan& plan) {
  bool scaled = false;
  for (Set* set : plan.old_sets()) {
    if (set->active()) scaled = plan.scale(*set, 0) || scaled;
  }
  if (scaled || plan.pods_of_old_sets) return true;
  if (!plan.new_set() && !sync_revision(plan, true)) return true;
  Set* set = plan.new_set();
  return set && plan.scale(*set, plan.replicas());
}

void scale_proportionally(Plan& plan) {
  if (Set* only = active_or_latest(plan)) {
    plan.scale(*only, plan.replicas());
    return;
  }
  if (saturated(plan)) {
    for (Set* set : plan.old_sets()) {
      if (set->active()) plan.scale(*set, 0);
    }
    return;
  }
  if (!plan.rolling()) return;
  std::vector<Set*> active;
  for (Set& set : plan.sets) {
    if (set.active()) active.push_back(&set);
  }
  const std::int64_t allowed = plan.replicas() > 0 ? plan.replicas() + plan.max_surge() : 0;
  const std::int64_t to_add = allowed - plan.wanted_total();
  // Largest first; of equal ones the newer when growing, the older when shrinking.
  if (to_add > 0) std::ranges::reverse(active);
  std::ranges::stable_sort(active, std::greater(), [](const Set* set) { return set->wanted(); });
  std::vector<std::int64_t> sizes;
  std::int64_t added = 0;
  for (const Set* set : active) {
    const std::int64_t change = proportion_of(plan, *set, to_add, added);
    sizes.push_back(set->wanted() + change);
    added += change;
  }
  if (!sizes.empty()) sizes[0] = std::max<std::int64_t>(0, sizes[0] + to_add - added);
  for (std::size_t i = 0; i < active.size(); ++i) plan.scale(*active[i], sizes[i]);
}

}  // namespace tripod::controllers::deployment
