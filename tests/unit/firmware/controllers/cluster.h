#pragma once
// A cluster for controller tests: the API in memory, any number of controller managers, and
// kubelets and a scheduler that do at once what they are asked.

#include <gtest/gtest.h>

#include "firmware/controllers/manager.h"
#include "firmware/kube/client/objects.h"
#include "tests/unit/firmware/support/memory_api.h"
#include "tests/unit/firmware/support/test_world.h"

namespace tripod::controllers {

using namespace std::chrono_literals;

struct ManagerBoard {
  ManagerBoard(test::VirtualLoop& loop, http::Transport& transport, const std::string& name,
               Config config = {})
      : world(loop, name),
        manager(transport, world.world, std::move(config), nullptr),
        scope(loop) {
    scope.spawn(manager.run());
  }
  test::TestWorld world;
  ControllerManager manager;
  Scope scope;
};

/// Nodes are never silent: for tests that are not about nodes.
inline Config patient() {
  Config config;
  config.node_monitor_grace_period = std::chrono::hours(24);
  return config;
}

struct ClusterTest : testing::Test {
  void start(const std::string& name = "a", Config config = patient()) {
    boards.push_back(std::make_unique<ManagerBoard>(loop, api, name, std::move(config)));
  }
  void TearDown() override {
    api.intercept = {};
    for (auto& board : boards) board->scope.cancel();
    loop.run_for(5s);
    for (auto& board : boards) EXPECT_TRUE(board->scope.idle());
  }

  static json::Value parse(std::string_view text) {
    auto value = json::parse(text);
    CHECK(value.has_value(), text);
    return *value;
  }

  /// Binds pending pods, makes bound ones ready (unless `broken` names their image), removes
  /// deleted ones.
  void kubelets() {
    if (!api.find("nodes", "node-1")) {
      api.put("nodes", parse(R"({"metadata":{"name":"node-1"},"status":{"conditions":[
        {"type":"Ready","status":"True"}]}})"));
    }
    for (const json::Value& pod : api.list("pods")) {
      const std::string key = kube::key_of(pod);
      if (kube::is_deleting(pod)) {
        api.remove("pods", key);
        continue;
      }
      if (kube::is_pod_ready(pod)) continue;
      const json::Array* containers = json::get_array(pod, "spec", "containers");
      if (!broken.empty() && containers && json::get_string((*containers)[0], "image") == broken)
        continue;
      api.modify("pods", key, [&](json::Value& object) {
        json::set(object, {"spec", "nodeName"}, json::Value("node-1"));
        json::set(object, {"status", "phase"}, json::Value("Running"));
        json::set(object, {"status", "podIP"}, json::Value(std::format("10.0.0.{}", ++last_ip)));
        kube::set_condition(object,
                            {.type = "Ready", .status = "True", .reason = {}, .message = {}},
                            loop.wall_now());
      });
    }
  }
  template <typename Done>
  bool settle(const Done& done, Duration span = 60s) {
    return loop.run_until(
        [&] {
          if (done()) return true;
          kubelets();
          return false;
        },
        span);
  }
  std::int64_t number(std::string_view type, std::string_view key, json::Path path) {
    const json::Value* object = api.find(type, key);
    const json::Value* value = object ? json::find(*object, path) : nullptr;
    return value ? json::as_int(*value).value_or(-1) : 0;
  }
  std::int64_t status(std::string_view type, std::string_view key, std::string_view field) {
    return number(type, key, {"status", field});
  }
  std::size_t count_events(std::string_view reason) {
    std::size_t count = 0;
    for (const json::Value& event : api.list("events"))
      count += json::get_string(event, "reason") == reason;
    return count;
  }

  test::VirtualLoop loop;
  test::MemoryApi api{loop, loop};
  std::string broken;
  int last_ip = 0;
  std::vector<std::unique_ptr<ManagerBoard>> boards;
};

}  // namespace tripod::controllers
