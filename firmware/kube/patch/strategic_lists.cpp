#include "firmware/kube/patch/strategic_lists.h"

namespace tripod::kube::strategic {

const json::Value* identity_of(const json::Value& element, std::string_view merge_key) {
  return merge_key.empty() ? &element : json::find(element, merge_key);
}

std::ptrdiff_t index_of(const json::Array& list, const json::Value& identity,
                        std::string_view merge_key) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    const json::Value* other = identity_of(list[i], merge_key);
    if (other && json::equal(*other, identity)) return static_cast<std::ptrdiff_t>(i);
  }
  return -1;
}

json::Array reorder(json::Array merged, const json::Array& order, const json::Array& server,
                    std::string_view merge_key) {
  struct Item {
    json::Value value;
    std::ptrdiff_t in_order;
    std::ptrdiff_t in_server;
  };
  std::vector<Item> named, others;
  for (json::Value& value : merged) {
    const json::Value* identity = identity_of(value, merge_key);
    const std::ptrdiff_t in_order = identity ? index_of(order, *identity, merge_key) : -1;
    const std::ptrdiff_t in_server = identity ? index_of(server, *identity, merge_key) : -1;
    (in_order >= 0 ? named : others).push_back({std::move(value), in_order, in_server});
  }
  std::ranges::stable_sort(named, {}, &Item::in_order);
  std::ranges::stable_sort(others, {}, &Item::in_server);
  json::Array ordered;
  auto left = others.begin();
  auto right = named.begin();
  while (left != others.end() || right != named.end()) {
    const bool take_left =
        right == named.end() || (left != others.end() && left->in_server >= 0 &&
                                 right->in_server >= 0 && left->in_server < right->in_server);
    ordered.push_back(std::move(take_left ? (left++)->value : (right++)->value));
  }
  return ordered;
}

json::Array without_repetitions(json::Array list) {
  json::Array unique;
  for (json::Value& value : list) {
    if (index_of(unique, value, {}) < 0) unique.push_back(std::move(value));
  }
  return unique;
}

}  // namespace tripod::kube::strategic
