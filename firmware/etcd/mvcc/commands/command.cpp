#include "firmware/etcd/mvcc/commands/command.h"

#include "firmware/etcd/api/codec.h"
#include "firmware/etcd/api/wire.h"

namespace tripod::etcd {
namespace {

constexpr std::size_t header_bytes = 25;
constexpr std::uint8_t has_caller = 0x80;  // in the kind
constexpr DecodeLimits stored_limits{.depth_max = 400, .elements_max = std::size_t{1} << 24U};

void append_fixed(Bytes& out, std::uint64_t value) {
  for (unsigned shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>(value >> shift));
}

std::uint64_t read_fixed(BytesView bytes) {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < 8; ++i) {
    value |= std::uint64_t{static_cast<std::uint8_t>(bytes[i])} << (8 * i);
  }
  return value;
}

Bytes encode_request(const MemberAttributes& attributes) {
  return encode(MemberInfo{
      .id = attributes.id, .name = attributes.name, .client_urls = attributes.client_urls});
}
/// Two varints.
Bytes encode_request(const LeaseExpiry& expiry) {
  Bytes out;
  wire::append_varint(out, static_cast<std::uint64_t>(expiry.id));
  wire::append_varint(out, expiry.term);
  return out;
}
template <typename Request>
Bytes encode_request(const Request& request) {
  return encode(request);
}

bool take_varint(BytesView& data, std::uint64_t& value);

template <typename Request>
Result<CommandRequest> decode_request(BytesView bytes) {
  if constexpr (std::is_same_v<Request, MemberAttributes>) {
    auto member = decode<MemberInfo>(bytes, stored_limits);
    if (!member) return std::unexpected(member.error());
    return MemberAttributes{member->id, std::move(member->name), std::move(member->client_urls)};
  } else if constexpr (std::is_same_v<Request, LeaseExpiry>) {
    std::uint64_t id = 0;
    LeaseExpiry expiry;
    if (!take_varint(bytes, id) || !take_varint(bytes, expiry.term)) {
      return fail(ErrorCode::corrupt, "malformed log entry");
    }
    expiry.id = static_cast<LeaseId>(id);
    return expiry;
  } else {
    auto request = decode<Request>(bytes, stored_limits);
    if (!request) return std::unexpected(request.error());
    return std::move(*request);
  }
}

template <std::size_t Kind = 0>
Result<CommandRequest> decode_kind(std::size_t kind, BytesView bytes) {
  if constexpr (Kind < std::variant_size_v<CommandRequest>) {
    if (kind == Kind)
      return decode_request<std::variant_alternative_t<Kind, CommandRequest>>(bytes);
    return decode_kind<Kind + 1>(kind, bytes);
  } else {
    return fail(ErrorCode::unsupported, "a log entry holds a command of another release");
  }
}

/// Takes a varint off the front.
bool take_varint(BytesView& data, std::uint64_t& value) {
  value = 0;
  for (std::size_t used = 0; used < data.size() && used < 10; ++used) {
    const auto byte = static_cast<std::uint8_t>(data[used]);
    value |= std::uint64_t{byte & 0x7FU} << (7 * used);
    if (byte < 0x80) {
      data.remove_prefix(used + 1);
      return true;
    }
  }
  return false;
}

bool take_caller(BytesView& data, Caller& caller) {
  std::uint64_t length = 0;
  if (!take_varint(data, caller.auth_revision) || !take_varint(data, length)) return false;
  if (length > data.size()) return false;
  caller.user = data.substr(0, static_cast<std::size_t>(length));
  data.remove_prefix(caller.user.size());
  return true;
}

/// `whole` is everything behind the length.
Result<Command> decode_command(BytesView whole) {
  Command command;
  const auto kind = static_cast<std::uint8_t>(whole[0]);
  command.id = {read_fixed(whole.substr(1)), read_fixed(whole.substr(9)),
                read_fixed(whole.substr(17))};
  whole.remove_prefix(header_bytes);
  if ((kind & has_caller) != 0 && !take_caller(whole, command.caller.emplace())) {
    return fail(ErrorCode::corrupt, "malformed log entry");
  }
  auto request = decode_kind(kind & ~has_caller, whole);
  if (!request) return std::unexpected(request.error());
  command.request = std::move(*request);
  return command;
}

}  // namespace

void append_command(Bytes& out, CommandId id, const CommandRequest& request,
                    const OnBehalfOf& caller) {
  const Bytes payload =
      std::visit([](const auto& inner) { return encode_request(inner); }, request);
  Bytes whose;
  if (caller) {
    wire::append_varint(whose, caller->auth_revision);
    wire::append_varint(whose, caller->user.size());
    whose += caller->user;
  }
  wire::append_varint(out, header_bytes + whose.size() + payload.size());
  out.push_back(static_cast<char>(request.index() | (caller ? has_caller : 0U)));
  append_fixed(out, id.origin);
  append_fixed(out, id.life);
  append_fixed(out, id.sequence);
  out += whose;
  out += payload;
}

Result<std::vector<Command>> decode_commands(BytesView data) {
  std::vector<Command> commands;
  while (!data.empty()) {
    std::uint64_t length = 0;
    if (!take_varint(data, length) || length < header_bytes || length > data.size()) {
      return fail(ErrorCode::corrupt, "malformed log entry");
    }
    auto command = decode_command(data.substr(0, static_cast<std::size_t>(length)));
    if (!command) return std::unexpected(command.error());
    commands.push_back(std::move(*command));
    data.remove_prefix(static_cast<std::size_t>(length));
  }
  return commands;
}

}  // namespace tripod::etcd
