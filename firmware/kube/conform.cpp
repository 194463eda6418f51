// A document against its schema: JSON types refused, unknown fields removed, values brought into
// their one form.

#include <format>

#include "firmware/kube/decode.h"
#include "firmware/kube/quantity.h"
#include "platform/base/time.h"

namespace tripod::kube {

namespace {

using schema::Container;
using schema::Field;
using schema::Kind;
using schema::Type;

std::string_view json_type_name(const json::Value& value) {
  switch (value.kind()) {
    case boost::json::kind::null: return "null";
    case boost::json::kind::bool_: return "bool";
    case boost::json::kind::int64:
    case boost::json::kind::uint64:
    case boost::json::kind::double_: return "number";
    case boost::json::kind::string: return "string";
    case boost::json::kind::array: return "array";
    case boost::json::kind::object: return "object";
  }
  return {};
}

/// As Go names the type: "v1.Container", "int32".
std::string go_name(const Field& field) {
  switch (field.kind) {
    case Kind::string:
      return field.extra && !field.extra->go_type.empty()
                 ? std::format("v1.{}", field.extra->go_type)
                 : "string";
    case Kind::int32: return "int32";
    case Kind::int64: return "int64";
    case Kind::boolean: return "bool";
    case Kind::number: return "float64";
    case Kind::bytes: return "[]uint8";
    case Kind::time: return "v1.Time";
    case Kind::micro_time: return "v1.MicroTime";
    case Kind::duration: return "v1.Duration";
    case Kind::quantity: return "resource.Quantity";
    case Kind::int_or_string: return "intstr.IntOrString";
    case Kind::object: return std::format("v1.{}", field.type->name);
    case Kind::any: return "runtime.RawExtension";
  }
  return {};
}

std::string go_type(const Field& field) {
  const std::string name = go_name(field);
  switch (field.container) {
    case Container::single: return name;
    case Container::list: return "[]" + name;
    case Container::map: return "map[string]" + name;
  }
  return name;
}

bool is_zero(const json::Value& value) {
  if (const auto* whole = value.if_int64()) return *whole == 0;
  if (const auto* real = value.if_double()) return *real == 0;
  if (const auto* truth = value.if_bool()) return !*truth;
  if (const auto* text = value.if_string()) return text->empty();
  if (const auto* array = value.if_array()) return array->empty();
  return false;
}

/// Whether Go's encoder would leave the value out.
bool is_omitted(const Field& field, const json::Value& value) {
  if (value.is_null()) return true;
  if (!field.omit_empty || field.pointer) return false;
  if (field.is_map()) return value.get_object().empty();
  if (field.is_list()) return value.get_array().empty();
  switch (field.kind) {
    case Kind::string:
    case Kind::int32:
    case Kind::int64:
    case Kind::boolean:
    case Kind::number:
    case Kind::bytes: return is_zero(value);
    case Kind::time:
    case Kind::micro_time:
    case Kind::duration:
    case Kind::quantity:
    case Kind::int_or_string:
    case Kind::object:
    case Kind::any: return false;
  }
  return false;
}

/// What a null stands for as an element of a list or a value of a map.
json::Value zero_of(Kind kind) {
  switch (kind) {
    case Kind::int32:
    case Kind::int64:
    case Kind::int_or_string: return 0;
    case Kind::number: return 0.0;
    case Kind::boolean: return false;
    case Kind::quantity: return "0";
    case Kind::object: return json::Object();
    case Kind::any:
    case Kind::time:
    case Kind::micro_time: return nullptr;
    case Kind::string:
    case Kind::bytes:
    case Kind::duration: return "";
  }
  return nullptr;
}

/// The position of the first byte that is no base64, or npos.
std::size_t illegal_base64(std::string_view text) {
  std::size_t size = 0;
  std::size_t padding = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n' || c == '\r') continue;
    const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                        (c >= '0' && c <= '9') || c == '+' || c == '/';
    if (c == '=' ? size % 4 < 2 : !letter || padding > 0) return i;
    padding += c == '=' ? 1 : 0;
    ++size;
  }
  return size % 4 == 0 ? text.npos : text.size();
}

class Conformer {
 public:
  explicit Conformer(std::vector<std::string>& unknown) : unknown_(unknown) {}

  Result<> object(const Type& type, json::Value& value, const std::string& path,
                  const std::string& go_path) {
    if (!value.is_object()) {
      return fail(ErrorCode::invalid,
                  std::format("json: cannot unmarshal {} into Go value of type v1.{}",
                              json_type_name(value), type.name));
    }
    json::Object& object = value.get_object();
    std::vector<std::string> dropped;
    for (auto& [key, member] : object) {
      const std::string_view name = key;
      const Field* field = type.field(name);
      std::string here = path.empty() ? std::string(name) : std::format("{}.{}", path, name);
      if (!field) {
        if (unknown_.size() < unknown_max)
          unknown_.push_back(std::format("unknown field {}", go_quote(here)));
        dropped.emplace_back(name);
        continue;
      }
      const std::string go_here =
          go_path.empty() ? std::string(name) : std::format("{}.{}", go_path, name);
      Context context{type, *field, go_here};
      if (!member.is_null()) {
        if (auto done = contained(context, member, here); !done) return done;
      }
      if (is_omitted(*field, member)) dropped.emplace_back(name);
    }
    for (const std::string& name : dropped) json::erase(object, name);
    return {};
  }

 private:
  static constexpr std::size_t unknown_max = 64;

  struct Context {
    const Type& owner;
    const Field& field;
    const std::string& go_path;
  };

  static std::unexpected<Error> mismatch(const Context& context, const json::Value& value,
                                         const std::string& wanted) {
    std::string found(json_type_name(value));
    if (value.is_number() && (wanted == "int32" || wanted == "int64"))
      found += " " + json::serialize(value);
    return fail(ErrorCode::invalid,
                std::format("json: cannot unmarshal {} into Go struct field {}.{} of type {}",
                            found, context.owner.name, context.go_path, wanted));
  }

  Result<> contained(const Context& context, json::Value& value, const std::string& path) {
    const Field& field = context.field;
    if (field.is_list()) {
      if (!value.is_array()) return mismatch(context, value, go_type(field));
      std::size_t index = 0;
      for (json::Value& element : value.get_array()) {
        if (element.is_null()) element = zero_of(field.kind);
        if (auto done = single(context, element, std::format("{}[{}]", path, index)); !done)
          return done;
        ++index;
      }
      return {};
    }
    if (field.is_map()) {
      if (!value.is_object()) return mismatch(context, value, go_type(field));
      for (auto& [key, element] : value.get_object()) {
        if (element.is_null()) element = zero_of(field.kind);
        if (auto done = single(context, element, std::format("{}.{}", path, std::string_view(key)));
            !done)
          return done;
      }
      return {};
    }
    return single(context, value, path);
  }

  Result<> single(const Context& context, json::Value& value, const std::string& path) {
    const Field& field = context.field;
    switch (field.kind) {
      case Kind::string:
        if (!value.is_string()) return mismatch(context, value, go_name(field));
        return {};
      case Kind::boolean:
        if (!value.is_bool()) return mismatch(context, value, "bool");
        return {};
      case Kind::number:
        if (!value.is_number()) return mismatch(context, value, "float64");
        return {};
      case Kind::int32:
      case Kind::int64: return integer(context, value);
      case Kind::int_or_string: return value.is_string() ? Result<>() : integer(context, value);
      case Kind::bytes: return bytes(context, value);
      case Kind::time:
      case Kind::micro_time: return time(context, value);
      case Kind::duration:
        if (!value.is_string()) return mismatch(context, value, "string");
        return {};
      case Kind::quantity: return quantity(context, value);
      case Kind::object:
        if (!value.is_object()) return mismatch(context, value, go_name(field));
        return object(*field.type, value, path, context.go_path);
      case Kind::any: return {};
    }
    return {};
  }

  static Result<> integer(const Context& context, json::Value& value) {
    const bool narrow = context.field.kind != Kind::int64;
    const std::string wanted = narrow ? "int32" : "int64";
    if (!value.is_number()) return mismatch(context, value, wanted);
    const auto number = json::as_int(value);
    if (!number || (narrow && (*number > INT32_MAX || *number < INT32_MIN)))
      return mismatch(context, value, wanted);
    if (value.is_double()) value = *number;
    return {};
  }

  static Result<> bytes(const Context& context, json::Value& value) {
    if (!value.is_string()) return mismatch(context, value, "[]uint8");
    const std::size_t bad = illegal_base64(json::as_string(value));
    if (bad == std::string_view::npos) return {};
    return fail(ErrorCode::invalid, std::format("illegal base64 data at input byte {}", bad));
  }

  static Result<> time(const Context& context, json::Value& value) {
    if (!value.is_string()) return mismatch(context, value, "string");
    const std::string_view text = json::as_string(value);
    auto parsed = parse_rfc3339(text);
    const bool micro = context.field.kind == Kind::micro_time;
    if (!parsed) {
      return fail(
          ErrorCode::invalid,
          std::format(
              "parsing time {} as \"2006-01-02T15:04:05{}Z07:00\": cannot parse {} as \"2006\"",
              go_quote(text), micro ? ".000000" : "", go_quote(text)));
    }
    value = micro ? to_rfc3339_micro(*parsed) : to_rfc3339(*parsed);
    return {};
  }

  static Result<> quantity(const Context& context, json::Value& value) {
    if (!value.is_string() && !value.is_number())
      return mismatch(context, value, "resource.Quantity");
    auto parsed = Quantity::parse(value.is_string() ? std::string(json::as_string(value))
                                                    : json::serialize(value));
    if (!parsed) return std::unexpected(parsed.error());
    value = parsed->to_string();
    return {};
  }

  std::vector<std::string>& unknown_;
};

}  // namespace

Result<> conform(const Type& type, json::Value& object, std::vector<std::string>& unknown) {
  return Conformer(unknown).object(type, object, "", "");
}

}  // namespace tripod::kube
