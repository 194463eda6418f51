#include "firmware/etcd/mvcc/books/alarm_book.h"

#include <charconv>
#include <format>

namespace tripod::etcd {
namespace {

// etcd's estimates of what goes with a key and with a lease.
constexpr std::size_t key_overhead = 256;
constexpr std::size_t lease_overhead = 64;

constexpr std::string_view prefix = "alarm/";

std::string fact_name(const AlarmMember& alarm) {
  return std::format("{}{:02x}/{:016x}", prefix, std::to_underlying(alarm.alarm), alarm.member_id);
}

std::size_t quota_cost(const std::vector<RequestOp>& operations) {
  std::size_t total = 0;
  for (const RequestOp& operation : operations) {
    if (const auto* put = std::get_if<PutRequest>(&operation.request)) {
      total += tripod::etcd::quota_cost(*put);
    } else if (const auto* txn = std::get_if<TxnRequest>(&operation.request)) {
      total += tripod::etcd::quota_cost(*txn);
    }
  }
  return total;
}

template <typename T>
T from_hex(std::string_view digits) {
  std::uint64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  return static_cast<T>(value);
}

}  // namespace

std::size_t quota_cost(const PutRequest& request) {
  return key_overhead + request.key.size() + request.value.size();
}

std::size_t quota_cost(const TxnRequest& request) {
  return std::max(quota_cost(request.success), quota_cost(request.failure));
}

std::size_t quota_cost(const CommandRequest& request) {
  if (const auto* put = std::get_if<PutRequest>(&request)) return quota_cost(*put);
  if (const auto* txn = std::get_if<TxnRequest>(&request)) return quota_cost(*txn);
  return std::holds_alternative<LeaseGrantRequest>(request) ? lease_overhead : 0;
}

void AlarmBook::restore(StateDb& db) {
  alarms_.clear();
  db.each_blob(prefix, [this](std::string_view name, BytesView) {
    name.remove_prefix(prefix.size());
    if (name.size() != 19) return;
    alarms_.emplace(from_hex<AlarmType>(name.substr(0, 2)), from_hex<MemberId>(name.substr(3)));
  });
}

void AlarmBook::activate(const AlarmMember& alarm, StateDb& db) {
  if (alarms_.emplace(alarm.alarm, alarm.member_id).second) db.set_blob(fact_name(alarm), "1");
}

bool AlarmBook::deactivate(const AlarmMember& alarm, StateDb& db) {
  if (alarms_.erase({alarm.alarm, alarm.member_id}) == 0) return false;
  db.erase_blob(fact_name(alarm));
  return true;
}

bool AlarmBook::active(AlarmType type) const {
  const auto first = alarms_.lower_bound({type, 0});
  return first != alarms_.end() && first->first == type;
}

std::vector<AlarmMember> AlarmBook::list(AlarmType type) const {
  std::vector<AlarmMember> alarms;
  for (const auto& [raised, member] : alarms_) {
    if (type == AlarmType::none || raised == type) alarms.push_back({member, raised});
  }
  return alarms;
}

std::optional<Outcome> AlarmBook::refuses(const CommandRequest& request) const {
  if (alarms_.empty()) return std::nullopt;
  const bool on_data = std::visit(
      []<typename T>(const T&) {
        return std::is_same_v<T, PutRequest> || std::is_same_v<T, DeleteRangeRequest> ||
               std::is_same_v<T, TxnRequest> || std::is_same_v<T, CompactionRequest> ||
               std::is_same_v<T, LeaseGrantRequest> || std::is_same_v<T, LeaseRevokeRequest> ||
               std::is_same_v<T, LeaseExpiry>;
      },
      request);
  if (active(AlarmType::corrupt) && on_data) return outcome::corrupt;
  if (active(AlarmType::no_space) && quota_cost(request) > 0) return outcome::no_space;
  return std::nullopt;
}

}  // namespace tripod::etcd
