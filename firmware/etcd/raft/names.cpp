#include "firmware/etcd/raft/actions.h"
#include "firmware/etcd/raft/message.h"
#include "firmware/etcd/raft/progress.h"

namespace tripod::etcd::raft {

std::string_view name_of(Refused reason) {
  switch (reason) {
    case Refused::no_leader: return "no_leader";
    case Refused::leader_lost: return "leader_lost";
    case Refused::transferring: return "transferring";
    case Refused::too_large: return "too_large";
    case Refused::overloaded: return "overloaded";
    case Refused::change_pending: return "change_pending";
    case Refused::change_invalid: return "change_invalid";
    case Refused::not_a_member: return "not_a_member";
  }
  return "?";
}

std::string_view name_of(Role role) {
  switch (role) {
    case Role::follower: return "follower";
    case Role::pre_candidate: return "pre_candidate";
    case Role::candidate: return "candidate";
    case Role::leader: return "leader";
  }
  return "?";
}

std::string_view name_of(Replication state) {
  switch (state) {
    case Replication::probe: return "probe";
    case Replication::replicate: return "replicate";
    case Replication::snapshot: return "snapshot";
  }
  return "?";
}

std::string_view name_of(const MessageBody& body) {
  return std::visit(Overloaded{
                        [](const PreVote&) { return "PreVote"; },
                        [](const PreVoteResponse&) { return "PreVoteResponse"; },
                        [](const Vote&) { return "Vote"; },
                        [](const VoteResponse&) { return "VoteResponse"; },
                        [](const Append&) { return "Append"; },
                        [](const AppendResponse&) { return "AppendResponse"; },
                        [](const Heartbeat&) { return "Heartbeat"; },
                        [](const HeartbeatResponse&) { return "HeartbeatResponse"; },
                        [](const TimeoutNow&) { return "TimeoutNow"; },
                        [](const Forward&) { return "Forward"; },
                        [](const ForwardRefused&) { return "ForwardRefused"; },
                        [](const ReadIndex&) { return "ReadIndex"; },
                        [](const ReadIndexResponse&) { return "ReadIndexResponse"; },
                        [](const InstallSnapshot&) { return "InstallSnapshot"; },
                        [](const InstallSnapshotResponse&) { return "InstallSnapshotResponse"; },
                    },
                    body);
}

}  // namespace tripod::etcd::raft
