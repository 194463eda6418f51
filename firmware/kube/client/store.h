#pragma once
// The local copy of one kind's objects, by "namespace/name", with indexes. Objects are shared and
// immutable.
//
// Loop thread only. Handlers are called after the store has changed and must not change it.

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "firmware/kube/client/objects.h"

namespace tripod::kube {

/// What changed: `before` is null for a new object, `now` is null for a removed one.
struct Change {
  ObjectPtr before;
  ObjectPtr now;
  const json::Value& latest() const { return now ? *now : *before; }
};

class Store {
 public:
  using Handler = std::function<void(const Change&)>;
  /// The values under which an object is found; usually none or one.
  using Indexer = std::function<void(const json::Value&, std::vector<std::string>&)>;

  /// Before the first object.
  void add_index(std::string name, Indexer indexer);
  /// Called for every later change, and at once for every object that is there.
  void add_handler(Handler handler);

  ObjectPtr get(std::string_view key) const;
  /// In key order.
  std::vector<ObjectPtr> list() const;
  std::vector<ObjectPtr> list_namespace(std::string_view ns) const;
  std::vector<ObjectPtr> by_index(std::string_view index, std::string_view value) const;
  std::size_t size() const { return objects_.size(); }

  void put(json::Value object);
  void remove(std::string_view key);
  /// Makes the store hold exactly these objects, plus newer ones than `revision` that this process
  /// wrote itself.
  void replace(std::vector<json::Value> objects, std::uint64_t revision);

 private:
  struct Index {
    Indexer indexer;
    std::map<std::string, std::set<std::string>, std::less<>> keys;
  };
  void index(const std::string& key, const ObjectPtr& object, bool add);
  void announce(const Change& change);

  std::map<std::string, ObjectPtr, std::less<>> objects_;
  std::map<std::string, Index, std::less<>> indexes_;
  std::vector<Handler> handlers_;
};

/// Index by uid of the controlling owner.
void index_by_controller(const json::Value& object, std::vector<std::string>& out);
/// Index by spec.nodeName.
void index_by_node(const json::Value& object, std::vector<std::string>& out);

}  // namespace tripod::kube
