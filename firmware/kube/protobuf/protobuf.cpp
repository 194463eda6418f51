#include "firmware/kube/protobuf/protobuf.h"

#include <bit>
#include <format>

#include "firmware/kube/names.h"
#include "firmware/kube/protobuf/well_known.h"
#include "firmware/kube/protobuf/wire.h"

namespace tripod::kube::protobuf {

namespace {

using schema::Field;
using schema::Kind;
using schema::Type;

constexpr std::string_view magic("k8s\0", 4);

std::unexpected<Error> malformed() {
  return fail(ErrorCode::invalid, "malformed protobuf message");
}

bool is_zero(const json::Value& value) {
  if (const auto* whole = value.if_int64()) return *whole == 0;
  if (const auto* real = value.if_double()) return *real == 0;
  if (const auto* truth = value.if_bool()) return !*truth;
  const auto* text = value.if_string();
  return text && text->empty();
}

/// Whether Go's JSON encoder would leave the value out. Messages are never empty to it.
bool is_omitted(const Field& field, const json::Value& value) {
  if (value.is_null()) return true;
  if (!field.omit_empty || field.pointer) return false;
  return field.kind != Kind::int_or_string && is_zero(value);
}

WireType wire_type_of(Kind kind) {
  switch (kind) {
    case Kind::int32:
    case Kind::int64:
    case Kind::boolean: return WireType::varint;
    case Kind::number: return WireType::fixed64;
    case Kind::string:
    case Kind::bytes:
    case Kind::time:
    case Kind::micro_time:
    case Kind::duration:
    case Kind::quantity:
    case Kind::int_or_string:
    case Kind::object:
    case Kind::any: return WireType::bytes;
  }
  return WireType::bytes;
}

const Field* field_of(const Type& type, std::uint32_t number) {
  for (const Field& field : type.fields) {
    if (field.number == number) return &field;
  }
  return nullptr;
}

class Decoder {
 public:
  explicit Decoder(const Limits& limits) : limits_(limits) {}

  Result<> message(const Type& type, BytesView bytes, json::Object& into, std::size_t depth) {
    if (depth > limits_.depth_max)
      return fail(ErrorCode::exhausted, std::format("deeper than {} levels", limits_.depth_max));
    Reader reader(bytes);
    WireField wire;
    while (reader.next(wire)) {
      const Field* field = field_of(type, wire.number);
      if (!field) continue;
      if (++values_ > limits_.values_max)
        return fail(ErrorCode::exhausted, std::format("more than {} values", limits_.values_max));
      if (auto done = member(*field, wire, into, depth); !done) {
        const std::string_view name = field->inlined ? field->type->name : field->name;
        return fail(done.error().code, std::format("{}: {}", name, done.error().message));
      }
    }
    if (!reader.ok()) return malformed();
    return {};
  }

 private:
  Result<> member(const Field& field, const WireField& wire, json::Object& into,
                  std::size_t depth) {
    if (field.is_list()) return element(field, wire, into, depth);
    if (field.is_map()) return entry(field, wire, into, depth);
    if (auto right = check_type(field, wire, wire_type_of(field.kind)); !right) return right;
    if (field.inlined) return message(*field.type, wire.bytes, into, depth + 1);
    if (field.kind == Kind::object) {  // said twice, messages are merged
      json::Value& slot = into[field.name];
      return message(*field.type, wire.bytes,
                     slot.is_object() ? slot.get_object() : slot.emplace_object(), depth + 1);
    }
    auto value = single(field, wire, depth);
    if (!value) return std::unexpected(value.error());
    if (is_omitted(field, *value)) {
      json::erase(into, field.name);
    } else {
      into[field.name] = std::move(*value);
    }
    return {};
  }

  Result<> element(const Field& field, const WireField& wire, json::Object& into,
                   std::size_t depth) {
    json::Value& slot = into[field.name];
    json::Array& list = slot.is_array() ? slot.get_array() : slot.emplace_array();
    const WireType wanted = wire_type_of(field.kind);
    if (wire.type == WireType::bytes && wanted == WireType::varint) {
      return packed(field, wire.bytes, list);
    }
    if (auto right = check_type(field, wire, wanted); !right) return right;
    auto value = single(field, wire, depth);
    if (!value)
      return fail(value.error().code, std::format("[{}]: {}", list.size(), value.error().message));
    list.push_back(std::move(*value));
    return {};
  }

  Result<> packed(const Field& field, BytesView bytes, json::Array& list) {
    Reader reader(bytes);
    WireField wire;
    while (!reader.at_end()) {
      if (!reader.varint(wire.value)) return malformed();
      if (++values_ > limits_.values_max)
        return fail(ErrorCode::exhausted, std::format("more than {} values", limits_.values_max));
      list.push_back(scalar(field.kind, wire.value));
    }
    return {};
  }

  /// Maps are lists of {1: key, 2: value}.
  Result<> entry(const Field& field, const WireField& wire, json::Object& into, std::size_t depth) {
    if (auto right = check_type(field, wire, WireType::bytes); !right) return right;
    const WireType wanted = wire_type_of(field.kind);
    BytesView key;
    WireField value{.type = wanted};
    Reader reader(wire.bytes);
    WireField part;
    while (reader.next(part)) {
      if (part.number == 1) {
        if (auto right = check_type(field, part, WireType::bytes); !right) return right;
        key = part.bytes;
      }
      if (part.number == 2) {
        if (auto right = check_type(field, part, wanted); !right) return right;
        value = part;
      }
    }
    if (!reader.ok()) return malformed();
    if (!is_utf8(key)) return fail(ErrorCode::invalid, "key is not valid UTF-8");
    auto made = single(field, value, depth);
    if (!made)
      return fail(made.error().code, std::format("{}: {}", go_quote(key), made.error().message));
    json::Value& slot = into[field.name];
    json::Object& map = slot.is_object() ? slot.get_object() : slot.emplace_object();
    map[key] = std::move(*made);
    return {};
  }

  static Result<> check_type(const Field& field, const WireField& wire, WireType wanted) {
    if (wire.type == wanted) return {};
    return fail(ErrorCode::invalid,
                std::format("wrong wire type {} for field {}, expected {}",
                            static_cast<int>(wire.type), field.number, static_cast<int>(wanted)));
  }

  static json::Value scalar(Kind kind, std::uint64_t value) {
    if (kind == Kind::boolean) return json::Value(value != 0);
    if (kind == Kind::int32) return json::Value(std::int64_t{static_cast<std::int32_t>(value)});
    return json::Value(static_cast<std::int64_t>(value));
  }

  /// One value, element or map value; its wire type is checked.
  Result<json::Value> single(const Field& field, const WireField& wire, std::size_t depth) {
    switch (field.kind) {
      case Kind::int32:
      case Kind::int64:
      case Kind::boolean: return scalar(field.kind, wire.value);
      case Kind::number: return number(std::bit_cast<double>(wire.value));
      case Kind::string: return to_text(wire.bytes);
      case Kind::bytes: return json::Value(json::String(to_base64(wire.bytes)));
      case Kind::time: return read_time(wire.bytes, false);
      case Kind::micro_time: return read_time(wire.bytes, true);
      case Kind::duration: return read_duration(wire.bytes);
      case Kind::quantity: return read_quantity(wire.bytes);
      case Kind::int_or_string: return read_int_or_string(wire.bytes);
      case Kind::any:
        return read_raw(wire.bytes,
                        {.depth_max = limits_.depth_max - depth, .bytes_max = limits_.bytes_max});
      case Kind::object: {
        json::Value value;
        auto done = message(*field.type, wire.bytes, value.emplace_object(), depth + 1);
        if (!done) return std::unexpected(done.error());
        return value;
      }
    }
    return malformed();
  }

  static Result<json::Value> number(double value) {
    if (value - value != 0) return fail(ErrorCode::invalid, "number is not finite");
    return json::Value(value);
  }

  const Limits& limits_;
  std::size_t values_ = 0;
};

struct Envelope {
  BytesView api_version;
  BytesView kind;
  BytesView raw;
  BytesView encoding;
};

/// runtime.Unknown: {1: {1: apiVersion, 2: kind}, 2: raw, 3: contentEncoding, 4: contentType}.
Result<Envelope> open_envelope(BytesView body) {
  Envelope envelope;
  WireField field;
  Reader reader(body);
  BytesView type_meta;
  while (reader.next(field)) {
    if (field.number > 4) continue;
    if (field.type != WireType::bytes) return malformed();
    if (field.number == 1) type_meta = field.bytes;
    if (field.number == 2) envelope.raw = field.bytes;
    if (field.number == 3) envelope.encoding = field.bytes;
  }
  Reader meta(type_meta);
  while (meta.next(field)) {
    if (field.number > 2) continue;
    if (field.type != WireType::bytes) return malformed();
    (field.number == 1 ? envelope.api_version : envelope.kind) = field.bytes;
  }
  if (!reader.ok() || !meta.ok()) return malformed();
  return envelope;
}

/// Options and Status travel under any group's version.
const Type* type_of(BytesView api_version, BytesView kind) {
  const GroupVersion version = parse_group_version(api_version);
  const Type* type = schema::find_type(version.group, version.version, kind);
  if (!type) type = schema::find_type("meta.k8s.io", "v1", kind);
  return type && type->is_kind ? type : nullptr;
}

}  // namespace

Result<json::Value> decode_message(const Type& type, BytesView message, const Limits& limits) {
  if (message.size() > limits.bytes_max)
    return fail(ErrorCode::too_large, std::format("limit is {}", limits.bytes_max));
  json::Value value;
  auto done = Decoder(limits).message(type, message, value.emplace_object(), 1);
  if (!done) return std::unexpected(done.error());
  return value;
}

Result<json::Value> decode(BytesView body, const Limits& limits) {
  if (body.size() > limits.bytes_max)
    return fail(ErrorCode::too_large, std::format("limit is {}", limits.bytes_max));
  if (!body.starts_with(magic)) {
    return fail(ErrorCode::invalid,
                "provided data does not appear to be a protobuf message, expected prefix "
                "[107 56 115 0]");
  }
  auto envelope = open_envelope(body.substr(magic.size()));
  if (!envelope) return std::unexpected(envelope.error());
  if (!envelope->encoding.empty())
    return fail(ErrorCode::invalid, "content encoding of a protobuf body is not supported");
  const Type* type = type_of(envelope->api_version, envelope->kind);
  if (!type) {
    return fail(ErrorCode::invalid,
                std::format("no kind {} is registered for version {}", go_quote(envelope->kind),
                            go_quote(envelope->api_version)));
  }
  json::Value value;
  json::Object& object = value.emplace_object();
  object["apiVersion"] = envelope->api_version;
  object["kind"] = envelope->kind;
  auto done = Decoder(limits).message(*type, envelope->raw, object, 1);
  if (!done) {
    return fail(done.error().code,
                std::format("{} in version {} cannot be decoded: {}", type->name,
                            go_quote(envelope->api_version), done.error().message));
  }
  return value;
}

}  // namespace tripod::kube::protobuf
