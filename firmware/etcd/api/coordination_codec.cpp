#include "firmware/etcd/api/coordination_messages.h"
#include "firmware/etcd/api/message_tables.h"

namespace tripod::etcd {
namespace table {

TRIPOD_WIRE(LockRequest, field<1>(&LockRequest::name), field<2>(&LockRequest::lease));
TRIPOD_WIRE(LockResponse, field<1>(&LockResponse::header), field<2>(&LockResponse::key));
TRIPOD_WIRE(UnlockRequest, field<1>(&UnlockRequest::key));
TRIPOD_WIRE(UnlockResponse, field<1>(&UnlockResponse::header));

TRIPOD_WIRE(LeaderKey, field<1>(&LeaderKey::name), field<2>(&LeaderKey::key),
            field<3>(&LeaderKey::rev), field<4>(&LeaderKey::lease));
TRIPOD_WIRE(CampaignRequest, field<1>(&CampaignRequest::name), field<2>(&CampaignRequest::lease),
            field<3>(&CampaignRequest::value));
TRIPOD_WIRE(CampaignResponse, field<1>(&CampaignResponse::header),
            field<2>(&CampaignResponse::leader));
TRIPOD_WIRE(ProclaimRequest, field<1>(&ProclaimRequest::leader), field<2>(&ProclaimRequest::value));
TRIPOD_WIRE(ProclaimResponse, field<1>(&ProclaimResponse::header));
TRIPOD_WIRE(LeaderRequest, field<1>(&LeaderRequest::name));
TRIPOD_WIRE(LeaderResponse, field<1>(&LeaderResponse::header), field<2>(&LeaderResponse::kv));
TRIPOD_WIRE(ResignRequest, field<1>(&ResignRequest::leader));
TRIPOD_WIRE(ResignResponse, field<1>(&ResignResponse::header));

}  // namespace table

TRIPOD_INSTANTIATE(LockRequest);
TRIPOD_INSTANTIATE(LockResponse);
TRIPOD_INSTANTIATE(UnlockRequest);
TRIPOD_INSTANTIATE(UnlockResponse);
TRIPOD_INSTANTIATE(LeaderKey);
TRIPOD_INSTANTIATE(CampaignRequest);
TRIPOD_INSTANTIATE(CampaignResponse);
TRIPOD_INSTANTIATE(ProclaimRequest);
TRIPOD_INSTANTIATE(ProclaimResponse);
TRIPOD_INSTANTIATE(LeaderRequest);
TRIPOD_INSTANTIATE(LeaderResponse);
TRIPOD_INSTANTIATE(ResignRequest);
TRIPOD_INSTANTIATE(ResignResponse);

}  // namespace tripod::etcd
