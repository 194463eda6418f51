#pragma once
// One deployment and its replica sets, as a plan being made: the steps read and change these
// copies, and leave the writes that make them true. Shared by the steps of this folder; pure.

#include <string>
#include <vector>

#include "firmware/controllers/shell/decision.h"

namespace tripod::controllers::deployment {

inline constexpr std::string_view revision_annotation = "deployment.kubernetes.io/revision";
inline constexpr std::string_view revision_history_annotation =
    "deployment.kubernetes.io/revision-history";
inline constexpr std::string_view desired_annotation = "deployment.kubernetes.io/desired-replicas";
inline constexpr std::string_view max_annotation = "deployment.kubernetes.io/max-replicas";
inline constexpr std::string_view last_applied_annotation =
    "kubectl.kubernetes.io/last-applied-configuration";
inline constexpr std::string_view hash_label = "pod-template-hash";

/// A replica set of the deployment, with what is asked about it.
struct Set {
  json::Value object;
  std::optional<std::size_t>
      pending;              // its update among the plan's writes: several steps make one write
  std::int64_t stored = 0;  // spec.replicas before the plan

  std::string_view name() const { return kube::name_of(object); }
  std::int64_t wanted() const { return json::get_int(object, "spec", "replicas").value_or(1); }
  std::int64_t status(std::string_view field) const {
    return json::get_int(object, "status", field).value_or(0);
  }
  bool active() const { return wanted() > 0; }
  std::int64_t revision() const;
};

struct Plan {
  WallTime now;
  json::Value object;             // the deployment
  std::vector<Set> sets;          // by creation, oldest first
  int newest = -1;                // the set of the current template, or -1
  bool pods_of_old_sets = false;  // some pod of an old set still runs
  Decision decision;
  bool object_changed = false;  // annotations or spec are to be written, not only status

  std::int64_t replicas() const { return json::get_int(object, "spec", "replicas").value_or(1); }
  bool rolling() const {
    return json::get_string(object, "spec", "strategy", "type") != "Recreate";
  }
  bool paused() const { return json::get_bool(object, "spec", "paused"); }
  bool has_deadline() const;
  std::chrono::seconds deadline() const;
  /// Resolved against replicas; percentages of surge round up, of unavailable down; never both
  /// zero.
  std::int64_t max_surge() const;
  std::int64_t max_unavailable() const;

  Set* new_set() { return newest < 0 ? nullptr : &sets[static_cast<std::size_t>(newest)]; }
  const Set* new_set() const {
    return newest < 0 ? nullptr : &sets[static_cast<std::size_t>(newest)];
  }
  std::vector<Set*> old_sets();
  std::int64_t wanted_total() const;
  std::int64_t status_total(std::string_view field) const;

  void note(kube::EventType type, std::string reason, std::string message);
  /// Changes the size and the size annotations. True if the size changed.
  bool scale(Set& set, std::int64_t to);
};

/// Finds the set of the current template; makes it if `make`. Moves the revision annotations.
/// False: the set is made or annotated first, stop here for now.
bool sync_revision(Plan& plan, bool make);
/// True if something was scaled: look again when that has happened.
bool roll(Plan& plan);
bool recreate(Plan& plan);
/// Keeps the proportions of a paused or half-way rollout when the deployment is resized.
void scale_proportionally(Plan& plan);
/// The number of replicas a new set starts or goes on with.
std::int64_t new_set_replicas(const Plan& plan, std::int64_t current);
void remove_old_history(Plan& plan);
void mark_paused(Plan& plan);

/// Status with the Progressing rules of a rollout, or without them (paused, scaling).
void decide_status(Plan& plan, bool rollout);
bool complete(const Plan& plan, const json::Value& status);

/// Upstream's SetDeploymentCondition: nothing happens when status and reason are the same.
void set_condition(json::Value& object, std::string_view type, std::string_view status,
                   std::string_view reason, std::string_view message, WallTime now);
bool remove_condition(json::Value& object, std::string_view type);

}  // namespace tripod::controllers::deployment
