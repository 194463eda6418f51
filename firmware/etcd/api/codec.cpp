#include "firmware/etcd/api/codec.h"

#include "firmware/etcd/api/message_tables.h"
#include "firmware/etcd/api/stream_messages.h"

namespace tripod::etcd {
namespace table {

TRIPOD_WIRE(Event, field<1>(&Event::type), field<2>(&Event::kv), field<3>(&Event::prev_kv));

TRIPOD_WIRE(RangeRequest, field<1>(&RangeRequest::key), field<2>(&RangeRequest::range_end),
            field<3>(&RangeRequest::limit), field<4>(&RangeRequest::revision),
            field<5>(&RangeRequest::sort_order), field<6>(&RangeRequest::sort_target),
            field<7>(&RangeRequest::serializable), field<8>(&RangeRequest::keys_only),
            field<9>(&RangeRequest::count_only), field<10>(&RangeRequest::min_mod_revision),
            field<11>(&RangeRequest::max_mod_revision),
            field<12>(&RangeRequest::min_create_revision),
            field<13>(&RangeRequest::max_create_revision));
TRIPOD_WIRE(RangeResponse, field<1>(&RangeResponse::header), field<2>(&RangeResponse::kvs),
            field<3>(&RangeResponse::more), field<4>(&RangeResponse::count));
TRIPOD_WIRE(RangeStreamResponse, field<1>(&RangeStreamResponse::range_response));
TRIPOD_WIRE(PutRequest, field<1>(&PutRequest::key), field<2>(&PutRequest::value),
            field<3>(&PutRequest::lease), field<4>(&PutRequest::prev_kv),
            field<5>(&PutRequest::ignore_value), field<6>(&PutRequest::ignore_lease));
TRIPOD_WIRE(PutResponse, field<1>(&PutResponse::header), field<2>(&PutResponse::prev_kv));
TRIPOD_WIRE(DeleteRangeRequest, field<1>(&DeleteRangeRequest::key),
            field<2>(&DeleteRangeRequest::range_end), field<3>(&DeleteRangeRequest::prev_kv));
TRIPOD_WIRE(DeleteRangeResponse, field<1>(&DeleteRangeResponse::header),
            field<2>(&DeleteRangeResponse::deleted), field<3>(&DeleteRangeResponse::prev_kvs));
TRIPOD_WIRE_ONEOF(RequestOp, request);
TRIPOD_WIRE_ONEOF(ResponseOp, response);
TRIPOD_WIRE(TxnRequest, field<1>(&TxnRequest::compare), field<2>(&TxnRequest::success),
            field<3>(&TxnRequest::failure));
TRIPOD_WIRE(TxnResponse, field<1>(&TxnResponse::header), field<2>(&TxnResponse::succeeded),
            field<3>(&TxnResponse::responses));
TRIPOD_WIRE(CompactionRequest, field<1>(&CompactionRequest::revision),
            field<2>(&CompactionRequest::physical));
TRIPOD_WIRE(CompactionResponse, field<1>(&CompactionResponse::header));

TRIPOD_WIRE(WatchCreateRequest, field<1>(&WatchCreateRequest::key),
            field<2>(&WatchCreateRequest::range_end), field<3>(&WatchCreateRequest::start_revision),
            field<4>(&WatchCreateRequest::progress_notify), field<5>(&WatchCreateRequest::filters),
            field<6>(&WatchCreateRequest::prev_kv), field<7>(&WatchCreateRequest::watch_id),
            field<8>(&WatchCreateRequest::fragment));
TRIPOD_WIRE(WatchCancelRequest, field<1>(&WatchCancelRequest::watch_id));
TRIPOD_WIRE_ONEOF(WatchRequest, request);
TRIPOD_WIRE(WatchResponse, field<1>(&WatchResponse::header), field<2>(&WatchResponse::watch_id),
            field<3>(&WatchResponse::created), field<4>(&WatchResponse::canceled),
            field<5>(&WatchResponse::compact_revision), field<6>(&WatchResponse::cancel_reason),
            field<7>(&WatchResponse::fragment), field<11>(&WatchResponse::events));

TRIPOD_WIRE(LeaseGrantRequest, field<1>(&LeaseGrantRequest::ttl), field<2>(&LeaseGrantRequest::id));
TRIPOD_WIRE(LeaseGrantResponse, field<1>(&LeaseGrantResponse::header),
            field<2>(&LeaseGrantResponse::id), field<3>(&LeaseGrantResponse::ttl),
            field<4>(&LeaseGrantResponse::error));
TRIPOD_WIRE(LeaseRevokeRequest, field<1>(&LeaseRevokeRequest::id));
TRIPOD_WIRE(LeaseRevokeResponse, field<1>(&LeaseRevokeResponse::header));
TRIPOD_WIRE(LeaseKeepAliveRequest, field<1>(&LeaseKeepAliveRequest::id));
TRIPOD_WIRE(LeaseKeepAliveResponse, field<1>(&LeaseKeepAliveResponse::header),
            field<2>(&LeaseKeepAliveResponse::id), field<3>(&LeaseKeepAliveResponse::ttl));
TRIPOD_WIRE(LeaseTimeToLiveRequest, field<1>(&LeaseTimeToLiveRequest::id),
            field<2>(&LeaseTimeToLiveRequest::keys));
TRIPOD_WIRE(LeaseTimeToLiveResponse, field<1>(&LeaseTimeToLiveResponse::header),
            field<2>(&LeaseTimeToLiveResponse::id), field<3>(&LeaseTimeToLiveResponse::ttl),
            field<4>(&LeaseTimeToLiveResponse::granted_ttl),
            field<5>(&LeaseTimeToLiveResponse::keys));
TRIPOD_WIRE(LeaseStatus, field<1>(&LeaseStatus::id));
TRIPOD_WIRE(LeaseLeasesResponse, field<1>(&LeaseLeasesResponse::header),
            field<2>(&LeaseLeasesResponse::leases));

TRIPOD_WIRE(MemberInfo, field<1>(&MemberInfo::id), field<2>(&MemberInfo::name),
            field<3>(&MemberInfo::peer_urls), field<4>(&MemberInfo::client_urls),
            field<5>(&MemberInfo::is_learner));
TRIPOD_WIRE(MemberListRequest, field<1>(&MemberListRequest::linearizable));
TRIPOD_WIRE(MemberListResponse, field<1>(&MemberListResponse::header),
            field<2>(&MemberListResponse::members));
TRIPOD_WIRE(MemberAddRequest, field<1>(&MemberAddRequest::peer_urls),
            field<2>(&MemberAddRequest::is_learner));
TRIPOD_WIRE(MemberAddResponse, field<1>(&MemberAddResponse::header),
            field<2>(&MemberAddResponse::member), field<3>(&MemberAddResponse::members));
TRIPOD_WIRE(MemberRemoveRequest, field<1>(&MemberRemoveRequest::id));
TRIPOD_WIRE(MemberRemoveResponse, field<1>(&MemberRemoveResponse::header),
            field<2>(&MemberRemoveResponse::members));
TRIPOD_WIRE(MemberUpdateRequest, field<1>(&MemberUpdateRequest::id),
            field<2>(&MemberUpdateRequest::peer_urls));
TRIPOD_WIRE(MemberUpdateResponse, field<1>(&MemberUpdateResponse::header),
            field<2>(&MemberUpdateResponse::members));
TRIPOD_WIRE(MemberPromoteRequest, field<1>(&MemberPromoteRequest::id));
TRIPOD_WIRE(MemberPromoteResponse, field<1>(&MemberPromoteResponse::header),
            field<2>(&MemberPromoteResponse::members));
TRIPOD_WIRE(MoveLeaderRequest, field<1>(&MoveLeaderRequest::target_id));
TRIPOD_WIRE(MoveLeaderResponse, field<1>(&MoveLeaderResponse::header));
TRIPOD_WIRE(SnapshotResponse, field<1>(&SnapshotResponse::header),
            field<2>(&SnapshotResponse::remaining_bytes), field<3>(&SnapshotResponse::blob),
            field<4>(&SnapshotResponse::version));
TRIPOD_WIRE(DowngradeInfo, field<1>(&DowngradeInfo::enabled),
            field<2>(&DowngradeInfo::target_version));
TRIPOD_WIRE(StatusResponse, field<1>(&StatusResponse::header), field<2>(&StatusResponse::version),
            field<3>(&StatusResponse::db_size), field<4>(&StatusResponse::leader),
            field<5>(&StatusResponse::raft_index), field<6>(&StatusResponse::raft_term),
            field<7>(&StatusResponse::raft_applied_index), field<8>(&StatusResponse::errors),
            field<9>(&StatusResponse::db_size_in_use), field<10>(&StatusResponse::is_learner),
            field<11>(&StatusResponse::storage_version), field<12>(&StatusResponse::db_size_quota),
            field<13>(&StatusResponse::downgrade_info));

TRIPOD_WIRE(AlarmRequest, field<1>(&AlarmRequest::action), field<2>(&AlarmRequest::member_id),
            field<3>(&AlarmRequest::alarm));
TRIPOD_WIRE(AlarmMember, field<1>(&AlarmMember::member_id), field<2>(&AlarmMember::alarm));
TRIPOD_WIRE(AlarmResponse, field<1>(&AlarmResponse::header), field<2>(&AlarmResponse::alarms));
TRIPOD_WIRE(DefragmentResponse, field<1>(&DefragmentResponse::header));
TRIPOD_WIRE(HashResponse, field<1>(&HashResponse::header), field<2>(&HashResponse::hash));
TRIPOD_WIRE(DowngradeRequest, field<1>(&DowngradeRequest::action),
            field<2>(&DowngradeRequest::version));
TRIPOD_WIRE(DowngradeResponse, field<1>(&DowngradeResponse::header),
            field<2>(&DowngradeResponse::version));
TRIPOD_WIRE(HashKVRequest, field<1>(&HashKVRequest::revision));
TRIPOD_WIRE(HashKVResponse, field<1>(&HashKVResponse::header), field<2>(&HashKVResponse::hash),
            field<3>(&HashKVResponse::compact_revision), field<4>(&HashKVResponse::hash_revision));

template <>
struct Wire<WatchProgressRequest> : EmptyWire<WatchProgressRequest> {};
template <>
struct Wire<LeaseLeasesRequest> : EmptyWire<LeaseLeasesRequest> {};
template <>
struct Wire<DefragmentRequest> : EmptyWire<DefragmentRequest> {};
template <>
struct Wire<HashRequest> : EmptyWire<HashRequest> {};
template <>
struct Wire<StatusRequest> : EmptyWire<StatusRequest> {};

/// Compare's union: numbers 4, 5, 6, 7 (value) and 8 stand for target 0 to 4. A member that is not
/// the target's counts as zero, as in etcd.
template <>
struct Wire<Compare> {
  static constexpr std::uint32_t number_of(CompareTarget target) {
    return 4U + std::to_underlying(target);
  }

  static std::size_t size(const Compare& compare) {
    std::size_t total = scalar_size(1, compare.result) + scalar_size(2, compare.target);
    if (!compare.key.empty()) total += value_size(3, compare.key);
    if (compare.target == CompareTarget::value) {
      total += value_size(7, compare.value);
    } else {
      total += value_size(number_of(compare.target), compare.number);
    }
    if (!compare.range_end.empty()) total += value_size(64, compare.range_end);
    return total;
  }
  static char* write(char* out, const Compare& compare) {
    if (compare.result != CompareResult{}) out = write_value(out, 1, compare.result);
    if (compare.target != CompareTarget{}) out = write_value(out, 2, compare.target);
    if (!compare.key.empty()) out = write_value(out, 3, compare.key);
    if (compare.target == CompareTarget::value) {
      out = write_value(out, 7, compare.value);
    } else {
      out = write_value(out, number_of(compare.target), compare.number);
    }
    if (!compare.range_end.empty()) out = write_value(out, 64, compare.range_end);
    return out;
  }
  static bool read(BytesView bytes, Compare& compare, Budget& budget) {
    wire::Reader reader(bytes);
    wire::Field field;
    std::uint32_t member = 0;
    bool good = true;
    while (good && reader.next(field)) {
      switch (field.number) {
        case 1: good = read_value(field, compare.result, budget); break;
        case 2: good = read_value(field, compare.target, budget); break;
        case 3: good = read_value(field, compare.key, budget); break;
        case 7: good = read_value(field, compare.value, budget); break;
        case 4:
        case 5:
        case 6:
        case 8: good = read_value(field, compare.number, budget); break;
        case 64: good = read_value(field, compare.range_end, budget); break;
        default: break;
      }
      if (field.number >= 4 && field.number <= 8) member = field.number;
    }
    if (member != number_of(compare.target) || member == 7) compare.number = 0;
    if (member != 7) compare.value.clear();
    return good && reader.ok();
  }

 private:
  template <Scalar T>
  static std::size_t scalar_size(std::uint32_t number, T value) {
    return value == T{} ? 0 : value_size(number, value);
  }
};

constexpr FieldShape compared(std::string_view name, CompareTarget target) {
  return {.name = name,
          .number = Wire<Compare>::number_of(target),
          .kind = target == CompareTarget::value ? FieldKind::bytes : FieldKind::int64,
          .exclusive = true};
}
constexpr FieldShape choice(std::string_view name, std::uint32_t number,
                            std::span<const std::string_view> enumerators) {
  return {
      .name = name, .number = number, .kind = FieldKind::enumeration, .enumerators = enumerators};
}
template <>
struct ShapeFields<Compare> {
  static constexpr std::array<FieldShape, 9> fields{{
      choice("result", 1, enumerator_names<CompareResult>),
      choice("target", 2, enumerator_names<CompareTarget>),
      {.name = "key", .number = 3},
      compared("version", CompareTarget::version),
      compared("create_revision", CompareTarget::create),
      compared("mod_revision", CompareTarget::mod),
      compared("value", CompareTarget::value),
      compared("lease", CompareTarget::lease),
      {.name = "range_end", .number = 64},
  }};
};

}  // namespace table

Bytes encode_with_events(const WatchResponse& response, const std::vector<SharedBytes>& events) {
  WatchResponse head;
  head.header = response.header;
  head.watch_id = response.watch_id;
  head.created = response.created;
  head.canceled = response.canceled;
  head.compact_revision = response.compact_revision;
  head.cancel_reason = response.cancel_reason;
  head.fragment = response.fragment;
  std::size_t size = table::message_size(head);
  for (const SharedBytes& event : events) size += wire::bytes_field_size(11, event->size());
  Bytes out;
  out.reserve(size);
  append_encoded(out, head);
  for (const SharedBytes& event : events) wire::append_bytes(out, 11, *event);
  return out;
}

TRIPOD_INSTANTIATE(KeyValue);
TRIPOD_INSTANTIATE(Event);
TRIPOD_INSTANTIATE(ResponseHeader);
TRIPOD_INSTANTIATE(RangeRequest);
TRIPOD_INSTANTIATE(RangeResponse);
TRIPOD_INSTANTIATE(RangeStreamResponse);
TRIPOD_INSTANTIATE(PutRequest);
TRIPOD_INSTANTIATE(PutResponse);
TRIPOD_INSTANTIATE(DeleteRangeRequest);
TRIPOD_INSTANTIATE(DeleteRangeResponse);
TRIPOD_INSTANTIATE(Compare);
TRIPOD_INSTANTIATE(RequestOp);
TRIPOD_INSTANTIATE(ResponseOp);
TRIPOD_INSTANTIATE(TxnRequest);
TRIPOD_INSTANTIATE(TxnResponse);
TRIPOD_INSTANTIATE(CompactionRequest);
TRIPOD_INSTANTIATE(CompactionResponse);
TRIPOD_INSTANTIATE(WatchCreateRequest);
TRIPOD_INSTANTIATE(WatchCancelRequest);
TRIPOD_INSTANTIATE(WatchProgressRequest);
TRIPOD_INSTANTIATE(WatchRequest);
TRIPOD_INSTANTIATE(WatchResponse);
TRIPOD_INSTANTIATE(LeaseGrantRequest);
TRIPOD_INSTANTIATE(LeaseGrantResponse);
TRIPOD_INSTANTIATE(LeaseRevokeRequest);
TRIPOD_INSTANTIATE(LeaseRevokeResponse);
TRIPOD_INSTANTIATE(LeaseKeepAliveRequest);
TRIPOD_INSTANTIATE(LeaseKeepAliveResponse);
TRIPOD_INSTANTIATE(LeaseTimeToLiveRequest);
TRIPOD_INSTANTIATE(LeaseTimeToLiveResponse);
TRIPOD_INSTANTIATE(LeaseLeasesRequest);
TRIPOD_INSTANTIATE(LeaseStatus);
TRIPOD_INSTANTIATE(LeaseLeasesResponse);
TRIPOD_INSTANTIATE(MemberInfo);
TRIPOD_INSTANTIATE(MemberAddRequest);
TRIPOD_INSTANTIATE(MemberAddResponse);
TRIPOD_INSTANTIATE(MemberRemoveRequest);
TRIPOD_INSTANTIATE(MemberRemoveResponse);
TRIPOD_INSTANTIATE(MemberUpdateRequest);
TRIPOD_INSTANTIATE(MemberUpdateResponse);
TRIPOD_INSTANTIATE(MemberPromoteRequest);
TRIPOD_INSTANTIATE(MemberPromoteResponse);
TRIPOD_INSTANTIATE(MoveLeaderRequest);
TRIPOD_INSTANTIATE(MoveLeaderResponse);
TRIPOD_INSTANTIATE(SnapshotResponse);
TRIPOD_INSTANTIATE(MemberListRequest);
TRIPOD_INSTANTIATE(MemberListResponse);
TRIPOD_INSTANTIATE(DowngradeInfo);
TRIPOD_INSTANTIATE(AlarmRequest);
TRIPOD_INSTANTIATE(AlarmMember);
TRIPOD_INSTANTIATE(AlarmResponse);
TRIPOD_INSTANTIATE(DefragmentRequest);
TRIPOD_INSTANTIATE(DefragmentResponse);
TRIPOD_INSTANTIATE(HashRequest);
TRIPOD_INSTANTIATE(HashResponse);
TRIPOD_INSTANTIATE(DowngradeRequest);
TRIPOD_INSTANTIATE(DowngradeResponse);
TRIPOD_INSTANTIATE(HashKVRequest);
TRIPOD_INSTANTIATE(HashKVResponse);
TRIPOD_INSTANTIATE(StatusRequest);
TRIPOD_INSTANTIATE(StatusResponse);

}  // namespace tripod::etcd
