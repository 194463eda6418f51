#pragma once
// What happens to an object around a write, whatever its kind: metadata the server owns, status and
// spec kept apart, generation, finalizers, grace, and when a change amounts to a removal. Pure;
// rows tell what differs between kinds.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/apiserver/registry/resource.h"
#include "firmware/apiserver/registry/store.h"
#include "firmware/kube/status.h"

namespace tripod::apiserver {

/// Fills in what a new object gets from the server: uid (fresh), creationTimestamp, generation, a
/// clean status. Defaults and admission have been applied.
void fill_new(const Resource& resource, json::Value& object, std::string_view uid,
              const WriteContext& context);
/// The same, and validates.
kube::Outcome<> prepare_create(const Resource& resource, json::Value& object, std::string_view uid,
                               const WriteContext& context);

/// The decision that an update with `desired` comes to: 409 on a stale resourceVersion, 422 on what
/// is invalid.
kube::Outcome<Decision> decide_update(const Resource& resource, const json::Value& current,
                                      json::Value desired, const WriteContext& context);

struct DeleteOptions {
  std::optional<std::int64_t> grace_period_seconds;
  std::string uid;               // precondition, when not empty
  std::string resource_version;  // precondition, when not empty
  std::string propagation;       // "", Orphan, Background, Foreground
  bool dry_run = false;
};

/// From the body (may be empty) or, without one, the query. Errors are 400 and 422.
kube::Outcome<DeleteOptions> parse_delete_options(
    BytesView body, std::string_view query_grace, std::string_view query_propagation,
    std::string_view query_orphan, const std::vector<std::string_view>& query_dry_run);

/// Marks, waits or removes. `removed` decisions carry the last state.
kube::Outcome<Decision> decide_delete(const Resource& resource, const json::Value& current,
                                      const DeleteOptions& options, const WriteContext& context);

/// The values of dryRun: nothing, or "All"; anything else is 422.
kube::Outcome<bool> parse_dry_run(const std::vector<std::string_view>& values,
                                  const kube::GroupKind& options_kind);

/// RFC 4122, version 4, from 16 random bytes.
std::string make_uuid(std::span<const std::byte, 16> random);
/// `base`, cut to 58, and five random characters, as metadata.generateName asks.
std::string generate_name(std::string_view base, std::uint64_t random);

}  // namespace tripod::apiserver
