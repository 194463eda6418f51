#pragma once
// How a source file declares tables and makes encode and decode of them: TRIPOD_WIRE(Message,
// field<1>(&Message::member), ...) inside namespace table, TRIPOD_INSTANTIATE(Message) outside. The
// shape (shape.h) comes with it.
//
// Included by the codec's source files alone; everyone else uses codec.h.

#include "firmware/etcd/api/codec.h"
#include "firmware/etcd/api/shape_table.h"
#include "firmware/etcd/api/table.h"

namespace tripod::etcd {
namespace table {

#define TRIPOD_WIRE(Message, ...)                           \
  template <>                                               \
  struct Wire<Message> {                                    \
    static constexpr std::string_view name = #Message;      \
    static constexpr std::string_view text = #__VA_ARGS__;  \
    static constexpr auto fields = std::tuple(__VA_ARGS__); \
  }
#define TRIPOD_WIRE_ONEOF(Message, member)                                 \
  template <>                                                              \
  struct Wire<Message> {                                                   \
    static constexpr auto fields = std::tuple(oneof<1>(&Message::member)); \
    static constexpr bool needs_one = true;                                \
  }

TRIPOD_WIRE(ResponseHeader, field<1>(&ResponseHeader::cluster_id),
            field<2>(&ResponseHeader::member_id), field<3>(&ResponseHeader::revision),
            field<4>(&ResponseHeader::raft_term));
TRIPOD_WIRE(KeyValue, field<1>(&KeyValue::key), field<2>(&KeyValue::create_revision),
            field<3>(&KeyValue::mod_revision), field<4>(&KeyValue::version),
            field<5>(&KeyValue::value), field<6>(&KeyValue::lease));

/// Messages without fields: an empty table.
template <typename T>
struct EmptyWire {
  static std::size_t size(const T&) { return 0; }
  static char* write(char* out, const T&) { return out; }
  static bool read(BytesView bytes, T&, Budget&) {
    wire::Reader reader(bytes);
    wire::Field field;
    while (reader.next(field)) continue;
    return reader.ok();
  }
};
template <typename Message>
  requires std::is_base_of_v<EmptyWire<Message>, Wire<Message>>
struct ShapeFields<Message> {
  static constexpr std::array<FieldShape, 0> fields{};
};

}  // namespace table

template <typename Message>
std::size_t encoded_size(const Message& message) {
  return table::message_size(message);
}

template <typename Message>
void append_encoded(Bytes& out, const Message& message) {
  const std::size_t before = out.size();
  const std::size_t size = table::message_size(message);
  out.resize_and_overwrite(before + size, [&](char* data, std::size_t capacity) {
    const char* end = table::write_message(data + before, message);
    CHECK(end == data + capacity, "size and write of a message disagree");
    return capacity;
  });
}

template <typename Message>
Bytes encode(const Message& message) {
  Bytes out;
  append_encoded(out, message);
  return out;
}

template <typename Message>
Result<Message> decode(BytesView bytes, DecodeLimits limits) {
  Message message;
  table::Budget budget{limits.depth_max, limits.elements_max};
  if (!table::read_message(bytes, message, budget)) {
    return fail(ErrorCode::invalid, "malformed protobuf message");
  }
  return message;
}

template <typename Message>
const MessageShape& shape_of() {
  static constexpr MessageShape shape{table::ShapeFields<Message>::fields};
  return shape;
}

#define TRIPOD_INSTANTIATE(Message)                         \
  template Bytes encode(const Message&);                    \
  template std::size_t encoded_size(const Message&);        \
  template void append_encoded(Bytes&, const Message&);     \
  template Result<Message> decode(BytesView, DecodeLimits); \
  template const MessageShape& shape_of<Message>()

}  // namespace tripod::etcd
