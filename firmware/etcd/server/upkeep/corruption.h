#pragma once
// Whether members hold the same data, as etcd's corruption checks find out: by the hash of the key
// space at one revision, with the same compact revision.
//
// Pure: hashes arrive as arguments. Who asks the others is in checks.cpp.

#include <optional>
#include <vector>

#include "firmware/etcd/mvcc/key_space/key_space.h"

namespace tripod::etcd {

/// What another member answered, asked for its hash at the revision of `first` below.
struct PeerHash {
  MemberId id = 0;
  KeySpaceHash hash;
  Revision revision = 0;  // of the member when it answered
};

/// A leader's own hash before it asked, and after the others had answered and a linearizable read
/// was confirmed; `revision` of the second is then at least what anybody had applied.
struct OwnHashes {
  KeySpaceHash first;
  KeySpaceHash second;
};

/// Members whose data cannot be what the log says: `self` when its own hash of one revision
/// changed, others when they are ahead of the leader in anything, or differ at the same revision.
std::vector<MemberId> find_corrupt(MemberId self, const OwnHashes& own,
                                   const std::vector<PeerHash>& peers);

/// Those that differ from a member that starts, at its own revision.
std::vector<MemberId> find_different(const KeySpaceHash& own, const std::vector<PeerHash>& peers);

}  // namespace tripod::etcd
