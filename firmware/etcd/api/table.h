#pragma once
// Messages as tables: Wire<M>::fields is a tuple of field<NUMBER>(&M::member) entries, and size,
// write and read are derived from the member's type. Scalars at their zero value are left out, as
// proto3 does; single messages are always written, because Go clients dereference them unasked.
//
// Included by the codec's source files alone; everyone else uses codec.h.

#include <optional>
#include <tuple>
#include <type_traits>
#include <variant>
#include <vector>

#include "firmware/etcd/api/wire.h"

namespace tripod::etcd::table {

/// Specialised per message with `static constexpr auto fields`, or with own size, write and read.
template <typename Message>
struct Wire;

struct Budget {
  std::size_t depth = 0;     // messages that may still be opened inside each other
  std::size_t elements = 0;  // elements of repeated fields that may still be stored
};

template <typename T>
std::size_t message_size(const T& message);
template <typename T>
char* write_message(char* out, const T& message);
template <typename T>
bool read_message(BytesView bytes, T& message, Budget& budget);

template <typename T>
concept Scalar = std::is_integral_v<T> || std::is_enum_v<T>;

template <typename T>
struct IsVector : std::false_type {};
template <typename T>
struct IsVector<std::vector<T>> : std::true_type {};
template <typename T>
struct IsOptional : std::false_type {};
template <typename T>
struct IsOptional<std::optional<T>> : std::true_type {};

template <Scalar T>
std::uint64_t to_varint(T value) {
  if constexpr (std::is_enum_v<T>) {
    return static_cast<std::uint64_t>(std::to_underlying(value));
  } else {
    return static_cast<std::uint64_t>(value);
  }
}

template <Scalar T>
T from_varint(std::uint64_t value) {
  if constexpr (std::is_enum_v<T>) {
    // Unknown enumerators survive as values that no switch knows.
    return static_cast<T>(value > 0xFF ? 0xFFU : static_cast<unsigned>(value));
  } else if constexpr (std::is_same_v<T, bool>) {
    return value != 0;
  } else {
    return static_cast<T>(value);
  }
}

// --- one value of a field ---

template <typename T>
std::size_t value_size(std::uint32_t number, const T& value) {
  if constexpr (Scalar<T>) {
    return wire::tag_size(number) + wire::varint_size(to_varint(value));
  } else if constexpr (std::is_same_v<T, Bytes>) {
    return wire::bytes_field_size(number, value.size());
  } else {
    return wire::bytes_field_size(number, message_size(value));
  }
}

template <typename T>
char* write_value(char* out, std::uint32_t number, const T& value) {
  if constexpr (Scalar<T>) {
    return wire::put_varint(wire::put_tag(out, number, wire::Type::varint), to_varint(value));
  } else {
    out = wire::put_tag(out, number, wire::Type::bytes);
    if constexpr (std::is_same_v<T, Bytes>) {
      return wire::put_bytes(wire::put_varint(out, value.size()), value);
    } else {
      return write_message(wire::put_varint(out, message_size(value)), value);
    }
  }
}

template <typename T>
bool read_value(const wire::Field& field, T& value, Budget& budget) {
  if constexpr (Scalar<T>) {
    if (field.type != wire::Type::varint) return false;
    value = from_varint<T>(field.value);
    return true;
  } else {
    if (field.type != wire::Type::bytes) return false;
    if constexpr (std::is_same_v<T, Bytes>) {
      value.assign(field.bytes);
      return true;
    } else {
      return read_message(field.bytes, value, budget);
    }
  }
}

// --- entries of a table ---

template <std::uint32_t Number, typename Struct, typename Member>
struct FieldEntry {
  Member Struct::* member;

  std::size_t size(const Struct& message) const {
    const Member& value = message.*member;
    std::size_t total = 0;
    if constexpr (IsVector<Member>::value) {
      for (const auto& element : value) total += value_size(Number, element);
    } else if constexpr (IsOptional<Member>::value) {
      if (value) total = value_size(Number, *value);
    } else if constexpr (Scalar<Member> || std::is_same_v<Member, Bytes>) {
      if (value != Member{}) total = value_size(Number, value);
    } else {
      total = value_size(Number, value);
    }
    return total;
  }
  char* write(char* out, const Struct& message) const {
    const Member& value = message.*member;
    if constexpr (IsVector<Member>::value) {
      for (const auto& element : value) out = write_value(out, Number, element);
    } else if constexpr (IsOptional<Member>::value) {
      if (value) out = write_value(out, Number, *value);
    } else if constexpr (Scalar<Member> || std::is_same_v<Member, Bytes>) {
      if (value != Member{}) out = write_value(out, Number, value);
    } else {
      out = write_value(out, Number, value);
    }
    return out;
  }
  bool read(const wire::Field& field, Struct& message, Budget& budget, bool& known) const {
    if (field.number != Number) return true;
    known = true;
    Member& value = message.*member;
    if constexpr (IsVector<Member>::value) {
      return read_element(field, value, budget);
    } else if constexpr (IsOptional<Member>::value) {
      if (!value) value.emplace();
      return read_value(field, *value, budget);
    } else {
      return read_value(field, value, budget);
    }
  }

 private:
  template <typename T>
  static bool read_element(const wire::Field& field, std::vector<T>& elements, Budget& budget) {
    if constexpr (Scalar<T>) {
      if (field.type == wire::Type::bytes) return read_packed(field.bytes, elements, budget);
    }
    if (budget.elements-- == 0) return false;
    return read_value(field, elements.emplace_back(), budget);
  }
  template <typename T>
  static bool read_packed(BytesView bytes, std::vector<T>& elements, Budget& budget) {
    wire::Reader reader(bytes);
    while (!reader.at_end()) {
      std::uint64_t number = 0;
      if (!reader.varint(number) || budget.elements-- == 0) return false;
      elements.push_back(from_varint<T>(number));
    }
    return reader.ok();
  }
};

/// A oneof of messages: alternative i of the variant has the field number First + i. One of them
/// must be there.
template <std::uint32_t First, typename Struct, typename Variant>
struct OneofEntry {
  Variant Struct::* member;

  static std::uint32_t number_of(const Variant& value) {
    return First + static_cast<std::uint32_t>(value.index());
  }
  std::size_t size(const Struct& message) const {
    const Variant& value = message.*member;
    return std::visit([&](const auto& inner) { return value_size(number_of(value), inner); },
                      value);
  }
  char* write(char* out, const Struct& message) const {
    const Variant& value = message.*member;
    return std::visit([&](const auto& inner) { return write_value(out, number_of(value), inner); },
                      value);
  }
  bool read(const wire::Field& field, Struct& message, Budget& budget, bool& known) const {
    return read_alternative<0>(field, message.*member, budget, known);
  }

 private:
  template <std::size_t Index>
  static bool read_alternative(const wire::Field& field, Variant& value, Budget& budget,
                               bool& known) {
    if constexpr (Index < std::variant_size_v<Variant>) {
      if (field.number != First + Index) {
        return read_alternative<Index + 1>(field, value, budget, known);
      }
      known = true;
      return read_value(field, value.template emplace<Index>(), budget);
    } else {
      return true;
    }
  }
};

template <std::uint32_t Number, typename Struct, typename Member>
constexpr auto field(Member Struct::* member) {
  return FieldEntry<Number, Struct, Member>{member};
}
template <std::uint32_t First, typename Struct, typename Variant>
constexpr auto oneof(Variant Struct::* member) {
  return OneofEntry<First, Struct, Variant>{member};
}

// --- whole messages ---

template <typename T>
concept Tabled = requires { Wire<T>::fields; };

template <typename T>
std::size_t message_size(const T& message) {
  if constexpr (Tabled<T>) {
    return std::apply(
        [&](const auto&... entries) { return (std::size_t{0} + ... + entries.size(message)); },
        Wire<T>::fields);
  } else {
    return Wire<T>::size(message);
  }
}

template <typename T>
char* write_message(char* out, const T& message) {
  if constexpr (Tabled<T>) {
    std::apply([&](const auto&... entries) { ((out = entries.write(out, message)), ...); },
               Wire<T>::fields);
    return out;
  } else {
    return Wire<T>::write(out, message);
  }
}

template <typename T>
bool read_message(BytesView bytes, T& message, Budget& budget) {
  if (budget.depth == 0) return false;
  --budget.depth;
  bool good = true;
  bool any = false;
  if constexpr (Tabled<T>) {
    wire::Reader reader(bytes);
    wire::Field field;
    while (good && reader.next(field)) {
      bool known = false;
      std::apply(
          [&](const auto&... entries) {
            good = (entries.read(field, message, budget, known) && ...);
          },
          Wire<T>::fields);
      any = any || known;
    }
    good = good && reader.ok();
    if constexpr (requires { message.missing; }) {
      message.missing = !any;
    } else if constexpr (requires { Wire<T>::needs_one; }) {
      good = good && any;
    }
  } else {
    good = Wire<T>::read(bytes, message, budget);
  }
  ++budget.depth;
  return good;
}

}  // namespace tripod::etcd::table
