#pragma once
// What a Raft entry of this member's log means: one or more commands, each with the name of who
// waits for its result. Entry data is a sequence of
//
//   varint length | kind (1 byte) | origin, life, sequence (8 bytes each, little endian) | caller |
//   request as protobuf
//
// A kind with its high bit set is followed by its caller, as varint auth_revision, varint length
// and name; without, it is the cluster's own command and there is none.
//
// Entries of other releases may hold kinds unknown here; applying one is lost ground, for members
// would come apart.

#include <variant>
#include <vector>

#include "firmware/etcd/api/auth_messages.h"
#include "firmware/etcd/auth/caller.h"
#include "platform/base/result.h"

namespace tripod::etcd {

/// What a member tells the others about itself.
struct MemberAttributes {
  MemberId id = 0;
  std::string name;
  std::vector<std::string> client_urls;
};

/// A leader's word that a lease ran out. It counts only in the term it was given in: a later leader
/// extended every lease, and may have renewed this one.
struct LeaseExpiry {
  LeaseId id = 0;
  std::uint64_t term = 0;
};

using CommandRequest = std::variant<PutRequest, DeleteRangeRequest, TxnRequest, CompactionRequest,
                                    LeaseGrantRequest, LeaseRevokeRequest, MemberAttributes,
                                    AuthCommand, AlarmRequest, LeaseExpiry, DowngradeRequest>;

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
  OnBehalfOf caller;
  CommandRequest request;
};

void append_command(Bytes& out, CommandId id, const CommandRequest& request,
                    const OnBehalfOf& caller = {});
Result<std::vector<Command>> decode_commands(BytesView data);

}  // namespace tripod::etcd
