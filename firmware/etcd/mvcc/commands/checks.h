#pragma once
// What etcd refuses before it proposes anything: checks of a request in itself. Pure.

#include <optional>

#include "firmware/etcd/api/errors.h"
#include "firmware/etcd/api/messages.h"

namespace tripod::etcd {

/// nullopt: the request may go on.
std::optional<Outcome> check(const RangeRequest& request);
std::optional<Outcome> check(const PutRequest& request);
std::optional<Outcome> check(const DeleteRangeRequest& request);
/// Operations are counted as etcd counts them: per list, and nested ones against what their parent
/// left over. A key may be put once, and not put and deleted, on any path through the transaction.
std::optional<Outcome> check(const TxnRequest& request, std::size_t ops_max);

/// No put, delete or nested transaction in it.
bool is_read_only(const TxnRequest& request);
/// Nothing but ranges that say serializable.
bool is_serializable(const TxnRequest& request);

}  // namespace tripod::etcd
