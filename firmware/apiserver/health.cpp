#include "firmware/apiserver/health.h"

#include <algorithm>
#include <format>

namespace tripod::apiserver {

namespace {

std::string_view root_of(std::string_view path) {
  for (std::string_view root : {"/healthz", "/livez", "/readyz"}) {
    if (path == root || (path.starts_with(root) && path[root.size()] == '/')) return root;
  }
  return {};
}

}  // namespace

bool Health::is_health_path(std::string_view path) {
  return !root_of(path).empty();
}

Task<kube::Outcome<Reply>> Health::serve(const RequestInfo* info) const {
  const std::string_view root = root_of(info->path);
  std::string_view single = std::string_view(info->path).substr(root.size());
  if (single.starts_with('/')) single.remove_prefix(1);
  const std::vector<std::string_view> excluded = info->query.all("exclude");
  std::vector<std::string> unknown(excluded.begin(), excluded.end());
  std::string text;
  bool found = single.empty();
  bool failed = false;
  for (const HealthCheck& check : checks_) {
    if (root != "/readyz" && !check.live) continue;
    if (!single.empty() && check.name != single) continue;
    found = true;
    std::erase(unknown, check.name);
    if (std::ranges::find(excluded, check.name) != excluded.end()) {
      text += std::format("[+]{} excluded: ok\n", check.name);
      continue;
    }
    if (auto passed = co_await check.run(); passed) {
      text += std::format("[+]{} ok\n", check.name);
    } else {
      failed = true;
      text += std::format("[-]{} failed: reason withheld\n", check.name);
    }
  }
  if (!found) co_return std::unexpected(kube::errors::unknown_path());
  if (!single.empty()) {
    if (failed)
      co_return text_reply(std::format("internal server error: {} failed\n", single), 500);
    co_return text_reply("ok");
  }
  for (const std::string& name : unknown) {
    text += std::format("warn: some health checks cannot be excluded: no matches for {}\n",
                        kube::go_quote(name));
  }
  if (failed) co_return text_reply(std::format("{}{} check failed\n", text, root.substr(1)), 500);
  if (!info->query.has("verbose")) co_return text_reply("ok");
  co_return text_reply(std::format("{}{} check passed\n", text, root.substr(1)));
}

}  // namespace tripod::apiserver
