#pragma once
// Changes of the members on their way through Raft: who waits for which. A change that was refused
// did not happen and may be decided anew; one that got lost with a leader is not repeated, for it
// may be applied yet.
//
// Lives on the loop thread.

#include <map>
#include <optional>

#include "firmware/etcd/mvcc/books/member_book.h"
#include "firmware/etcd/raft/actions.h"
#include "platform/async/oneshot.h"

namespace tripod::etcd {

class MemberChanges {
 public:
  /// Nullopt: it was applied.
  using Answer = std::optional<raft::Refused>;

  MemberChanges(MemberId self, std::uint64_t life) : self_(self), life_(life) {}

  /// A name for a change, which it is waited for by.
  CommandId next() { return {self_, life_, next_++}; }
  /// Tokens of changes; proposals and reads have others.
  static std::uint64_t token_of(const CommandId& id) { return token_mark | id.sequence; }

  async::Oneshot<Answer> expect(const CommandId& id);
  void forget(const CommandId& id) { waiting_.erase(id.sequence); }
  void applied(const CommandId& id);
  /// False: the token is none of these.
  bool refused(std::uint64_t token, raft::Refused reason);

 private:
  static constexpr std::uint64_t token_mark = std::uint64_t{1} << 63U;

  MemberId self_;
  std::uint64_t life_;
  std::uint64_t next_ = 1;
  std::map<std::uint64_t, async::Oneshot<Answer>> waiting_;
};

}  // namespace tripod::etcd
