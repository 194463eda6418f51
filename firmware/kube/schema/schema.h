#pragma once
// Facts per type of the API: fields with their JSON name, type, protobuf number, list type and
// keys, patch strategy, enum and default. Built-in types are constants in read-only memory,
// compiled from the text tables of this folder; the schema of a custom resource can have the same
// structure at run time.
//
// Everything lives as long as the program; pointers are stable and comparable.

#include <cstdint>
#include <span>
#include <string_view>

#include "firmware/kube/names.h"

namespace tripod::kube::schema {

enum class Kind : std::uint8_t {
  string,
  int32,
  int64,
  boolean,
  number,         // float64
  bytes,          // base64 in JSON
  time,           // metav1.Time, RFC 3339 with seconds
  micro_time,     // metav1.MicroTime, RFC 3339 with six decimals
  duration,       // metav1.Duration, "1m30s"
  quantity,       // resource.Quantity
  int_or_string,  // intstr.IntOrString
  object,         // see Field::type
  any,            // RawExtension, FieldsV1: any JSON
};

enum class Container : std::uint8_t { single, list, map };  // map: from string
enum class ListType : std::uint8_t { none, atomic, set, map };

struct Type;

/// What few fields have; one record is shared by many fields.
struct Extra {
  std::string_view patch_merge_key;
  std::span<const std::string_view> list_map_keys;
  std::span<const std::string_view> enum_values;
  std::string_view
      go_type;  // name of the Go string type that has these enum values: "RestartPolicy"
  std::string_view default_json;  // JSON text, empty if none
};

struct Field {
  std::string_view name;  // in JSON; empty when inlined
  const Type* type =
      nullptr;  // of Kind::object: the type of the value or of the list's or map's elements
  const Extra* extra = nullptr;
  std::uint16_t number = 0;  // protobuf; 0 = none (apiVersion and kind)
  Kind kind = Kind::string;
  Container container = Container::single;
  ListType list_type = ListType::none;  // atomic also for objects and maps
  bool required : 1 = false;
  bool omit_empty : 1 = false;  // zero values are left out of JSON
  bool pointer : 1 = false;     // an absent value differs from a zero one
  bool inlined : 1 =
      false;  // its fields stand in the parent's JSON; a message of its own in protobuf
  bool patch_merge : 1 = false;    // patchStrategy=merge
  bool patch_replace : 1 = false;  // patchStrategy=replace
  bool retain_keys : 1 = false;    // patchStrategy=retainKeys

  bool is_list() const { return container == Container::list; }
  bool is_map() const { return container == Container::map; }
  /// A single object.
  bool is_object() const { return container == Container::single && kind == Kind::object; }
  std::string_view merge_key() const { return extra ? extra->patch_merge_key : std::string_view(); }
};

struct Package {
  std::string_view name;   // "io.k8s.api.core.v1"
  std::string_view group;  // "", "apps", "meta.k8s.io"
  std::string_view version;
  std::uint16_t type_first = 0;  // its types in all_types(), sorted by name
  std::uint16_t type_count = 0;
};

struct Type {
  std::string_view name;  // "Pod"
  const Package* package = nullptr;
  std::span<const Field> fields;  // in the order of declaration; inlined ones unexpanded
  bool is_kind = false;           // has apiVersion and kind
  bool atomic = false;            // server-side apply owns it as a whole

  /// Looks into inlined fields as well. Null when there is none.
  const Field* field(std::string_view json_name) const;
  /// The field's type at a dotted path: type.at("spec.template.spec"); lists and maps are stepped
  /// through.
  const Field* at(std::string_view dotted_path) const;
  GroupVersionKind gvk() const { return {package->group, package->version, name}; }

  /// visit(const Field&) for every JSON field, inlined ones expanded.
  template <typename Visit>
  void each_field(const Visit& visit) const {
    for (const Field& field : fields) {
      if (field.inlined) {
        field.type->each_field(visit);
      } else {
        visit(field);
      }
    }
  }
};

/// Null when unknown. find_type("apps", "v1", "Deployment"); also structs that are no kinds: ("",
/// "v1", "PodSpec").
const Type* find_type(std::string_view group, std::string_view version, std::string_view name);
inline const Type* find_type(const GroupVersionKind& kind) {
  return find_type(kind.group, kind.version, kind.kind);
}
/// Like find_type, but aborts when the tables lack it: for names in our own code.
const Type& must_find_type(std::string_view group, std::string_view version, std::string_view name);

/// All types, by package and name.
std::span<const Type> all_types();
std::span<const Package> all_packages();

}  // namespace tripod::kube::schema
