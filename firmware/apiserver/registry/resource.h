#pragma once
// One kind of the API as data: a row of the registry. The engine (store, handlers, watch cache,
// discovery, printers) reads rows; what only one kind does is a pointer to a function of kinds/.
// Adding a kind adds a row.
//
// Rows live as long as the program; pointers are stable and comparable.

#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <string_view>
#include <vector>

#include "firmware/apiserver/auth/identity.h"
#include "firmware/etcd/api/messages.h"
#include "firmware/kube/names.h"
#include "firmware/kube/schema/schema.h"
#include "firmware/kube/status.h"
#include "platform/base/time.h"
#include "platform/json/json.h"

namespace tripod::apiserver {

/// A column of the Table that kubectl prints. Priority 0 is always shown, others with -o wide.
struct Column {
  std::string_view name;
  std::string_view type;    // string, integer
  std::string_view format;  // "name" for the first, else empty
  std::int32_t priority = 0;
  std::string_view description;
};

/// A field that field selectors may name, besides metadata.name and metadata.namespace.
struct SelectableField {
  enum class Type : std::uint8_t {
    text,
    boolean,
    number
  };  // what an absent value reads as: "", false, 0
  std::string_view path;
  Type type = Type::text;
  std::string_view else_path = {};  // read when the first path is absent
};

/// Circumstances of one write.
struct WriteContext {
  const Identity& user;
  WallTime now;
  std::string_view subresource;
  bool dry_run = false;
};

/// Keys that a write claims or gives back in the same transaction as its object: service IPs and
/// node ports.
struct Claims {
  struct Claim {
    Bytes key;
    Bytes value;
  };
  std::vector<Claim> claims;    // must not exist yet
  std::vector<Bytes> releases;  // deleted
  std::set<Bytes> known_taken;  // found taken by an earlier attempt
};

/// What the house knows beyond the object: handed to the few kinds that need it.
class ClusterView {
 public:
  virtual ~ClusterView() = default;
  /// Fills in what the cluster allocates (cluster IPs, node ports) and lists the keys to claim.
  /// Errors are 422.
  virtual kube::Outcome<> allocate(json::Value& object, const json::Value* old, Claims& claims) = 0;
};

struct Resource {
  kube::GroupVersionKind kind;
  std::string_view plural;
  std::string_view singular;
  std::span<const std::string_view> short_names;
  std::span<const std::string_view> categories;
  bool namespaced = true;
  std::string_view storage_prefix;  // "/registry/pods/"

  std::span<const Column> columns;
  void (*cells)(const json::Value& object, WallTime now, json::Array& out) = nullptr;
  std::span<const SelectableField> fields;

  bool has_status = false;
  bool status_on_create = false;  // a new object keeps the status it came with
  bool has_scale = false;
  bool has_generation = false;       // metadata.generation counts changes of spec
  bool create_on_update = false;     // PUT to a name that does not exist creates it
  bool unconditional_update = true;  // PUT without resourceVersion overwrites
  bool graceful = false;             // deletion waits for gracePeriodSeconds
  bool allocates = false;            // ClusterView::allocate has a part in its writes
  bool expires = false;              // written under a lease of event-ttl

  void (*prepare_create)(json::Value& object, const WriteContext&) = nullptr;
  void (*prepare_update)(json::Value& object, const json::Value& old,
                         const WriteContext&) = nullptr;
  /// After `status` was taken over from the request and the rest from the stored object.
  void (*prepare_status)(json::Value& object, const json::Value& old,
                         const WriteContext&) = nullptr;
  /// Grace of a deletion that asked for `requested` seconds; 0 deletes at once. Only with
  /// `graceful`.
  std::int64_t (*grace_seconds)(const json::Value& object,
                                std::optional<std::int64_t> requested) = nullptr;
  /// Additional rows over the same storage translate to and from what is stored.
  void (*from_storage)(json::Value& object) = nullptr;
  void (*to_storage)(json::Value& object) = nullptr;

  kube::GroupResource group_resource() const { return {kind.group, plural}; }
  const kube::schema::Type& type() const {
    return kube::schema::must_find_type(kind.group, kind.version, kind.kind);
  }
  /// "/registry/pods/default/web-1".
  Bytes key(std::string_view name_space, std::string_view name) const;
  bool is_view() const { return from_storage != nullptr; }
};

/// All rows, core group first, as discovery lists them.
std::span<const Resource> all_resources();
/// Null when there is none.
const Resource* find_resource(std::string_view group, std::string_view version,
                              std::string_view plural);
const Resource* find_kind(const kube::GroupVersionKind& kind);

}  // namespace tripod::apiserver
