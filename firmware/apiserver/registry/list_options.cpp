#include "firmware/apiserver/registry/list_options.h"

#include <charconv>
#include <format>

#include "platform/base/base64.h"

namespace tripod::apiserver {

namespace {

std::optional<std::int64_t> to_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

kube::StatusError invalid_options(kube::FieldErrors errors) {
  return kube::errors::invalid({"meta.k8s.io", "ListOptions"}, "", errors);
}

kube::FieldErrors check_list(const ListOptions& options, std::string_view match) {
  kube::FieldErrors errors;
  if (!match.empty()) {
    if (options.resource_version.empty()) {
      errors.push_back(
          kube::forbidden("resourceVersionMatch",
                          "resourceVersionMatch is forbidden unless resourceVersion is provided"));
    }
    if (options.continuation) {
      errors.push_back(kube::forbidden(
          "resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"));
    }
    if (options.match == VersionMatch::unset) {
      errors.push_back(kube::not_supported("resourceVersionMatch", json::Value(json::String(match)),
                                           {"Exact", "NotOlderThan", ""}));
    }
    if (options.match == VersionMatch::exact && options.resource_version == "0") {
      errors.push_back(
          kube::forbidden("resourceVersionMatch",
                          "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""));
    }
  }
  if (options.send_initial_events) {
    errors.push_back(
        kube::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
  }
  return errors;
}

kube::FieldErrors check_watch(const ListOptions& options, std::string_view match) {
  kube::FieldErrors errors;
  if (options.send_initial_events && options.match != VersionMatch::not_older_than) {
    errors.push_back(
        kube::forbidden("resourceVersionMatch",
                        "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
  }
  if (!match.empty()) {
    if (!options.send_initial_events) {
      errors.push_back(kube::forbidden(
          "resourceVersionMatch",
          "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"));
    }
    if (options.match != VersionMatch::not_older_than) {
      errors.push_back(kube::not_supported("resourceVersionMatch", json::Value(json::String(match)),
                                           {"NotOlderThan"}));
    }
    if (options.continuation) {
      errors.push_back(kube::forbidden(
          "resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"));
    }
  }
  return errors;
}

kube::Outcome<> read_selection(const Resource& resource, const RequestInfo& info,
                               Selection& selection) {
  auto labels = kube::LabelSelector::parse(info.query.get("labelSelector"));
  if (!labels) return std::unexpected(kube::errors::bad_request(labels.error().message));
  auto fields = kube::FieldSelector::parse(info.query.get("fieldSelector"));
  if (!fields) return std::unexpected(kube::errors::bad_request(fields.error().message));
  if (auto known = check_fields(resource, *fields); !known) return known;
  selection.name_space = info.name_space;
  selection.name = info.name;
  if (const auto name = fields->exact("metadata.name"); name && selection.name.empty())
    selection.name = *name;
  if (const auto where = fields->exact("metadata.namespace");
      where && selection.name_space.empty()) {
    selection.name_space = *where;
  }
  selection.labels = std::move(*labels);
  selection.fields = std::move(*fields);
  return {};
}

kube::Outcome<> read_version(const RequestInfo& info, ListOptions& options) {
  options.resource_version = info.query.get("resourceVersion");
  if (options.resource_version.empty()) return {};
  const auto number = to_number(options.resource_version);
  if (!number || *number < 0) {
    return std::unexpected(kube::errors::invalid(
        {"", ""}, "",
        {kube::invalid("resourceVersion", json::Value(json::String(options.resource_version)),
                       std::format("strconv.ParseUint: parsing {}: invalid syntax",
                                   kube::go_quote(options.resource_version)))}));
  }
  options.revision = *number;
  return {};
}

}  // namespace

std::string ContinueToken::encode() const {
  json::Object token;
  token["v"] = "meta.k8s.io/v1";
  token["rv"] = revision;
  token["start"] = start;
  return to_base64_url(json::serialize(token));
}

kube::Outcome<ContinueToken> ContinueToken::decode(std::string_view text) {
  const auto refuse = [](std::string_view why) {
    return std::unexpected(
        kube::errors::bad_request(std::format("continue key is not valid: {}", why)));
  };
  const auto bytes = from_base64_url(text);
  if (!bytes) return refuse("illegal base64 data");
  const auto token = json::parse(*bytes);
  if (!token || json::get_string(*token, "v") != "meta.k8s.io/v1")
    return refuse("unrecognized or malformed token");
  const auto revision = json::get_int(*token, "rv");
  const std::string_view start = json::get_string(*token, "start");
  if (!revision || *revision == 0 || start.empty())
    return refuse("incorrect encoded start resourceVersion or start key");
  if (start.find("..") != start.npos && start.find("/../") != start.npos)
    return refuse("start key leaves its prefix");
  return ContinueToken{*revision, std::string(start)};
}

kube::Outcome<ListOptions> parse_list_options(const Resource& resource, const RequestInfo& info) {
  ListOptions options;
  if (auto read = read_selection(resource, info, options.selection); !read)
    return std::unexpected(read.error());
  if (auto read = read_version(info, options); !read) return std::unexpected(read.error());
  const std::string_view match = info.query.get("resourceVersionMatch");
  if (match == "Exact") options.match = VersionMatch::exact;
  if (match == "NotOlderThan") options.match = VersionMatch::not_older_than;
  if (const auto limit = info.query.get("limit"); !limit.empty()) {
    const auto number = to_number(limit);
    if (!number)
      return std::unexpected(
          kube::errors::bad_request(std::format("invalid limit {}", kube::go_quote(limit))));
    options.limit = std::max<std::int64_t>(*number, 0);
  }
  if (const auto text = info.query.get("continue"); !text.empty()) {
    auto token = ContinueToken::decode(text);
    if (!token) return std::unexpected(token.error());
    options.continuation = std::move(*token);
  }
  if (const auto seconds = info.query.get("timeoutSeconds"); !seconds.empty())
    options.timeout_seconds = to_number(seconds);
  options.bookmarks = info.query.flag("allowWatchBookmarks");
  if (info.query.has("sendInitialEvents"))
    options.send_initial_events = info.query.flag("sendInitialEvents");
  const kube::FieldErrors errors =
      info.is_watch() ? check_watch(options, match) : check_list(options, match);
  if (!errors.empty()) return std::unexpected(invalid_options(errors));
  if (options.continuation && !options.resource_version.empty() &&
      options.resource_version != "0") {
    return std::unexpected(kube::errors::bad_request(
        "specifying resource version is not allowed when using continue"));
  }
  return options;
}

kube::StatusError expired_token(const ContinueToken& token) {
  auto error = kube::errors::expired(
      "The provided continue parameter is too old to display a consistent list result. You can "
      "start a new list "
      "without the continue parameter, or use the continue token in this response to retrieve the "
      "remainder of the "
      "results. Continuing with the provided token results in an inconsistent list - objects that "
      "were created, "
      "modified, or deleted between the time the first chunk was returned and now may show up in "
      "the list.");
  json::set(error.status, {"metadata", "continue"},
            json::Value(json::String(ContinueToken{-1, token.start}.encode())));
  return error;
}

}  // namespace tripod::apiserver
