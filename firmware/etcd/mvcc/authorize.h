#pragma once
// Whether a caller may do what it asks for, where requests, leases and the rules of auth_book.h
// meet; as etcd's server/etcdserver/apply/auth.go. nullopt: it may. Pure.

#include "firmware/etcd/auth/auth_book.h"
#include "firmware/etcd/mvcc/books/lease_book.h"
#include "firmware/etcd/mvcc/commands/command.h"

namespace tripod::etcd {

/// Of a command that is about to be applied.
std::optional<Outcome> authorize(const AuthBook& auth, const LeaseBook& leases,
                                 const OnBehalfOf& caller, const CommandRequest& request);

/// Of a transaction that is read here, as any other.
std::optional<Outcome> authorize(const AuthBook& auth, const LeaseBook& leases,
                                 const Caller& caller, const TxnRequest& request);

/// To hang a key on the lease, to keep it alive or to revoke it: each key that hangs on it already
/// must be the caller's to write. A lease that is not there is everyone's.
std::optional<Outcome> may_write_lease(const AuthBook& auth, const LeaseBook& leases,
                                       const Caller& caller, LeaseId id);
/// To see the keys of a lease.
std::optional<Outcome> may_read_lease(const AuthBook& auth, const LeaseBook& leases,
                                      const Caller& caller, LeaseId id);

}  // namespace tripod::etcd
