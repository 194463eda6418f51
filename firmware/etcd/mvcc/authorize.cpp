#include "firmware/etcd/mvcc/authorize.h"

namespace tripod::etcd {
namespace {

using Verdict = std::optional<Outcome>;

/// A request in the hands of its caller.
struct Check {
  const AuthBook& auth;
  const LeaseBook& leases;
  const Caller& caller;

  Verdict operator()(const RangeRequest& range) const {
    return auth.may_read(caller, range.key, range.range_end);
  }
  Verdict operator()(const PutRequest& put) const {
    if (auto refused = auth.may_write(caller, put.key, {})) return refused;
    // Who could not revoke the lease shall not hang keys on it either.
    if (auto refused = may_write_lease(auth, leases, caller, put.lease)) return refused;
    return put.prev_kv ? auth.may_read(caller, put.key, {}) : std::nullopt;
  }
  Verdict operator()(const DeleteRangeRequest& range) const {
    if (auto refused = auth.may_write(caller, range.key, range.range_end)) return refused;
    return range.prev_kv ? auth.may_read(caller, range.key, range.range_end) : std::nullopt;
  }
  /// Both branches count, whichever will be taken.
  Verdict operator()(const TxnRequest& txn) const {
    for (const Compare& compare : txn.compare) {
      if (auto refused = auth.may_read(caller, compare.key, compare.range_end)) return refused;
    }
    for (const auto* branch : {&txn.success, &txn.failure}) {
      for (const RequestOp& op : *branch) {
        if (auto refused = std::visit(*this, op.request)) return refused;
      }
    }
    return std::nullopt;
  }
  Verdict operator()(const LeaseRevokeRequest& lease) const {
    return may_write_lease(auth, leases, caller, lease.id);
  }
  Verdict operator()(const CompactionRequest&) const { return auth.administrator(caller); }
  Verdict operator()(const AuthCommand&) const { return auth.administrator(caller); }
  /// What else there is asks for nothing, or was asked before it was proposed.
  template <typename Request>
  Verdict operator()(const Request&) const {
    return std::nullopt;
  }
};

}  // namespace

std::optional<Outcome> authorize(const AuthBook& auth, const LeaseBook& leases,
                                 const OnBehalfOf& caller, const CommandRequest& request) {
  if (!caller || !auth.enabled()) return std::nullopt;
  return std::visit(Check{auth, leases, *caller}, request);
}

std::optional<Outcome> authorize(const AuthBook& auth, const LeaseBook& leases,
                                 const Caller& caller, const TxnRequest& request) {
  return Check{auth, leases, caller}(request);
}

std::optional<Outcome> may_write_lease(const AuthBook& auth, const LeaseBook& leases,
                                       const Caller& caller, LeaseId id) {
  const Lease* lease = leases.find(id);
  if (lease == nullptr || !auth.administrator(caller)) return std::nullopt;
  for (const Bytes& key : lease->keys) {
    if (auto refused = auth.may_write(caller, key, {})) return refused;
  }
  return std::nullopt;
}

std::optional<Outcome> may_read_lease(const AuthBook& auth, const LeaseBook& leases,
                                      const Caller& caller, LeaseId id) {
  const Lease* lease = leases.find(id);
  if (lease == nullptr || !auth.administrator(caller)) return std::nullopt;
  for (const Bytes& key : lease->keys) {
    if (auto refused = auth.may_read(caller, key, {})) return refused;
  }
  return std::nullopt;
}

}  // namespace tripod::etcd
