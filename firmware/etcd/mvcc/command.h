#pragma once
// What a Raft entry of this member's log means: one or more commands, each with the name of who
// waits for its result. Entry data is a sequence of
//
//   varint length | kind (1 byte) | origin, life, sequence (8 bytes each, little endian) | request
//   as protobuf
//
// Entries of other releases may hold kinds unknown here; applying one is lost ground, for members
// would come apart.

#include <variant>
#include <vector>

#include "firmware/etcd/api/messages.h"
#include "platform/base/result.h"

namespace tripod::etcd {

/// What a member tells the others about itself.
struct MemberAttributes {
  MemberId id = 0;
  std::string name;
  std::vector<std::string> client_urls;
};

using CommandRequest = std::variant<PutRequest, DeleteRangeRequest, TxnRequest, CompactionRequest,
                                    LeaseGrantRequest, LeaseRevokeRequest, MemberAttributes>;

/// Who proposed it: a member, a number drawn for this life of it, and one that this life uses once,
/// rising from 1.
struct CommandId {
  MemberId origin = 0;
  std::uint64_t life = 0;
  std::uint64_t sequence = 0;
  friend bool operator==(const CommandId&, const CommandId&) = default;
};

struct Command {
  CommandId id;
  CommandRequest request;
};

void append_command(Bytes& out, CommandId id, const CommandRequest& request);
Result<std::vector<Command>> decode_commands(BytesView data);

}  // namespace tripod::etcd
