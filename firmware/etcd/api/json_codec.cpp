#include "firmware/etcd/api/json_codec.h"

#include <charconv>
#include <format>
#include <set>

#include "firmware/etcd/api/wire.h"
#include "platform/json/json.h"

namespace tripod::etcd {
namespace {

constexpr std::string_view blanks = " \t\r\n";

// --- JSON to wire ---

/// protobuf's JSON name: "range_end" is "rangeEnd".
std::string camel_of(std::string_view name) {
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    char next = name[i];
    if (next == '_' && i + 1 < name.size()) {
      next = name[++i];
      if (next >= 'a' && next <= 'z') next = static_cast<char>(next - 'a' + 'A');
    }
    out += next;
  }
  return out;
}

std::unexpected<Error> twice(std::string_view key) {
  return fail(ErrorCode::invalid, std::format("proto: duplicate field \"{}\"", key));
}

const FieldShape* find_field(const MessageShape& shape, std::string_view key) {
  for (const FieldShape& field : shape.fields) {
    if (!field.name.empty() && (field.name == key || camel_of(field.name) == key)) return &field;
  }
  return nullptr;
}

std::string_view name_of(FieldKind kind) {
  switch (kind) {
    case FieldKind::boolean: return "bool";
    case FieldKind::int64: return "int64";
    case FieldKind::uint32: return "uint32";
    case FieldKind::uint64: return "uint64";
    case FieldKind::enumeration: return "enum";
    case FieldKind::text: return "string";
    case FieldKind::bytes: return "bytes";
    case FieldKind::message: return "message";
  }
  return "";
}

std::optional<std::uint8_t> sextet(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<std::uint8_t>(c - 'A');
  if (c >= 'a' && c <= 'z') return static_cast<std::uint8_t>(c - 'a' + 26);
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0' + 52);
  if (c == '+' || c == '-') return std::uint8_t{62};
  if (c == '/' || c == '_') return std::uint8_t{63};
  return std::nullopt;
}

/// Both alphabets of RFC 4648, padded or not.
std::optional<Bytes> from_base64(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  Bytes out;
  out.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const char c : text) {
    const auto six = sextet(c);
    if (!six) return std::nullopt;
    bits = bits << 6U | *six;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out += static_cast<char>(bits >> held & 0xFFU);
  }
  return out;
}

template <typename Number>
std::optional<std::uint64_t> whole_number(std::string_view text) {
  Number number{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(number));
}

std::optional<std::uint64_t> number_of(const json::Value& value, FieldKind kind) {
  std::string text;
  if (value.is_string()) {
    text = std::string_view(value.get_string());
  } else if (value.is_uint64()) {
    text = std::to_string(value.get_uint64());
  } else if (const auto number = json::as_int(value)) {
    text = std::to_string(*number);
  }
  if (kind == FieldKind::int64) return whole_number<std::int64_t>(text);
  if (kind == FieldKind::uint32) return whole_number<std::uint32_t>(text);
  return whole_number<std::uint64_t>(text);
}

class JsonReader {
 public:
  explicit JsonReader(DecodeLimits limits) : budget_(limits) {}

  Result<Bytes> message(const json::Value& value, const MessageShape& shape) {
    const json::Object* object = value.if_object();
    if (object == nullptr) {
      constexpr std::size_t shown_max = 64;
      const std::string shown = json::serialize(value).substr(0, value.is_array() ? 1 : shown_max);
      return fail(ErrorCode::invalid,
                  std::format("proto: syntax error: unexpected token {}", shown));
    }
    if (budget_.depth_max == 0) {
      return fail(ErrorCode::invalid, "proto: exceeded max recursion depth");
    }
    --budget_.depth_max;
    Bytes out;
    const FieldShape* exclusive = nullptr;
    std::set<const FieldShape*> seen;
    for (const auto& [key, member] : *object) {
      const FieldShape* field = find_field(shape, std::string_view(key));
      if (field == nullptr || member.is_null()) continue;
      if (!seen.insert(field).second) return twice(std::string_view(key));
      if (field->exclusive && std::exchange(exclusive, field) != nullptr) {
        return fail(ErrorCode::invalid,
                    std::format("proto: error parsing \"{}\", oneof is already set",
                                std::string_view(key)));
      }
      if (auto added = add(out, *field, member); !added) return std::unexpected(added.error());
    }
    ++budget_.depth_max;
    return out;
  }

 private:
  Result<> add(Bytes& out, const FieldShape& field, const json::Value& value) {
    if (!field.repeated) return add_one(out, field, value);
    const json::Array* elements = value.if_array();
    if (elements == nullptr) return wrong(field, value);
    for (const json::Value& element : *elements) {
      if (budget_.elements_max == 0) return fail(ErrorCode::invalid, "proto: too many elements");
      --budget_.elements_max;
      if (auto added = add_one(out, field, element); !added) return added;
    }
    return {};
  }

  Result<> add_one(Bytes& out, const FieldShape& field, const json::Value& value) {
    std::optional<std::uint64_t> number;
    std::optional<Bytes> bytes;
    switch (field.kind) {
      case FieldKind::boolean:
        if (value.is_bool()) number = value.get_bool() ? 1 : 0;
        break;
      case FieldKind::int64:
      case FieldKind::uint32:
      case FieldKind::uint64: number = number_of(value, field.kind); break;
      case FieldKind::enumeration: return add_enumerator(out, field, value);
      case FieldKind::text:
        if (value.is_string()) bytes = Bytes(std::string_view(value.get_string()));
        break;
      case FieldKind::bytes:
        if (value.is_string()) bytes = from_base64(std::string_view(value.get_string()));
        break;
      case FieldKind::message: {
        auto inner = message(value, field.message());
        if (!inner) return std::unexpected(inner.error());
        bytes = std::move(*inner);
        break;
      }
    }
    if (!number && !bytes) return wrong(field, value);
    if (number) wire::append_number(out, field.number, *number);
    if (bytes) wire::append_bytes(out, field.number, *bytes);
    return {};
  }

  /// A name that nobody knows is passed over, as unknown fields are.
  static Result<> add_enumerator(Bytes& out, const FieldShape& field, const json::Value& value) {
    if (!value.is_string()) {
      const auto number = json::as_int(value);
      if (!number || *number < 0 || *number > 0x7FFFFFFF) return wrong(field, value);
      wire::append_number(out, field.number, static_cast<std::uint64_t>(*number));
      return {};
    }
    const auto found = std::ranges::find(field.enumerators, std::string_view(value.get_string()));
    if (found == field.enumerators.end()) return {};
    wire::append_number(out, field.number,
                        static_cast<std::uint64_t>(found - field.enumerators.begin()));
    return {};
  }

  static Result<> wrong(const FieldShape& field, const json::Value& value) {
    constexpr std::size_t shown_max = 64;
    return fail(ErrorCode::invalid,
                std::format("proto: invalid value for {} field {}: {}", name_of(field.kind),
                            camel_of(field.name), json::serialize(value).substr(0, shown_max)));
  }

  DecodeLimits budget_;
};

// --- wire to JSON ---

class JsonWriter {
 public:
  JsonWriter(std::string& out, DecodeLimits limits) : out_(out), budget_(limits) {}

  bool message(BytesView bytes, const MessageShape& shape) {
    if (budget_.depth_max == 0) return false;
    --budget_.depth_max;
    out_ += '{';
    bool first = true;
    for (const FieldShape& field : shape.fields) {
      if (!field.name.empty() && !member(bytes, field, first)) return false;
    }
    out_ += '}';
    ++budget_.depth_max;
    return true;
  }

 private:
  /// All occurrences of `field` among `bytes`: of a single one the last counts.
  bool member(BytesView bytes, const FieldShape& field, bool& first) {
    wire::Reader reader(bytes);
    wire::Field found;
    std::optional<wire::Field> last;
    bool open = false;
    while (reader.next(found)) {
      if (found.number != field.number) continue;
      last = found;
      if (!field.repeated) continue;
      if (std::exchange(open, true)) {
        out_ += ',';
      } else {
        begin(field, first);
        out_ += '[';
      }
      if (budget_.elements_max-- == 0 || !element(found, field)) return false;
    }
    if (!reader.ok()) return false;
    if (open) out_ += ']';
    if (field.repeated || !last || (last->type == wire::Type::varint && last->value == 0)) {
      return true;
    }
    if (last->type == wire::Type::bytes && last->bytes.empty() &&
        field.kind != FieldKind::message) {
      return true;
    }
    begin(field, first);
    return element(*last, field);
  }

  void begin(const FieldShape& field, bool& first) {
    if (!std::exchange(first, false)) out_ += ',';
    out_ += '"';
    out_ += field.name;
    out_ += "\":";
  }

  /// Numbers of repeated fields may come packed.
  bool element(const wire::Field& found, const FieldShape& field) {
    const bool is_number = field.kind < FieldKind::text;
    if (is_number && field.repeated && found.type == wire::Type::bytes) {
      wire::Reader packed(found.bytes);
      for (bool next = false; !packed.at_end(); next = true) {
        std::uint64_t value = 0;
        if (!packed.varint(value) || budget_.elements_max-- == 0) return false;
        if (next) out_ += ',';
        number(value, field);
      }
      return packed.ok();
    }
    if (found.type != (is_number ? wire::Type::varint : wire::Type::bytes)) return false;
    if (is_number) {
      number(found.value, field);
    } else if (field.kind == FieldKind::message) {
      return message(found.bytes, field.message());
    } else if (field.kind == FieldKind::text) {
      json::serialize_string_to(out_, found.bytes);
    } else {
      out_ += '"';
      out_ += to_base64(found.bytes);
      out_ += '"';
    }
    return true;
  }

  void number(std::uint64_t value, const FieldShape& field) {
    switch (field.kind) {
      case FieldKind::boolean: out_ += value != 0 ? "true" : "false"; return;
      case FieldKind::enumeration:
        if (value < field.enumerators.size()) {
          out_ += std::format("\"{}\"", field.enumerators[static_cast<std::size_t>(value)]);
        } else {
          out_ += std::to_string(value);
        }
        return;
      case FieldKind::int64:
        out_ += std::format("\"{}\"", static_cast<std::int64_t>(value));
        return;
      case FieldKind::uint64: out_ += std::format("\"{}\"", value); return;
      case FieldKind::uint32:
      case FieldKind::text:
      case FieldKind::bytes:
      case FieldKind::message: out_ += std::to_string(value); return;
    }
  }

  std::string& out_;
  DecodeLimits budget_;
};

}  // namespace

Result<Bytes> wire_of_json(BytesView text, const MessageShape& shape, DecodeLimits limits) {
  // A nested transaction opens two objects and an array a level; `limits` count messages.
  auto value = json::parse(text, {.depth_max = 2 * limits.depth_max, .bytes_max = text.size()});
  if (!value) return fail(ErrorCode::invalid, value.error().message);
  if (const auto doubled = json::find_duplicates(text, 1); !doubled.empty()) {
    const std::string& path = doubled.front();
    return twice(std::string_view(path).substr(path.rfind('.') + 1));
  }
  return JsonReader(limits).message(*value, shape);
}

Result<std::string> json_of_wire(BytesView bytes, const MessageShape& shape, DecodeLimits limits) {
  std::string out;
  out.reserve(bytes.size() * 3 / 2 + 64);
  if (!JsonWriter(out, limits).message(bytes, shape)) {
    return fail(ErrorCode::invalid, "malformed protobuf message");
  }
  return out;
}

bool JsonSplitter::inside_value() const {
  return buffer_.find_first_not_of(blanks) != std::string::npos;
}

std::optional<Bytes> JsonSplitter::last() {
  if (depth_ > 0 || in_string_ || !inside_value()) return std::nullopt;
  scanned_ = 0;
  return std::exchange(buffer_, {});
}

std::optional<std::size_t> JsonSplitter::end_of_value() {
  for (; scanned_ < buffer_.size(); ++scanned_) {
    const char c = buffer_[scanned_];
    if (in_string_) {
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\') {
        escaped_ = true;
      } else if (c == '"') {
        in_string_ = false;
      }
      continue;
    }
    if (c == '"') in_string_ = true;
    if (c == '{' || c == '[') ++depth_;
    if (c == '}' || c == ']') {
      if (depth_ <= 1) return scanned_ + 1;
      --depth_;
    }
    // Of values that are neither objects nor arrays a line is one, to be refused by the reader.
    if (depth_ == 0 && c == '\n') return scanned_ + 1;
  }
  return std::nullopt;
}

Result<std::optional<Bytes>> JsonSplitter::next() {
  if (scanned_ == 0) buffer_.erase(0, buffer_.find_first_not_of(blanks));
  const auto end = end_of_value();
  if (end.value_or(buffer_.size()) > value_bytes_max_) {
    return fail(ErrorCode::too_large, "request body too large");
  }
  if (!end) return std::nullopt;
  Bytes value = buffer_.substr(0, *end);
  buffer_.erase(0, *end);
  scanned_ = depth_ = 0;
  in_string_ = escaped_ = false;
  return value;
}

}  // namespace tripod::etcd
