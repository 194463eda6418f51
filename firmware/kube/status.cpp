#include "firmware/kube/status.h"

#include <format>

namespace tripod::kube {

namespace {

StatusError make(int code, std::string_view reason, std::string_view message) {
  json::Object status;
  status["kind"] = "Status";
  status["apiVersion"] = "v1";
  status["metadata"] = json::Object();
  status["status"] = "Failure";
  status["message"] = message;
  if (!reason.empty()) status["reason"] = reason;
  status["code"] = code;
  return {code, std::move(status)};
}

/// Adds `details`, in front of `code` as Kubernetes prints it.
StatusError with_details(StatusError error, json::Object details) {
  json::Object& status = error.status.get_object();
  json::erase(status, "code");
  status["details"] = std::move(details);
  status["code"] = error.code;
  return error;
}

json::Object details_of(std::string_view name, std::string_view group, std::string_view kind) {
  json::Object details;
  if (!name.empty()) details["name"] = name;
  if (!group.empty()) details["group"] = group;
  if (!kind.empty()) details["kind"] = kind;
  return details;
}

StatusError about(int code, std::string_view reason, std::string_view message,
                  const GroupResource& resource, std::string_view name,
                  int retry_after_seconds = 0) {
  json::Object details = details_of(name, resource.group, resource.resource);
  if (retry_after_seconds > 0) details["retryAfterSeconds"] = retry_after_seconds;
  return with_details(make(code, reason, message), std::move(details));
}

StatusError retry(int code, std::string_view reason, std::string_view message,
                  int retry_after_seconds) {
  json::Object details;
  if (retry_after_seconds > 0) details["retryAfterSeconds"] = retry_after_seconds;
  return with_details(make(code, reason, message), std::move(details));
}

}  // namespace

namespace errors {

StatusError not_found(const GroupResource& resource, std::string_view name) {
  return about(404, "NotFound",
               std::format("{} {} not found", resource.to_string(), go_quote(name)), resource,
               name);
}

StatusError already_exists(const GroupResource& resource, std::string_view name) {
  return about(409, "AlreadyExists",
               std::format("{} {} already exists", resource.to_string(), go_quote(name)), resource,
               name);
}

StatusError generate_name_conflict(const GroupResource& resource, std::string_view name) {
  return about(
      409, "AlreadyExists",
      std::format(
          "{} {} already exists, the server was not able to generate a unique name for the object",
          resource.to_string(), go_quote(name)),
      resource, name, 1);
}

StatusError conflict(const GroupResource& resource, std::string_view name) {
  return conflict(resource, name,
                  "the object has been modified; please apply your changes to the latest version "
                  "and try again");
}

StatusError conflict(const GroupResource& resource, std::string_view name, std::string_view why) {
  return about(409, "Conflict",
               std::format("Operation cannot be fulfilled on {} {}: {}", resource.to_string(),
                           go_quote(name), why),
               resource, name);
}

StatusError invalid(const GroupKind& kind, std::string_view name, const FieldErrors& field_errors) {
  std::string message = std::format("{} {} is invalid", kind.to_string(), go_quote(name));
  json::Object details = details_of(name, kind.group, kind.kind);
  if (!field_errors.empty()) {
    message += std::format(": {}", join(field_errors));
    json::Array causes;
    for (const FieldError& error : field_errors) {
      causes.push_back(json::Object{
          {"reason", reason_of(error.type)}, {"message", error.body()}, {"field", error.field}});
    }
    details["causes"] = std::move(causes);
  }
  return with_details(make(422, "Invalid", message), std::move(details));
}

StatusError bad_request(std::string_view message) {
  return make(400, "BadRequest", message);
}

StatusError forbidden(const GroupResource& resource, std::string_view name, std::string_view why) {
  std::string message;
  if (resource.resource.empty()) {
    message = std::format("forbidden: {}", why);
  } else if (name.empty()) {
    message = std::format("{} is forbidden: {}", resource.to_string(), why);
  } else {
    message = std::format("{} {} is forbidden: {}", resource.to_string(), go_quote(name), why);
  }
  return about(403, "Forbidden", message, resource, name);
}

StatusError unauthorized(std::string_view message) {
  return make(401, "Unauthorized", message);
}

StatusError method_not_supported(const GroupResource& resource, std::string_view action) {
  return about(405, "MethodNotAllowed",
               std::format("{} is not supported on resources of kind {}", action,
                           go_quote(resource.to_string())),
               resource, {});
}

StatusError method_not_allowed() {
  return with_details(make(405, "MethodNotAllowed",
                           "the server does not allow this method on the requested resource"),
                      {});
}

StatusError not_acceptable(std::string_view accepted) {
  return make(406, "NotAcceptable",
              std::format("only the following media types are accepted: {}", accepted));
}

StatusError unsupported_media_type(std::string_view accepted) {
  return make(
      415, "UnsupportedMediaType",
      std::format(
          "the body of the request was in an unknown format - accepted media types include: {}",
          accepted));
}

StatusError gone(std::string_view message) {
  return make(410, "Gone", message);
}
StatusError expired(std::string_view message) {
  return make(410, "Expired", message);
}

StatusError too_many_requests(std::string_view message, int retry_after_seconds) {
  return retry(429, "TooManyRequests", message, retry_after_seconds);
}

StatusError timeout(std::string_view message, int retry_after_seconds) {
  return retry(504, "Timeout", std::format("Timeout: {}", message), retry_after_seconds);
}

StatusError server_timeout(const GroupResource& resource, std::string_view operation,
                           int retry_after_seconds) {
  return about(
      500, "ServerTimeout",
      std::format(
          "The {} operation against {} could not be completed at this time, please try again.",
          operation, resource.to_string()),
      resource, operation, retry_after_seconds);
}

StatusError service_unavailable(std::string_view message) {
  return make(503, "ServiceUnavailable", message);
}

StatusError internal_error(std::string_view message) {
  json::Object details;
  details["causes"] = json::Array{json::Object{{"message", message}}};
  return with_details(
      make(500, "InternalError", std::format("Internal error occurred: {}", message)),
      std::move(details));
}

StatusError too_large(std::string_view message) {
  return make(413, "RequestEntityTooLarge", std::format("Request entity too large: {}", message));
}

StatusError unknown_path() {
  return with_details(make(404, "NotFound", "the server could not find the requested resource"),
                      {});
}

StatusError generic(int code, std::string_view reason, std::string_view message) {
  return make(code, reason, message);
}

}  // namespace errors

json::Value success_status(const GroupResource& resource, std::string_view name,
                           std::string_view uid) {
  json::Object status;
  status["kind"] = "Status";
  status["apiVersion"] = "v1";
  status["metadata"] = json::Object();
  status["status"] = "Success";
  json::Object details = details_of(name, resource.group, resource.resource);
  if (!uid.empty()) details["uid"] = uid;
  status["details"] = std::move(details);
  return status;
}

}  // namespace tripod::kube
