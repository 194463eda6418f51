#include "firmware/etcd/mvcc/books/member_book.h"

#include <algorithm>
#include <format>

#include "firmware/etcd/api/codec.h"
#include "firmware/etcd/api/wire.h"

namespace tripod::etcd {
namespace {

constexpr std::string_view member_prefix = "member/";
constexpr std::string_view removed_prefix = "removed/";
constexpr std::string_view index_fact = "members_index";
constexpr std::size_t removed_told_max = 4096;

std::string fact_of(std::string_view prefix, MemberId id) {
  return std::format("{}{:016x}", prefix, id);
}

bool started(const MemberInfo& member) {
  return !member.name.empty();
}

std::size_t majority_of(std::size_t voters) {
  return voters / 2 + 1;
}

}  // namespace

// --- on the wire ---

Bytes encode(const MemberChange& change) {
  Bytes out;
  wire::append_number(out, 1, change.id.origin);
  wire::append_number(out, 2, change.id.life);
  wire::append_number(out, 3, change.id.sequence);
  wire::append_number(out, 4, static_cast<std::uint64_t>(change.kind));
  wire::append_bytes(out, 5, encode(change.member));
  return out;
}

Result<MemberChange> decode_member_change(BytesView bytes) {
  MemberChange change;
  std::uint64_t kind = 0;
  wire::Reader reader(bytes);
  wire::Field field;
  while (reader.next(field)) {
    if (field.number == 1) change.id.origin = field.value;
    if (field.number == 2) change.id.life = field.value;
    if (field.number == 3) change.id.sequence = field.value;
    if (field.number == 4) kind = field.value;
    if (field.number != 5) continue;
    auto member = decode<MemberInfo>(field.bytes);
    if (!member) return std::unexpected(member.error());
    change.member = std::move(*member);
  }
  if (!reader.ok() || kind < 1 || kind > 4 || change.member.id == 0) {
    return fail(ErrorCode::corrupt, "malformed change of the members");
  }
  change.kind = static_cast<MemberChange::Kind>(kind);
  return change;
}

Bytes encode(const ClusterDescription& description) {
  Bytes out;
  wire::append_number(out, 1, description.cluster);
  wire::append_number(out, 2, description.index);
  for (const MemberInfo& member : description.members) wire::append_bytes(out, 3, encode(member));
  for (const MemberId id : description.removed) wire::append_number(out, 4, id);
  return out;
}

Result<ClusterDescription> decode_description(BytesView bytes) {
  ClusterDescription description;
  wire::Reader reader(bytes);
  wire::Field field;
  while (reader.next(field)) {
    if (field.number == 1) description.cluster = field.value;
    if (field.number == 2) description.index = field.value;
    if (field.number == 4) description.removed.push_back(field.value);
    if (field.number == 3) {
      auto member = decode<MemberInfo>(field.bytes);
      if (!member) return std::unexpected(member.error());
      description.members.push_back(std::move(*member));
    }
    if (description.members.size() > MemberBook::members_max ||
        description.removed.size() > removed_told_max) {
      return fail(ErrorCode::too_large, "a cluster of too many members");
    }
  }
  if (!reader.ok() || description.cluster == 0 || description.members.empty()) {
    return fail(ErrorCode::corrupt, "malformed list of members");
  }
  return description;
}

// --- the list ---

void MemberBook::restore(StateDb& db) {
  members_.clear();
  removed_.clear();
  index_ = 0;
  const auto index = db.number(index_fact);
  // Before there was an index, these facts held names and client URLs alone.
  if (!index) return;
  index_ = static_cast<std::uint64_t>(*index);
  db.each_blob(member_prefix, [this](std::string_view, BytesView value) {
    if (auto member = decode<MemberInfo>(value)) members_[member->id] = std::move(*member);
  });
  db.each_blob(removed_prefix, [this](std::string_view name, BytesView) {
    name.remove_prefix(removed_prefix.size());
    MemberId id = 0;
    std::from_chars(name.data(), name.data() + name.size(), id, 16);
    removed_.insert(id);
  });
}

void MemberBook::begin(const std::vector<MemberInfo>& members, const std::vector<MemberId>& removed,
                       std::uint64_t index, StateDb& db) {
  CHECK(members_.empty() && !members.empty());
  for (MemberInfo member : members) {
    std::ranges::sort(member.peer_urls);
    // An earlier release knew this much.
    if (const auto known = db.blob(fact_of(member_prefix, member.id))) {
      const auto old = decode<MemberInfo>(*known);
      if (old && member.client_urls.empty()) member.client_urls = old->client_urls;
    }
    store(member, db);
  }
  for (const MemberId id : removed) erase(id, db);
  index_ = index;
  store_index(db);
}

void MemberBook::keep_only(const MemberInfo& member, std::uint64_t index, StateDb& db) {
  const auto before = members_;
  for (const auto& [id, other] : before) {
    if (id != member.id) erase(id, db);
  }
  removed_.erase(member.id);
  db.erase_blob(fact_of(removed_prefix, member.id));
  MemberInfo own = members_.contains(member.id) ? members_.at(member.id) : member;
  own.is_learner = false;
  store(own, db);
  index_ = std::max(index_, index);
  store_index(db);
}

void MemberBook::apply(const MemberChange& change, std::uint64_t index, StateDb& db) {
  if (index <= index_) return;
  index_ = index;
  store_index(db);
  const auto found = members_.find(change.member.id);
  switch (change.kind) {
    case MemberChange::Kind::add: store(change.member, db); break;
    case MemberChange::Kind::remove: erase(change.member.id, db); break;
    case MemberChange::Kind::promote:
    case MemberChange::Kind::update: {
      if (found == members_.end()) return;
      MemberInfo changed = found->second;
      if (change.kind == MemberChange::Kind::promote) changed.is_learner = false;
      if (change.kind == MemberChange::Kind::update) changed.peer_urls = change.member.peer_urls;
      store(changed, db);
    }
  }
}

void MemberBook::describe(const MemberAttributes& attributes, StateDb& db) {
  const auto found = members_.find(attributes.id);
  if (found == members_.end()) return;
  MemberInfo changed = found->second;
  changed.name = attributes.name;
  changed.client_urls = attributes.client_urls;
  store(changed, db);
}

void MemberBook::store(const MemberInfo& member, StateDb& db) {
  db.set_blob(fact_of(member_prefix, member.id), encode(member));
  members_[member.id] = member;
}

void MemberBook::erase(MemberId id, StateDb& db) {
  members_.erase(id);
  db.erase_blob(fact_of(member_prefix, id));
  removed_.insert(id);
  db.set_blob(fact_of(removed_prefix, id), "");
}

void MemberBook::store_index(StateDb& db) {
  db.set_number(index_fact, static_cast<std::int64_t>(index_));
}

const MemberInfo* MemberBook::find(MemberId id) const {
  const auto found = members_.find(id);
  return found == members_.end() ? nullptr : &found->second;
}

std::vector<MemberInfo> MemberBook::list() const {
  std::vector<MemberInfo> members;
  for (const auto& [id, member] : members_) members.push_back(member);
  return members;
}

std::vector<MemberId> MemberBook::voters() const {
  std::vector<MemberId> ids;
  for (const auto& [id, member] : members_) {
    if (!member.is_learner) ids.push_back(id);
  }
  return ids;
}

// --- what is refused ---

bool MemberBook::urls_taken(const MemberInfo& member) const {
  return std::ranges::any_of(members_, [&](const auto& entry) {
    return entry.first != member.id &&
           std::ranges::any_of(member.peer_urls, [&](const std::string& url) {
             return std::ranges::contains(entry.second.peer_urls, url);
           });
  });
}

std::optional<Outcome> MemberBook::refuses(const MemberChange& change,
                                           std::size_t learners_max) const {
  const MemberInfo* known = find(change.member.id);
  if (removed(change.member.id)) return outcome::member_not_found;
  if (change.kind == MemberChange::Kind::add) {
    if (known != nullptr) return outcome::member_exists;
    if (urls_taken(change.member)) return outcome::peer_url_exists;
    const auto learners = static_cast<std::size_t>(
        std::ranges::count_if(members_, [](const auto& entry) { return entry.second.is_learner; }));
    if (change.member.is_learner && learners >= learners_max) return outcome::too_many_learners;
    return std::nullopt;
  }
  if (known == nullptr) return outcome::member_not_found;
  if (change.kind == MemberChange::Kind::promote && !known->is_learner) {
    return outcome::member_not_learner;
  }
  if (change.kind == MemberChange::Kind::update && urls_taken(change.member)) {
    return outcome::peer_url_exists;
  }
  return std::nullopt;
}

bool MemberBook::ready_to_add_voter() const {
  std::size_t count = 1;
  std::size_t running = 0;
  for (const MemberId id : voters()) {
    ++count;
    running += started(members_.at(id)) ? 1 : 0;
  }
  // The second member of a cluster of one.
  if (running == 1 && count == 2) return true;
  return running >= majority_of(count);
}

bool MemberBook::ready_to_promote() const {
  std::size_t count = 1;
  std::size_t running = 1;
  for (const MemberId id : voters()) {
    ++count;
    running += started(members_.at(id)) ? 1 : 0;
  }
  return running >= majority_of(count);
}

bool MemberBook::ready_to_remove_voter(MemberId id) const {
  std::size_t count = 0;
  std::size_t running = 0;
  for (const MemberId voter : voters()) {
    if (voter == id) continue;
    ++count;
    running += started(members_.at(voter)) ? 1 : 0;
  }
  return running >= majority_of(count);
}

}  // namespace tripod::etcd
