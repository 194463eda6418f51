#include "firmware/etcd/raft/codec.h"

#include <format>

#include "firmware/etcd/api/wire.h"

namespace tripod::etcd::raft {
namespace {

using wire::append_bytes;
using wire::append_number;

/// Field numbers of a message. Never reuse one.
enum Field : std::uint32_t {
  from = 1,
  to = 2,
  term = 3,
  kind = 4,  // place in MessageBody, from 1
  index = 5,
  log_term = 6,
  commit = 7,
  flag = 8,
  number = 9,  // round or token
  small = 10,  // entry type or reason
  hint_index = 11,
  hint_term = 12,
  offset = 13,
  data = 14,
  entry = 15,
  conf_state = 16,
};

/// Field numbers of an entry.
enum EntryField : std::uint32_t { entry_index = 1, entry_term = 2, entry_type = 3, entry_data = 4 };

/// All that any body has; which fields count follows from the kind.
struct Slots {
  std::uint64_t numbers[14] = {};  // by field number, index to offset
  SharedBytes data;
  std::vector<Entry> entries;
  ConfState conf_state;

  std::uint64_t& operator[](Field field) { return numbers[field]; }
  LogPosition position() const { return {{numbers[Field::index]}, {numbers[Field::log_term]}}; }
  LogPosition hint() const { return {{numbers[Field::hint_index]}, {numbers[Field::hint_term]}}; }
};

BytesView view(const SharedBytes& bytes) {
  return bytes ? BytesView(*bytes) : BytesView();
}

/// Zero is the default and is not written.
void put(Bytes& out, std::uint32_t field, std::uint64_t value) {
  if (value != 0) append_number(out, field, value);
}

void put_position(Bytes& out, LogPosition position) {
  put(out, Field::index, position.index.value);
  put(out, Field::log_term, position.term.value);
}

void put_data(Bytes& out, const SharedBytes& data) {
  if (!view(data).empty()) append_bytes(out, Field::data, view(data));
}

void put_entry(Bytes& out, const Entry& entry) {
  BytesView content = entry.view();
  std::size_t size = 0;
  auto count = [&](std::uint32_t field, std::uint64_t value) {
    if (value != 0) size += wire::tag_size(field) + wire::varint_size(value);
  };
  count(EntryField::entry_index, entry.index.value);
  count(EntryField::entry_term, entry.term.value);
  count(EntryField::entry_type, static_cast<std::uint64_t>(entry.type));
  if (!content.empty()) size += wire::bytes_field_size(EntryField::entry_data, content.size());
  wire::append_varint(out, (std::uint64_t{Field::entry} << 3U) | 2U);
  wire::append_varint(out, size);
  put(out, EntryField::entry_index, entry.index.value);
  put(out, EntryField::entry_term, entry.term.value);
  put(out, EntryField::entry_type, static_cast<std::uint64_t>(entry.type));
  if (!content.empty()) append_bytes(out, EntryField::entry_data, content);
}

struct Encoder {
  Bytes& out;

  void operator()(const PreVote& body) { put_position(out, body.last); }
  void operator()(const PreVoteResponse& body) { put(out, Field::flag, body.granted); }
  void operator()(const Vote& body) {
    put_position(out, body.last);
    put(out, Field::flag, body.transfer);
  }
  void operator()(const VoteResponse& body) { put(out, Field::flag, body.granted); }
  void operator()(const Append& body) {
    put_position(out, body.previous);
    put(out, Field::commit, body.commit.value);
    std::size_t size = 0;
    for (const Entry& one : body.entries) size += one.size_bytes();
    out.reserve(out.size() + size);
    for (const Entry& one : body.entries) put_entry(out, one);
  }
  void operator()(const AppendResponse& body) {
    put(out, Field::flag, body.rejected);
    put(out, Field::index, body.index.value);
    put(out, Field::hint_index, body.hint.index.value);
    put(out, Field::hint_term, body.hint.term.value);
  }
  void operator()(const Heartbeat& body) {
    put(out, Field::commit, body.commit.value);
    put(out, Field::number, body.read_round);
  }
  void operator()(const HeartbeatResponse& body) { put(out, Field::number, body.read_round); }
  void operator()(const TimeoutNow&) {}
  void operator()(const Forward& body) {
    put(out, Field::number, body.token);
    put(out, Field::small, static_cast<std::uint64_t>(body.type));
    put_data(out, body.data);
  }
  void operator()(const ForwardRefused& body) {
    put(out, Field::number, body.token);
    put(out, Field::small, static_cast<std::uint64_t>(body.reason));
  }
  void operator()(const ReadIndex& body) { put(out, Field::number, body.round); }
  void operator()(const ReadIndexResponse& body) {
    put(out, Field::number, body.round);
    put(out, Field::index, body.index.value);
  }
  void operator()(const InstallSnapshot& body) {
    put_position(out, body.meta.last);
    put(out, Field::offset, body.offset);
    put(out, Field::flag, body.done);
    put_data(out, body.data);
    append_bytes(out, Field::conf_state, encode(body.meta.conf_state));
  }
  void operator()(const InstallSnapshotResponse& body) {
    put(out, Field::index, body.index.value);
    put(out, Field::offset, body.offset_next);
    put(out, Field::flag, body.refused);
  }
};

std::unexpected<Error> corrupt(std::string_view what) {
  return fail(ErrorCode::corrupt, std::format("peer message: {}", what));
}

Result<Entry> decode_entry(BytesView bytes, const Limits& limits) {
  Entry result;
  wire::Reader reader(bytes);
  wire::Field field;
  while (reader.next(field)) {
    if (field.number == EntryField::entry_index) result.index = {field.value};
    if (field.number == EntryField::entry_term) result.term = {field.value};
    if (field.number == EntryField::entry_type) {
      if (field.value > 1) return corrupt("unknown entry type");
      result.type = static_cast<EntryType>(field.value);
    }
    if (field.number == EntryField::entry_data && field.type == wire::Type::bytes) {
      if (field.bytes.size() > limits.entry_bytes_max) {
        return fail(ErrorCode::too_large, "peer message: entry above the limit");
      }
      result.data = share(Bytes(field.bytes));
    }
  }
  if (!reader.ok()) return corrupt("malformed entry");
  if (result.index == LogIndex{} || result.term == Term{})
    return corrupt("entry without index or term");
  return result;
}

Result<> take_field(const wire::Field& field, Slots& slots, Message& message, std::uint64_t& kind,
                    const Limits& limits) {
  bool is_bytes = field.type == wire::Type::bytes;
  if (field.number >= Field::data && field.number <= Field::conf_state && !is_bytes) {
    return corrupt("a number where bytes belong");
  }
  if (field.number < Field::data && field.type != wire::Type::varint) {
    return corrupt("bytes where a number belongs");
  }
  switch (field.number) {
    case Field::from: message.from = {field.value}; break;
    case Field::to: message.to = {field.value}; break;
    case Field::term: message.term = {field.value}; break;
    case Field::kind: kind = field.value; break;
    case Field::data:
      if (field.bytes.size() > std::max(limits.entry_bytes_max, limits.snapshot_chunk_bytes_max)) {
        return fail(ErrorCode::too_large, "peer message: data above the limit");
      }
      slots.data = share(Bytes(field.bytes));
      break;
    case Field::entry: {
      if (slots.entries.size() >= limits.append_entries_max) {
        return fail(ErrorCode::too_large, "peer message: too many entries");
      }
      auto decoded = decode_entry(field.bytes, limits);
      if (!decoded) return std::unexpected(std::move(decoded.error()));
      slots.entries.push_back(std::move(*decoded));
      break;
    }
    case Field::conf_state: {
      auto decoded = decode_conf_state(field.bytes, limits);
      if (!decoded) return std::unexpected(std::move(decoded.error()));
      slots.conf_state = std::move(*decoded);
      break;
    }
    default:
      if (field.number >= Field::index && field.number <= Field::offset) {
        slots.numbers[field.number] = field.value;
      }
      break;  // anything else is from a later release
  }
  return {};
}

Result<MessageBody> make_body(std::uint64_t kind, Slots& slots) {
  bool flag = slots[Field::flag] != 0;
  std::uint64_t number = slots[Field::number];
  std::uint64_t small = slots[Field::small];
  LogIndex index{slots[Field::index]};
  switch (kind) {
    case 1: return PreVote{slots.position()};
    case 2: return PreVoteResponse{flag};
    case 3: return Vote{slots.position(), flag};
    case 4: return VoteResponse{flag};
    case 5: return Append{slots.position(), {slots[Field::commit]}, std::move(slots.entries)};
    case 6: return AppendResponse{flag, index, slots.hint()};
    case 7: return Heartbeat{{slots[Field::commit]}, number};
    case 8: return HeartbeatResponse{number};
    case 9: return TimeoutNow{};
    case 10:
      if (small > 1) return corrupt("unknown entry type");
      return Forward{number, static_cast<EntryType>(small), std::move(slots.data)};
    case 11:
      if (small < 1 || small > 8) return corrupt("unknown reason");
      return ForwardRefused{number, static_cast<Refused>(small)};
    case 12: return ReadIndex{number};
    case 13: return ReadIndexResponse{number, index};
    case 14:
      return InstallSnapshot{{slots.position(), std::move(slots.conf_state)},
                             slots[Field::offset],
                             std::move(slots.data),
                             flag};
    case 15: return InstallSnapshotResponse{index, slots[Field::offset], flag};
    default:
      return fail(ErrorCode::unsupported, std::format("peer message: unknown kind {}", kind));
  }
}

}  // namespace

Bytes encode(const Message& message) {
  Bytes out;
  put(out, Field::from, message.from.value);
  put(out, Field::to, message.to.value);
  put(out, Field::term, message.term.value);
  put(out, Field::kind, message.body.index() + 1);
  std::visit(Encoder{out}, message.body);
  return out;
}

Result<Message> decode(BytesView bytes, const Limits& limits) {
  Message message;
  Slots slots;
  std::uint64_t kind = 0;
  wire::Reader reader(bytes);
  wire::Field field;
  while (reader.next(field)) {
    if (auto taken = take_field(field, slots, message, kind, limits); !taken) {
      return std::unexpected(std::move(taken.error()));
    }
  }
  if (!reader.ok()) return corrupt("malformed");
  if (message.from == nobody || message.to == nobody) return corrupt("no sender or receiver");
  auto body = make_body(kind, slots);
  if (!body) return std::unexpected(std::move(body.error()));
  message.body = std::move(*body);
  return message;
}

Bytes encode(const ConfChange& change) {
  Bytes out;
  put(out, 1, static_cast<std::uint64_t>(change.type));
  put(out, 2, change.node.value);
  if (!change.context.empty()) append_bytes(out, 3, change.context);
  if (change.base) put(out, 4, change.base->value + 1);
  return out;
}

Result<ConfChange> decode_conf_change(BytesView bytes) {
  ConfChange change;
  std::uint64_t type = 0;
  wire::Reader reader(bytes);
  wire::Field field;
  while (reader.next(field)) {
    if (field.number == 1) type = field.value;
    if (field.number == 2) change.node = {field.value};
    if (field.number == 3 && field.type == wire::Type::bytes) change.context = Bytes(field.bytes);
    if (field.number == 4 && field.value > 0) change.base = LogIndex{field.value - 1};
  }
  if (!reader.ok()) return fail(ErrorCode::corrupt, "configuration change: malformed");
  if (type < 1 || type > 4) return fail(ErrorCode::corrupt, "configuration change: unknown type");
  if (change.node == nobody) return fail(ErrorCode::corrupt, "configuration change: no node");
  change.type = static_cast<ConfChangeType>(type);
  return change;
}

Bytes encode(const ConfState& state) {
  Bytes out;
  put(out, 1, state.index.value);
  for (NodeId node : state.voters) append_number(out, 2, node.value);
  for (NodeId node : state.learners) append_number(out, 3, node.value);
  return out;
}

Result<ConfState> decode_conf_state(BytesView bytes, const Limits& limits) {
  ConfState state;
  wire::Reader reader(bytes);
  wire::Field field;
  while (reader.next(field)) {
    if (field.number == 1) state.index = {field.value};
    if (field.number == 2) state.voters.push_back({field.value});
    if (field.number == 3) state.learners.push_back({field.value});
    if (state.voters.size() + state.learners.size() > limits.members_max) {
      return fail(ErrorCode::too_large, "configuration: too many members");
    }
  }
  auto ascending = [](const std::vector<NodeId>& nodes) {
    return std::ranges::adjacent_find(nodes, std::greater_equal{}) == nodes.end() &&
           !std::ranges::contains(nodes, nobody);
  };
  if (!reader.ok() || !ascending(state.voters) || !ascending(state.learners)) {
    return fail(ErrorCode::corrupt, "configuration: malformed");
  }
  return state;
}

}  // namespace tripod::etcd::raft
