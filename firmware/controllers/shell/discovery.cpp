#include "firmware/controllers/shell/discovery.h"

namespace tripod::controllers {
namespace {

constexpr std::size_t groups_max = 500;
constexpr std::size_t kinds_max = 5000;

}  // namespace

bool Discovery::Kind::can(std::string_view verb) const {
  return std::ranges::find(verbs, verb) != verbs.end();
}

void Discovery::read(NamePool& names, std::string_view group, std::string_view version,
                     const json::Value& list) {
  const json::Array* all = json::get_array(list, "resources");
  if (!all) return;
  for (const json::Value& each : *all) {
    std::string_view name = json::get_string(each, "name");
    if (name.empty() || name.contains('/') || kinds_.size() >= kinds_max) continue;
    Kind kind;
    kind.resource = {names.keep(group), names.keep(version), names.keep(name),
                     names.keep(json::get_string(each, "kind")),
                     json::get_bool(each, "namespaced")};
    if (const json::Array* verbs = json::get_array(each, "verbs")) {
      for (const json::Value& verb : *verbs) kind.verbs.emplace_back(json::as_string(verb));
    }
    kinds_.push_back(std::move(kind));
  }
}

Task<kube::ApiResult<std::unique_ptr<Discovery>>> Discovery::ask(kube::Client* client,
                                                                 NamePool* names) {
  auto discovery = std::make_unique<Discovery>();
  auto core = co_await client->get_raw("/api/v1");
  if (!core) co_return std::unexpected(core.error());
  discovery->read(*names, "", "v1", *core);
  auto groups = co_await client->get_raw("/apis");
  if (!groups) co_return std::unexpected(groups.error());
  const json::Array* all = json::get_array(*groups, "groups");
  for (std::size_t i = 0; all && i < all->size() && i < groups_max; ++i) {
    std::string group_version(json::get_string((*all)[i], "preferredVersion", "groupVersion"));
    auto list = co_await client->get_raw("/apis/" + group_version);
    if (!list) {
      discovery->missing_.push_back(group_version);
      continue;
    }
    kube::GroupVersion parsed = kube::parse_group_version(group_version);
    discovery->read(*names, parsed.group, parsed.version, *list);
  }
  co_return discovery;
}

}  // namespace tripod::controllers
