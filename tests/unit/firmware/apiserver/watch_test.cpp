// Watches: events, resuming, bookmarks, selectors, expiry.

#include "tests/unit/firmware/apiserver/fixture.h"

namespace tripod::test {
namespace {

using Types = std::vector<std::string>;
constexpr const char* config_maps = "/api/v1/namespaces/default/configmaps";

std::string config_map(std::string_view name, std::string_view app = "x") {
  return std::format(R"({{"metadata":{{"name":"{}","labels":{{"app":"{}"}}}}}})", name, app);
}

TEST_F(ApiServerTest, watch_tells_every_change) {
  post(config_maps, config_map("old"));
  Watching& all = watch(std::string(config_maps) + "?watch=true");
  EXPECT_EQ(all.types(), Types{"ADDED"});
  const Answer created = post(config_maps, config_map("a"));
  patch(std::string(config_maps) + "/a", "merge-patch", R"({"data":{"k":"v"}})");
  remove(std::string(config_maps) + "/a");
  settle();
  EXPECT_EQ(all.types(), (Types{"ADDED", "ADDED", "MODIFIED", "DELETED"}));
  EXPECT_EQ(json::get_string(all.events[1], "object", "metadata", "resourceVersion"),
            created.version());
  EXPECT_EQ(json::get_string(all.events[3], "object", "metadata", "resourceVersion"),
            std::to_string(etcd_.revision()));
  EXPECT_EQ(json::get_string(all.events[3], "object", "data", "k"), "v");
}

TEST_F(ApiServerTest, an_object_replaced_by_what_cannot_be_read_is_gone) {
  const Answer created = post(config_maps, config_map("a"));
  Watching& all = watch(std::string(config_maps) + "?watch=true");
  run([](etcd::Client* etcd) -> Task<void> {
    etcd::PutRequest request;
    request.key = "/registry/configmaps/default/a";
    request.value = "{";
    (void)co_await etcd->put(std::move(request));
  }(&etcd_));
  settle();
  EXPECT_EQ(all.types(), (Types{"ADDED", "DELETED"}));
  const Answer listed =
      get(std::string(config_maps) + "?resourceVersion=" + std::string(created.version()));
  EXPECT_EQ(json::get_array(listed.body, "items")->size(), 0U);
}

TEST_F(ApiServerTest, watch_resumes_after_a_resource_version) {
  const Answer first = post(config_maps, config_map("a"));
  post(config_maps, config_map("b"));
  settle();
  Watching& resumed =
      watch(std::format("{}?watch=1&resourceVersion={}", config_maps, first.version()));
  ASSERT_EQ(resumed.types(), Types{"ADDED"});
  EXPECT_EQ(json::get_string(resumed.events[0], "object", "metadata", "name"), "b");
}

TEST_F(ApiServerTest, watch_of_a_forgotten_version_is_gone) {
  etcd_.compact_now(etcd_.revision());
  etcd_.cancel_watches(etcd_.revision());
  post(config_maps, config_map("a"));
  loop_.run_for(std::chrono::seconds(2));
  Watching& gone = watch(std::string(config_maps) + "?watch=1&resourceVersion=1");
  ASSERT_EQ(gone.types(), Types{"ERROR"});
  EXPECT_EQ(json::get_int(gone.events[0], "object", "code"), 410);
  EXPECT_EQ(gone.code, 200);
  EXPECT_TRUE(gone.ended);
}

TEST_F(ApiServerTest, watch_with_a_selector_sees_objects_come_and_go) {
  Watching& selected = watch(std::string(config_maps) + "?watch=1&labelSelector=app%3Dx");
  post(config_maps, config_map("a", "y"));
  patch(std::string(config_maps) + "/a", "merge-patch", R"({"metadata":{"labels":{"app":"x"}}})");
  patch(std::string(config_maps) + "/a", "merge-patch", R"({"metadata":{"labels":{"app":"z"}}})");
  settle();
  ASSERT_EQ(selected.types(), (Types{"ADDED", "DELETED"}));
  EXPECT_EQ(json::get_string(selected.events[1], "object", "metadata", "labels", "app"), "x");
  EXPECT_EQ(json::get_string(selected.events[1], "object", "metadata", "resourceVersion"),
            std::to_string(etcd_.revision()));
}

TEST_F(ApiServerTest, watch_list_ends_its_start_with_a_bookmark) {
  post(config_maps, config_map("a"));
  Watching& list = watch(
      std::string(config_maps) +
      "?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true");
  ASSERT_EQ(list.types(), (Types{"ADDED", "BOOKMARK"}));
  EXPECT_EQ(json::get_string(list.events[1], "object", "metadata", "annotations",
                             "k8s.io/initial-events-end"),
            "true");
  loop_.run_for(std::chrono::seconds(61));
  ASSERT_EQ(list.events.size(), 3U);
  EXPECT_EQ(json::get_string(list.events[2], "type"), "BOOKMARK");
}

TEST_F(ApiServerTest, watch_ends_when_its_time_is_up) {
  Watching& brief = watch(std::string(config_maps) + "?watch=1&timeoutSeconds=5");
  EXPECT_FALSE(brief.ended);
  loop_.run_for(std::chrono::seconds(6));
  EXPECT_TRUE(brief.ended);
}

TEST_F(ApiServerTest, watch_refuses_initial_events_without_a_match) {
  const Answer refused = get(std::string(config_maps) + "?watch=1&sendInitialEvents=true");
  EXPECT_EQ(refused.code, 422);
}

TEST_F(ApiServerTest, watch_prints_tables_with_columns_once) {
  Watching& table =
      watch(std::string(config_maps) + "?watch=1", "application/json;as=Table;v=v1;g=meta.k8s.io");
  post(config_maps, config_map("a"));
  post(config_maps, config_map("b"));
  settle();
  ASSERT_EQ(table.events.size(), 2U);
  EXPECT_EQ(json::get_array(table.events[0], "object", "columnDefinitions")->size(), 3U);
  EXPECT_EQ(json::get_array(table.events[1], "object", "columnDefinitions")->size(), 0U);
  loop_.run_for(std::chrono::seconds(100));
  post(config_maps, config_map("c"));
  settle();
  const auto* rows = json::get_array(table.events[2], "object", "rows");
  ASSERT_TRUE(rows);
  EXPECT_EQ(json::serialize((*rows)[0].at("cells")), R"(["c",0,"0s"])");
}

TEST_F(ApiServerTest, a_watcher_that_does_not_keep_up_is_dropped) {
  Watching slow;
  // Nobody reads this call: its queue fills, then the server lets go.
  http::RequestHead head;
  head.method = "GET";
  head.path = config_maps;
  head.query = "watch=1";
  run([](http::Transport* transport, http::RequestHead request, Watching* out) -> Task<void> {
    auto call = co_await transport->open(std::move(request), Bytes());
    if (call) out->call = std::move(*call);
  }(&transport_, head, &slow));
  settle();
  const std::string filler(2000, 'x');
  for (int i = 0; i < 1400; ++i) {
    etcd::PutRequest put;
    put.key = std::format("/registry/configmaps/default/f{}", i);
    put.value = std::format(
        R"({{"kind":"ConfigMap","apiVersion":"v1",
            "metadata":{{"name":"f{}","namespace":"default"}},"data":{{"f":"{}"}}}})",
        i, filler);
    run([](MemoryEtcd* etcd, etcd::PutRequest request) -> Task<void> {
      co_await etcd->put(std::move(request));
    }(&etcd_, std::move(put)));
  }
  std::size_t received = 0;
  bool ended = false;
  run([](Watching* watching, std::size_t* count, bool* done) -> Task<void> {
    while (true) {
      auto piece = co_await watching->call->read();
      if (!piece || !*piece) break;
      *count += static_cast<std::size_t>(std::ranges::count(**piece, '\n'));
    }
    *done = true;
  }(&slow, &received, &ended));
  EXPECT_TRUE(ended);
  EXPECT_LT(received, 1400U);
}

}  // namespace
}  // namespace tripod::test
