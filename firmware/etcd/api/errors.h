#pragma once
// The outcomes that etcd clients tell apart: gRPC code and text, exactly as in etcd's
// api/v3rpc/rpctypes (3.6).

#include "platform/grpc/status.h"

namespace tripod::etcd {

struct Outcome {
  grpc::StatusCode code;
  std::string_view text;

  grpc::Status status() const { return {code, std::string(text)}; }
  bool is(const grpc::Status& other) const { return other.code == code && other.message == text; }
};

[[nodiscard]] inline std::unexpected<grpc::Status> reject(const Outcome& outcome) {
  return std::unexpected(outcome.status());
}

namespace outcome {

using Code = grpc::StatusCode;

inline constexpr Outcome empty_key{Code::invalid_argument, "etcdserver: key is not provided"};
inline constexpr Outcome key_not_found{Code::invalid_argument, "etcdserver: key not found"};
inline constexpr Outcome value_provided{Code::invalid_argument, "etcdserver: value is provided"};
inline constexpr Outcome lease_provided{Code::invalid_argument, "etcdserver: lease is provided"};
inline constexpr Outcome too_many_ops{Code::invalid_argument,
                                      "etcdserver: too many operations in txn request"};
inline constexpr Outcome duplicate_key{Code::invalid_argument,
                                       "etcdserver: duplicate key given in txn request"};
inline constexpr Outcome invalid_sort_option{Code::invalid_argument,
                                             "etcdserver: invalid sort option"};
inline constexpr Outcome compacted{Code::out_of_range,
                                   "etcdserver: mvcc: required revision has been compacted"};
inline constexpr Outcome future_revision{
    Code::out_of_range, "etcdserver: mvcc: required revision is a future revision"};
inline constexpr Outcome no_space{Code::resource_exhausted,
                                  "etcdserver: mvcc: database space exceeded"};

inline constexpr Outcome lease_not_found{Code::not_found, "etcdserver: requested lease not found"};
inline constexpr Outcome lease_exists{Code::failed_precondition,
                                      "etcdserver: lease already exists"};
inline constexpr Outcome lease_ttl_too_large{Code::out_of_range, "etcdserver: too large lease TTL"};

inline constexpr Outcome watch_canceled{Code::cancelled, "etcdserver: watch canceled"};
inline constexpr Outcome member_not_found{Code::not_found, "etcdserver: member not found"};
inline constexpr Outcome member_exists{Code::failed_precondition,
                                       "etcdserver: member ID already exist"};
inline constexpr Outcome peer_url_exists{Code::failed_precondition,
                                         "etcdserver: Peer URLs already exists"};
inline constexpr Outcome member_urls_invalid{Code::invalid_argument,
                                             "etcdserver: given member URLs are invalid"};
inline constexpr Outcome not_enough_started{
    Code::failed_precondition,
    "etcdserver: re-configuration failed due to not enough started members"};
inline constexpr Outcome member_not_learner{Code::failed_precondition,
                                            "etcdserver: can only promote a learner member"};
inline constexpr Outcome learner_not_ready{
    Code::failed_precondition,
    "etcdserver: can only promote a learner member which is in sync with leader"};
inline constexpr Outcome too_many_learners{Code::failed_precondition,
                                           "etcdserver: too many learner members in cluster"};
inline constexpr Outcome not_for_learners{Code::failed_precondition,
                                          "etcdserver: rpc not supported for learner"};
inline constexpr Outcome unhealthy{Code::unavailable, "etcdserver: unhealthy cluster"};
inline constexpr Outcome bad_leader_transferee{Code::failed_precondition,
                                               "etcdserver: bad leader transferee"};
inline constexpr Outcome transfer_timeout{
    Code::unknown, "etcdserver: request timed out, leader transfer took too long"};
inline constexpr Outcome request_too_large{Code::invalid_argument,
                                           "etcdserver: request is too large"};
inline constexpr Outcome too_many_requests{Code::resource_exhausted,
                                           "etcdserver: too many requests"};

inline constexpr Outcome root_user_not_exist{Code::failed_precondition,
                                             "etcdserver: root user does not exist"};
inline constexpr Outcome root_role_not_exist{Code::failed_precondition,
                                             "etcdserver: root user does not have root role"};
inline constexpr Outcome user_already_exists{Code::failed_precondition,
                                             "etcdserver: user name already exists"};
inline constexpr Outcome user_empty{Code::invalid_argument, "etcdserver: user name is empty"};
inline constexpr Outcome user_not_found{Code::failed_precondition,
                                        "etcdserver: user name not found"};
inline constexpr Outcome role_already_exists{Code::failed_precondition,
                                             "etcdserver: role name already exists"};
inline constexpr Outcome role_not_found{Code::failed_precondition,
                                        "etcdserver: role name not found"};
inline constexpr Outcome role_empty{Code::invalid_argument, "etcdserver: role name is empty"};
inline constexpr Outcome auth_failed{
    Code::invalid_argument, "etcdserver: authentication failed, invalid user ID or password"};
/// etcd has no text of the API for it, and lets the inner one out.
inline constexpr Outcome no_password_user{
    Code::unknown, "auth: authentication failed, password was given for no password user"};
inline constexpr Outcome permission_not_given{Code::invalid_argument,
                                              "etcdserver: permission not given"};
inline constexpr Outcome permission_denied{Code::permission_denied,
                                           "etcdserver: permission denied"};
inline constexpr Outcome role_not_granted{Code::failed_precondition,
                                          "etcdserver: role is not granted to the user"};
inline constexpr Outcome permission_not_granted{
    Code::failed_precondition, "etcdserver: permission is not granted to the role"};
inline constexpr Outcome auth_not_enabled{Code::failed_precondition,
                                          "etcdserver: authentication is not enabled"};
inline constexpr Outcome invalid_auth_token{Code::unauthenticated,
                                            "etcdserver: invalid auth token"};
inline constexpr Outcome invalid_auth_management{Code::invalid_argument,
                                                 "etcdserver: invalid auth management"};
inline constexpr Outcome auth_old_revision{Code::invalid_argument,
                                           "etcdserver: revision of auth store is old"};

inline constexpr Outcome no_leader{Code::unavailable, "etcdserver: no leader"};
inline constexpr Outcome not_leader{Code::failed_precondition, "etcdserver: not leader"};
inline constexpr Outcome leader_changed{Code::unavailable, "etcdserver: leader changed"};
inline constexpr Outcome stopped{Code::unavailable, "etcdserver: server stopped"};
inline constexpr Outcome timeout{Code::unavailable, "etcdserver: request timed out"};
inline constexpr Outcome timeout_leader_failed{
    Code::unavailable, "etcdserver: request timed out, possibly due to previous leader failure"};
inline constexpr Outcome timeout_connection_lost{
    Code::unavailable, "etcdserver: request timed out, possibly due to connection lost"};
inline constexpr Outcome timeout_applied_index{
    Code::unavailable,
    "etcdserver: request timed out, waiting for the applied index took too long"};
inline constexpr Outcome corrupt{Code::data_loss, "etcdserver: corrupt cluster"};
inline constexpr Outcome wrong_downgrade_version_format{
    Code::invalid_argument, "etcdserver: wrong downgrade target version format"};
inline constexpr Outcome invalid_downgrade_target_version{
    Code::invalid_argument, "etcdserver: invalid downgrade target version"};
inline constexpr Outcome no_inflight_downgrade{Code::failed_precondition,
                                               "etcdserver: no inflight downgrade job"};
inline constexpr Outcome downgrade_in_process{
    Code::failed_precondition, "etcdserver: cluster has a downgrade job in progress"};
inline constexpr Outcome unknown_method{Code::unknown, "etcdserver: unknown method"};
inline constexpr Outcome canceled{Code::cancelled, "etcdserver: request canceled"};

}  // namespace outcome
}  // namespace tripod::etcd
