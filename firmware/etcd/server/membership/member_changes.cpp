#include "firmware/etcd/server/membership/member_changes.h"

namespace tripod::etcd {

async::Oneshot<MemberChanges::Answer> MemberChanges::expect(const CommandId& id) {
  return waiting_[id.sequence];
}

void MemberChanges::applied(const CommandId& id) {
  if (id.origin != self_ || id.life != life_) return;
  const auto found = waiting_.find(id.sequence);
  if (found != waiting_.end()) found->second.set(Answer{});
}

bool MemberChanges::refused(std::uint64_t token, raft::Refused reason) {
  if ((token & token_mark) == 0) return false;
  const auto found = waiting_.find(token & ~token_mark);
  if (found != waiting_.end()) found->second.set(Answer{reason});
  return true;
}

}  // namespace tripod::etcd
