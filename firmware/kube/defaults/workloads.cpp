// Kinds that make pods: apps and batch.

#include "firmware/kube/defaults/hooks.h"

namespace tripod::kube::defaults {

namespace {

void deployment_spec(json::Object& spec) {
  fill(spec, "replicas", 1);
  json::Object& strategy = fill_object(spec, "strategy");
  fill(strategy, "type", "RollingUpdate");
  if (text_at(strategy, "type") == "RollingUpdate") {
    json::Object& rolling = fill_object(strategy, "rollingUpdate");
    fill(rolling, "maxUnavailable", "25%");
    fill(rolling, "maxSurge", "25%");
  }
  fill(spec, "revisionHistoryLimit", 10);
  fill(spec, "progressDeadlineSeconds", 600);
}

void replica_set_spec(json::Object& spec) {
  fill(spec, "replicas", 1);
}

void daemon_set_spec(json::Object& spec) {
  json::Object& strategy = fill_object(spec, "updateStrategy");
  fill(strategy, "type", "RollingUpdate");
  if (text_at(strategy, "type") == "RollingUpdate") {
    json::Object& rolling = fill_object(strategy, "rollingUpdate");
    fill(rolling, "maxUnavailable", 1);
    fill(rolling, "maxSurge", 0);
  }
  fill(spec, "revisionHistoryLimit", 10);
}

void stateful_set_spec(json::Object& spec) {
  fill(spec, "podManagementPolicy", "OrderedReady");
  json::Object& strategy = fill_object(spec, "updateStrategy");
  const bool unset = text_at(strategy, "type").empty();
  fill(strategy, "type", "RollingUpdate");
  if (unset || strategy.contains("rollingUpdate"))
    fill(fill_object(strategy, "rollingUpdate"), "partition", 0);
  json::Object& retention = fill_object(spec, "persistentVolumeClaimRetentionPolicy");
  fill(retention, "whenDeleted", "Retain");
  fill(retention, "whenScaled", "Retain");
  fill(spec, "replicas", 1);
  fill(spec, "revisionHistoryLimit", 10);
}

void job_spec(json::Object& spec) {
  if (!spec.contains("completions") && !spec.contains("parallelism")) {
    fill(spec, "completions", 1);
    fill(spec, "parallelism", 1);
  }
  fill(spec, "parallelism", 1);
  fill(spec, "backoffLimit", 6);
  fill(spec, "completionMode", "NonIndexed");
  fill(spec, "suspend", false);
  if (!spec.contains("podReplacementPolicy")) {
    fill(spec, "podReplacementPolicy",
         spec.contains("podFailurePolicy") ? "Failed" : "TerminatingOrFailed");
  }
}

void cron_job_spec(json::Object& spec) {
  fill(spec, "concurrencyPolicy", "Allow");
  fill(spec, "suspend", false);
  fill(spec, "successfulJobsHistoryLimit", 3);
  fill(spec, "failedJobsHistoryLimit", 1);
}

constexpr HookEntry hooks[] = {
    {"apps", "DeploymentSpec", deployment_spec},
    {"apps", "ReplicaSetSpec", replica_set_spec},
    {"apps", "DaemonSetSpec", daemon_set_spec},
    {"apps", "StatefulSetSpec", stateful_set_spec},
    {"batch", "JobSpec", job_spec},
    {"batch", "CronJobSpec", cron_job_spec},
};

}  // namespace

std::span<const HookEntry> workload_hooks() {
  return hooks;
}

}  // namespace tripod::kube::defaults
