#pragma once
// Shapes out of wire tables: numbers and types come from the entries of a table, names from the
// text it was written as. What the .proto files name otherwise, and which strings are text, stands
// in the lists below.
//
// Included by message_tables.h alone.

#include <algorithm>
#include <array>

#include "firmware/etcd/api/messages.h"
#include "firmware/etcd/api/shape.h"
#include "firmware/etcd/api/table.h"

namespace tripod::etcd::table {

/// Specialised for enums whose enumerators have names in JSON.
template <typename Enum>
inline constexpr std::array<std::string_view, 0> enumerator_names{};
template <>
inline constexpr std::array<std::string_view, 2> enumerator_names<EventType>{"PUT", "DELETE"};
template <>
inline constexpr std::array<std::string_view, 3> enumerator_names<SortOrder>{"NONE", "ASCEND",
                                                                             "DESCEND"};
template <>
inline constexpr std::array<std::string_view, 5> enumerator_names<SortTarget>{
    "KEY", "VERSION", "CREATE", "MOD", "VALUE"};
template <>
inline constexpr std::array<std::string_view, 4> enumerator_names<CompareResult>{
    "EQUAL", "GREATER", "LESS", "NOT_EQUAL"};
template <>
inline constexpr std::array<std::string_view, 5> enumerator_names<CompareTarget>{
    "VERSION", "CREATE", "MOD", "VALUE", "LEASE"};
template <>
inline constexpr std::array<std::string_view, 2> enumerator_names<WatchFilter>{"NOPUT", "NODELETE"};
template <>
inline constexpr std::array<std::string_view, 3> enumerator_names<AlarmAction>{"GET", "ACTIVATE",
                                                                               "DEACTIVATE"};
template <>
inline constexpr std::array<std::string_view, 3> enumerator_names<AlarmType>{"NONE", "NOSPACE",
                                                                             "CORRUPT"};

template <>
inline constexpr std::array<std::string_view, 3> enumerator_names<DowngradeAction>{
    "VALIDATE", "ENABLE", "CANCEL"};

/// Specialised for messages with a oneof: the names of its alternatives.
template <typename Message>
inline constexpr std::array<std::string_view, 0> alternative_names{};
template <>
inline constexpr std::array<std::string_view, 4> alternative_names<RequestOp>{
    "request_range", "request_put", "request_delete_range", "request_txn"};
template <>
inline constexpr std::array<std::string_view, 4> alternative_names<ResponseOp>{
    "response_range", "response_put", "response_delete_range", "response_txn"};
template <>
inline constexpr std::array<std::string_view, 3> alternative_names<WatchRequest>{
    "create_request", "cancel_request", "progress_request"};

struct Renamed {
  std::string_view here;
  std::string_view there;
};

/// rpc.proto does not name its fields alike; ResponseHeader alone keeps raft_term and member_id.
inline constexpr Renamed renamed_fields[] = {
    {"ttl", "TTL"},
    {"id", "ID"},
    {"granted_ttl", "grantedTTL"},
    {"peer_urls", "peerURLs"},
    {"client_urls", "clientURLs"},
    {"is_learner", "isLearner"},
    {"member_id", "memberID"},
    {"target_id", "targetID"},
    {"db_size", "dbSize"},
    {"raft_index", "raftIndex"},
    {"raft_term", "raftTerm"},
    {"raft_applied_index", "raftAppliedIndex"},
    {"db_size_in_use", "dbSizeInUse"},
    {"storage_version", "storageVersion"},
    {"db_size_quota", "dbSizeQuota"},
    {"downgrade_info", "downgradeInfo"},
    {"target_version", "targetVersion"},
    {"hashed_password", "hashedPassword"},
    {"perm_type", "permType"},
    {"permissions", "perm"},
    {"permission", "perm"},
    {"auth_revision", "authRevision"},
};
/// These hold bytes in every message; other strings are text, but for `name` in the messages of
/// v3lock and v3election.
inline constexpr std::string_view byte_fields[] = {"key", "range_end", "value", "keys", "blob"};
inline constexpr std::string_view byte_names[] = {"LockRequest", "CampaignRequest", "LeaderRequest",
                                                  "LeaderKey"};

constexpr std::string_view proto_name(std::string_view message, std::string_view field) {
  if (message == "ResponseHeader") return field;
  if (message == "Permission" && field == "type") return "permType";
  for (const Renamed& renamed : renamed_fields) {
    if (renamed.here == field) return renamed.there;
  }
  return field;
}

constexpr bool holds_bytes(std::string_view message, std::string_view field) {
  if (field == "name") return std::ranges::find(byte_names, message) != std::end(byte_names);
  return std::ranges::find(byte_fields, field) != std::end(byte_fields);
}

/// The `index`th member in "field<1>(&KeyValue::key), field<2>(&KeyValue::create_revision), ...".
constexpr std::string_view member_name(std::string_view text, std::size_t index) {
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= index; ++i) begin = text.find("(&", begin) + 2;
  begin = text.find("::", begin) + 2;
  return text.substr(begin, text.find(')', begin) - begin);
}

/// All of a field but its name and number, by the type of one element of it.
template <typename T>
constexpr FieldShape shape_of_type(bool bytes) {
  FieldShape shape;
  if constexpr (std::is_same_v<T, bool>) {
    shape.kind = FieldKind::boolean;
  } else if constexpr (std::is_enum_v<T>) {
    shape.kind = FieldKind::enumeration;
    shape.enumerators = enumerator_names<T>;
  } else if constexpr (std::is_integral_v<T>) {
    static_assert(std::is_same_v<T, std::int64_t> || std::is_unsigned_v<T>);
    shape.kind = std::is_signed_v<T> ? FieldKind::int64
                 : sizeof(T) == 4    ? FieldKind::uint32
                                     : FieldKind::uint64;
  } else if constexpr (std::is_same_v<T, Bytes>) {
    shape.kind = bytes ? FieldKind::bytes : FieldKind::text;
  } else {
    shape.kind = FieldKind::message;
    shape.message = &shape_of<T>;
  }
  return shape;
}

template <typename T>
struct ElementOf {
  using Type = T;
  static constexpr bool repeated = false;
};
template <typename T>
struct ElementOf<std::vector<T>> {
  using Type = T;
  static constexpr bool repeated = true;
};
template <typename T>
struct ElementOf<std::optional<T>> {
  using Type = T;
  static constexpr bool repeated = false;
};

/// A message's shape, field by field. Written out for messages whose Wire is (see Wire<Compare>).
template <typename Message>
struct ShapeFields {
  template <std::uint32_t Number, typename Struct, typename Member>
  static constexpr std::array<FieldShape, 1> of(const FieldEntry<Number, Struct, Member>&,
                                                std::size_t index) {
    const std::string_view member = member_name(Wire<Message>::text, index);
    FieldShape shape =
        shape_of_type<typename ElementOf<Member>::Type>(holds_bytes(Wire<Message>::name, member));
    shape.name = proto_name(Wire<Message>::name, member);
    shape.number = Number;
    shape.repeated = ElementOf<Member>::repeated;
    return {shape};
  }
  template <std::uint32_t First, typename Struct, typename... Alternatives>
  static constexpr std::array<FieldShape, sizeof...(Alternatives)> of(
      const OneofEntry<First, Struct, std::variant<Alternatives...>>&, std::size_t) {
    std::array<FieldShape, sizeof...(Alternatives)> shapes{shape_of_type<Alternatives>(false)...};
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      if (i < alternative_names<Message>.size()) shapes[i].name = alternative_names<Message>[i];
      shapes[i].number = First + static_cast<std::uint32_t>(i);
      shapes[i].exclusive = true;
    }
    return shapes;
  }
  template <std::size_t... Total>
  static constexpr auto join(const std::array<FieldShape, Total>&... parts) {
    std::array<FieldShape, (0 + ... + Total)> all{};
    std::size_t at = 0;
    ((at = static_cast<std::size_t>(std::ranges::copy(parts, all.begin() + at).out - all.begin())),
     ...);
    return all;
  }
  template <std::size_t... Index>
  static constexpr auto make(std::index_sequence<Index...>) {
    return join(of(std::get<Index>(Wire<Message>::fields), Index)...);
  }
  static constexpr auto fields = make(
      std::make_index_sequence<std::tuple_size_v<std::decay_t<decltype(Wire<Message>::fields)>>>());
};

}  // namespace tripod::etcd::table
