#include "firmware/kube/client/store.h"

#include "platform/base/check.h"

namespace tripod::kube {

void Store::add_index(std::string name, Indexer indexer) {
  CHECK(objects_.empty(), "indexes come before objects");
  indexes_.emplace(std::move(name), Index{std::move(indexer), {}});
}

void Store::add_handler(Handler handler) {
  for (const auto& [key, object] : objects_) handler({nullptr, object});
  handlers_.push_back(std::move(handler));
}

ObjectPtr Store::get(std::string_view key) const {
  auto found = objects_.find(key);
  return found == objects_.end() ? nullptr : found->second;
}

std::vector<ObjectPtr> Store::list() const {
  std::vector<ObjectPtr> all;
  all.reserve(objects_.size());
  for (const auto& [key, object] : objects_) all.push_back(object);
  return all;
}

std::vector<ObjectPtr> Store::list_namespace(std::string_view ns) const {
  std::vector<ObjectPtr> all;
  const std::string prefix = std::string(ns) + "/";
  for (auto each = objects_.lower_bound(prefix);
       each != objects_.end() && each->first.starts_with(prefix); ++each) {
    all.push_back(each->second);
  }
  return all;
}

std::vector<ObjectPtr> Store::by_index(std::string_view index, std::string_view value) const {
  auto found = indexes_.find(index);
  CHECK(found != indexes_.end(), index);
  std::vector<ObjectPtr> all;
  auto keys = found->second.keys.find(value);
  if (keys == found->second.keys.end()) return all;
  for (const std::string& key : keys->second) all.push_back(get(key));
  return all;
}

void Store::index(const std::string& key, const ObjectPtr& object, bool add) {
  std::vector<std::string> values;
  for (auto& [name, index] : indexes_) {
    values.clear();
    index.indexer(*object, values);
    for (const std::string& value : values) {
      if (add) {
        index.keys[value].insert(key);
      } else if (auto keys = index.keys.find(value); keys != index.keys.end()) {
        keys->second.erase(key);
        if (keys->second.empty()) index.keys.erase(keys);
      }
    }
  }
}

void Store::announce(const Change& change) {
  for (const Handler& handler : handlers_) handler(change);
}

void Store::put(json::Value object) {
  std::string key = key_of(object);
  auto now = std::make_shared<const json::Value>(std::move(object));
  ObjectPtr& slot = objects_[key];
  ObjectPtr before = slot;
  slot = now;
  if (before) index(key, before, false);
  index(key, now, true);
  announce({before, now});
}

void Store::remove(std::string_view key) {
  auto found = objects_.find(key);
  if (found == objects_.end()) return;
  ObjectPtr before = found->second;
  index(found->first, before, false);
  objects_.erase(found);
  announce({before, nullptr});
}

void Store::replace(std::vector<json::Value> objects, std::uint64_t revision) {
  std::set<std::string> present;
  for (const json::Value& object : objects) present.insert(key_of(object));
  std::vector<std::string> gone;
  for (const auto& [key, object] : objects_) {
    if (!present.contains(key) && revision_of(*object) <= revision) gone.push_back(key);
  }
  for (const std::string& key : gone) remove(key);
  for (json::Value& object : objects) {
    ObjectPtr known = get(key_of(object));
    if (known && revision_of(*known) >= revision_of(object) && uid_of(*known) == uid_of(object)) {
      continue;
    }
    put(std::move(object));
  }
}

void index_by_controller(const json::Value& object, std::vector<std::string>& out) {
  std::string_view uid = controller_uid(object);
  if (!uid.empty()) out.emplace_back(uid);
}

void index_by_node(const json::Value& object, std::vector<std::string>& out) {
  std::string_view node = json::get_string(object, "spec", "nodeName");
  if (!node.empty()) out.emplace_back(node);
}

}  // namespace tripod::kube
