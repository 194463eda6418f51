#include "firmware/etcd/server/upkeep/corruption.h"

namespace tripod::etcd {

std::vector<MemberId> find_corrupt(MemberId self, const OwnHashes& own,
                                   const std::vector<PeerHash>& peers) {
  std::vector<MemberId> corrupt;
  const KeySpaceHash& first = own.first;
  const KeySpaceHash& second = own.second;
  if (first.revision == second.revision && first.compact_revision == second.compact_revision &&
      first.hash != second.hash) {
    corrupt.push_back(self);
  }
  for (const PeerHash& peer : peers) {
    const bool ahead =
        peer.revision > second.revision || peer.hash.compact_revision > second.compact_revision;
    const bool differs = peer.hash.revision == first.revision &&
                         peer.hash.compact_revision == first.compact_revision &&
                         peer.hash.hash != first.hash;
    if (ahead || differs) corrupt.push_back(peer.id);
  }
  return corrupt;
}

std::vector<MemberId> find_different(const KeySpaceHash& own, const std::vector<PeerHash>& peers) {
  std::vector<MemberId> different;
  for (const PeerHash& peer : peers) {
    if (peer.hash.revision == own.revision && peer.hash.compact_revision == own.compact_revision &&
        peer.hash.hash != own.hash) {
      different.push_back(peer.id);
    }
  }
  return different;
}

}  // namespace tripod::etcd
