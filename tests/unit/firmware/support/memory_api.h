#pragma once
// A Kubernetes API in memory behind http::Transport, with the parts of its semantics that
// controllers depend on: resource versions, optimistic locking, generation, status as a
// subresource, finalizers, graceful pod deletion, watches. It stands in for the server in tests of
// what acts through the API.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "platform/async/oneshot.h"
#include "platform/http/message.h"
#include "platform/json/json.h"
#include "platform/os/clock.h"

namespace tripod::test {

class MemoryApi final : public http::Transport {
 public:
  MemoryApi(os::Executor& executor, os::Clock& clock) : executor_(executor), clock_(clock) {}

  Task<Result<std::unique_ptr<http::Call>>> open(http::RequestHead head,
                                                 std::optional<Bytes> body) override;

  /// Direct access, as an administrator would have it. `type` is "pods", "deployments", ...
  json::Value& put(std::string_view type, json::Value object);
  const json::Value* find(std::string_view type, std::string_view key) const;
  std::vector<json::Value> list(std::string_view type) const;
  void modify(std::string_view type, std::string_view key,
              const std::function<void(json::Value&)>& change);
  void remove(std::string_view type, std::string_view key);

  /// Called first for each request; a status code other than 0 is answered at once.
  std::function<int(const http::RequestHead&)> intercept;
  /// Called after each request has taken effect; true: the answer is lost on the way.
  std::function<bool(const http::RequestHead&)> lose_answer;
  /// "POST /api/v1/namespaces/default/pods" of all requests but GET.
  std::vector<std::string> writes;
  /// The most pods that were alive (not being deleted) at any moment, by controller uid.
  std::map<std::string, int> most_pods;

 private:
  friend class WatchCall;
  struct Event {
    std::uint64_t revision;
    std::string type;  // the resource's
    std::string kind;  // ADDED, MODIFIED, DELETED
    json::Value object;
  };
  struct Target {
    std::string type;
    std::string ns;
    std::string name;
    std::string subresource;
  };
  struct Answer {
    int status = 200;
    json::Value body;
  };
  using Objects = std::map<std::string, json::Value, std::less<>>;

  static Target parse(const std::string& path);
  Answer handle(const http::RequestHead& head, const Bytes& body);
  Answer list_of(const Target& target, const http::RequestHead& head);
  Answer create(const Target& target, json::Value object);
  Answer update(const Target& target, json::Value object);
  Answer patch(const Target& target, const json::Value& body, bool strategic);
  Answer erase(const Target& target, const json::Value& options);
  Answer erase_all(const Target& target, const json::Value& options);
  Answer bind(const Target& target, const json::Value& binding);
  Answer store(const Target& target, json::Value before, json::Value after);
  void announce(const std::string& type, std::string kind, json::Value object);
  void count_pods();
  std::string stamp(json::Value& object);

  os::Executor& executor_;
  os::Clock& clock_;
  std::map<std::string, Objects, std::less<>> objects_;
  std::vector<Event> history_;
  std::vector<async::Oneshot<void>> watchers_;
  std::uint64_t revision_ = 100;
  std::uint64_t next_uid_ = 1;
};

}  // namespace tripod::test
