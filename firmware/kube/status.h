#pragma once
// metav1.Status: how the API says no. Reasons, codes and messages are Kubernetes', for clients
// decide by them.
//
//   return std::unexpected(errors::not_found({"apps", "deployments"}, "web"));

#include <expected>
#include <string>
#include <string_view>

#include "firmware/kube/field_error.h"
#include "firmware/kube/names.h"
#include "platform/json/json.h"

namespace tripod::kube {

/// An HTTP status code and the Status document that goes with it.
struct StatusError {
  int code = 500;
  json::Value status;

  std::string_view reason() const { return json::get_string(status, "reason"); }
  std::string_view message() const { return json::get_string(status, "message"); }
};

/// A value, or the Status to answer with.
template <typename T = void>
using Outcome = std::expected<T, StatusError>;

namespace errors {

StatusError not_found(const GroupResource& resource, std::string_view name);
StatusError already_exists(const GroupResource& resource, std::string_view name);
StatusError generate_name_conflict(const GroupResource& resource, std::string_view name);
/// The usual conflict: the object has been modified.
StatusError conflict(const GroupResource& resource, std::string_view name);
StatusError conflict(const GroupResource& resource, std::string_view name, std::string_view why);
StatusError invalid(const GroupKind& kind, std::string_view name, const FieldErrors& field_errors);
StatusError bad_request(std::string_view message);
/// `name` may be empty. "pods \"x\" is forbidden: why"
StatusError forbidden(const GroupResource& resource, std::string_view name, std::string_view why);
StatusError unauthorized(std::string_view message = "Unauthorized");
/// `action` as upstream names it: "create", "deletecollection".
StatusError method_not_supported(const GroupResource& resource, std::string_view action);
StatusError method_not_allowed();
/// `accepted` comma-separated media types.
StatusError not_acceptable(std::string_view accepted);
StatusError unsupported_media_type(std::string_view accepted);
StatusError gone(std::string_view message);
/// Reason Expired (410): "too old resource version: 5 (17)" and friends make a client list again.
StatusError expired(std::string_view message);
StatusError too_many_requests(std::string_view message, int retry_after_seconds);
StatusError timeout(std::string_view message, int retry_after_seconds = 0);
/// Reason ServerTimeout (500): the storage did not answer in time; try again.
StatusError server_timeout(const GroupResource& resource, std::string_view operation,
                           int retry_after_seconds);
StatusError service_unavailable(std::string_view message);
StatusError internal_error(std::string_view message);
StatusError too_large(std::string_view message);
/// A path the server does not know: "the server could not find the requested resource".
StatusError unknown_path();
/// Any other code and reason.
StatusError generic(int code, std::string_view reason, std::string_view message);

}  // namespace errors

/// The Status of success that DELETE answers with; `uid` may be empty.
json::Value success_status(const GroupResource& resource, std::string_view name,
                           std::string_view uid);

}  // namespace tripod::kube
