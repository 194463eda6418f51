#include "firmware/apiserver/request_info.h"

#include "firmware/kube/selector.h"
#include "platform/http/message.h"

namespace tripod::apiserver {

Result<Query> Query::parse(std::string_view text) {
  auto pairs = http::parse_query(text);
  if (!pairs) return std::unexpected(pairs.error());
  Query query;
  query.pairs_ = std::move(*pairs);
  return query;
}

std::string_view Query::get(std::string_view name) const {
  for (const auto& [key, value] : pairs_) {
    if (key == name) return value;
  }
  return {};
}

bool Query::has(std::string_view name) const {
  for (const auto& [key, value] : pairs_) {
    if (key == name) return true;
  }
  return false;
}

bool Query::flag(std::string_view name) const {
  for (const auto& [key, value] : pairs_) {
    if (key == name) return value != "false" && value != "0";
  }
  return false;
}

std::vector<std::string_view> Query::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& [key, value] : pairs_) {
    if (key == name) values.push_back(value);
  }
  return values;
}

std::string_view RequestInfo::scope() const {
  if (!is_resource) return {};
  if (!name.empty() || verb == "create") return "resource";
  return name_space.empty() ? "cluster" : "namespace";
}

namespace {

Result<std::vector<std::string>> split_path(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    if (path.front() == '/') {
      path.remove_prefix(1);
      continue;
    }
    const std::size_t end = std::min(path.find('/'), path.size());
    auto part = http::percent_decode(path.substr(0, end), false);
    if (!part) return std::unexpected(part.error());
    parts.push_back(std::move(*part));
    path.remove_prefix(end);
  }
  return parts;
}

std::string verb_of(std::string_view method) {
  if (method == "POST") return "create";
  if (method == "GET" || method == "HEAD") return "get";
  if (method == "PUT") return "update";
  if (method == "PATCH") return "patch";
  if (method == "DELETE") return "delete";
  return {};
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

/// The parts behind the version: [watch] [namespaces NS] RESOURCE [NAME [SUBRESOURCE]].
void read_resource(std::vector<std::string> parts, RequestInfo& info) {
  std::size_t at = 0;
  if (parts[0] == "watch" && parts.size() > 1) {
    info.verb = "watch";
    at = 1;
  }
  if (parts[at] == "namespaces") {
    if (at + 1 < parts.size()) {
      info.name_space = parts[at + 1];
      const bool of_namespace =
          at + 2 >= parts.size() || parts[at + 2] == "status" || parts[at + 2] == "finalize";
      if (!of_namespace) at += 2;
    }
  }
  info.resource = parts[at];
  if (at + 1 < parts.size()) info.name = parts[at + 1];
  if (at + 2 < parts.size()) info.subresource = parts[at + 2];
  for (std::size_t i = at + 3; i < parts.size(); ++i) info.subresource += "/" + parts[i];
}

void refine_collection_verb(RequestInfo& info) {
  if (!info.name.empty()) return;
  if (info.verb == "get") info.verb = info.query.flag("watch") ? "watch" : "list";
  if (info.verb == "delete") info.verb = "deletecollection";
}

}  // namespace

Result<RequestInfo> parse_request(std::string_view method, std::string_view path,
                                  std::string_view query) {
  RequestInfo info;
  auto parsed = Query::parse(query);
  if (!parsed) return std::unexpected(parsed.error());
  info.query = std::move(*parsed);
  auto decoded = http::percent_decode(path, false);
  if (!decoded) return std::unexpected(decoded.error());
  info.path = std::move(*decoded);
  auto parts = split_path(path);
  if (!parts) return std::unexpected(parts.error());
  info.verb = lower(method);

  const bool core = !parts->empty() && (*parts)[0] == "api";
  const bool grouped = !parts->empty() && (*parts)[0] == "apis";
  const std::size_t head = core ? 2 : 3;
  if ((!core && !grouped) || parts->size() <= head) return info;
  std::string verb = verb_of(method);
  if (verb.empty()) return info;

  info.is_resource = true;
  info.verb = std::move(verb);
  if (grouped) info.group = (*parts)[1];
  info.version = (*parts)[head - 1];
  parts->erase(parts->begin(), parts->begin() + static_cast<std::ptrdiff_t>(head));
  read_resource(std::move(*parts), info);
  refine_collection_verb(info);
  return info;
}

}  // namespace tripod::apiserver
