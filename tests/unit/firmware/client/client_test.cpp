#include "firmware/kube/client/client.h"

#include <gtest/gtest.h>

#include "firmware/kube/client/informer.h"
#include "firmware/kube/client/kubeconfig.h"
#include "firmware/kube/client/work_queue.h"
#include "tests/unit/firmware/support/memory_api.h"
#include "tests/unit/firmware/support/test_world.h"

namespace tripod::kube {
namespace {

using namespace std::chrono_literals;

TEST(TokenBucket, lets_a_burst_through_then_paces) {
  TokenBucket bucket(10, 2);
  const MonotonicTime now{10s};
  EXPECT_EQ(bucket.reserve(now), 0ns);
  EXPECT_EQ(bucket.reserve(now), 0ns);
  EXPECT_NEAR(static_cast<double>(bucket.reserve(now).count()), 1e8, 1e6);
  EXPECT_FALSE(bucket.try_take(now));
  EXPECT_TRUE(bucket.try_take(now + 1s));
}

TEST(PathOf, follows_group_scope_and_subresource) {
  EXPECT_EQ(path_of(resources::pods, "default", "a", "status"),
            "/api/v1/namespaces/default/pods/a/status");
  EXPECT_EQ(path_of(resources::deployments, "", "", ""), "/apis/apps/v1/deployments");
  EXPECT_EQ(path_of(resources::nodes, "ignored", "n", ""), "/api/v1/nodes/n");
}

TEST(ApiErrors, come_from_status_bodies_and_from_anything_else) {
  ApiError error = from_response(
      429, "3", R"({"kind":"Status","reason":"TooManyRequests","message":"slow","code":429})");
  EXPECT_EQ(error.reason, "TooManyRequests");
  EXPECT_EQ(error.retry_after, 3s);
  EXPECT_EQ(from_response(502, "", "<html>").message, "<html>");
  EXPECT_TRUE(
      from_response(409, "", R"({"kind":"Status","reason":"AlreadyExists"})").already_exists());
  EXPECT_FALSE(
      from_response(409, "", R"({"kind":"Status","reason":"AlreadyExists"})").is_conflict());
}

struct QueueTest : testing::Test {
  static Task<void> take(WorkQueue* queue, std::vector<std::string>* out) {
    while (true) {
      auto key = co_await queue->get();
      if (!key) co_return;
      out->push_back(*key);
    }
  }
  ~QueueTest() override {
    scope.cancel();
    loop.run_for(1s);
  }
  test::VirtualLoop loop;
  WorkQueue queue{loop, "test", nullptr};
  std::vector<std::string> out;
  Scope scope{loop};
};

TEST_F(QueueTest, holds_a_key_once_and_back_while_it_is_worked_on) {
  queue.add("a");
  queue.add("a");
  scope.spawn(take(&queue, &out));
  loop.run_for(1ms);
  EXPECT_EQ(out.size(), 1U);
  queue.add("a");
  loop.run_for(1ms);
  EXPECT_EQ(out.size(), 1U);
  queue.done("a");
  loop.run_for(1ms);
  EXPECT_EQ(out.size(), 2U);
}

TEST_F(QueueTest, backs_off_and_takes_the_earliest_delay) {
  scope.spawn(take(&queue, &out));
  queue.add_after("a", 10s);
  queue.add_after("a", 1s);
  queue.add_after("a", 5s);
  loop.run_for(1100ms);
  EXPECT_EQ(out.size(), 1U);
  queue.done("a");
  for (int i = 0; i < 5; ++i) queue.add_rate_limited("b");
  EXPECT_EQ(queue.failures("b"), 5);
  loop.run_for(6ms);
  EXPECT_EQ(out.size(), 2U);
  queue.forget("b");
  EXPECT_EQ(queue.failures("b"), 0);
}

struct InformerTest : testing::Test {
  InformerTest() {
    informer.store().add_handler([this](const Change& change) {
      changes += !change.before ? '+' : change.now ? '~' : '-';
    });
  }
  ~InformerTest() override {
    api.intercept = {};
    scope.cancel();
    loop.run_for(1s);
    EXPECT_TRUE(scope.idle());
  }
  json::Value map(std::string_view name) {
    json::Value object = json::Object();
    json::set(object, {"metadata", "name"}, json::Value(name));
    json::set(object, {"metadata", "namespace"}, json::Value("default"));
    return object;
  }
  test::VirtualLoop loop;
  test::MemoryApi api{loop, loop};
  test::TestWorld world{loop, "x"};
  Client client{api, loop, {}};
  Informer informer{
      client, world.entropy, Logger(world.log, "informer"), resources::config_maps, {}};
  Scope scope{loop};
  std::string changes;
};

TEST_F(InformerTest, lists_then_follows) {
  api.put("configmaps", map("a"));
  scope.spawn(informer.run());
  ASSERT_TRUE(loop.run_until([&] { return informer.has_synced(); }, 5s));
  api.put("configmaps", map("b"));
  api.modify("configmaps", "default/a", [](json::Value& object) { set_label(object, "x", "y"); });
  api.remove("configmaps", "default/b");
  loop.run_for(1s);
  EXPECT_EQ(changes, "++~-");
  EXPECT_EQ(label(*informer.store().get("default/a"), "x"), "y");
}

TEST_F(InformerTest, survives_an_outage_and_resumes) {
  bool down = true;
  api.intercept = [&](const http::RequestHead&) { return down ? -1 : 0; };
  api.put("configmaps", map("a"));
  scope.spawn(informer.run());
  loop.run_for(60s);
  EXPECT_FALSE(informer.has_synced());
  down = false;
  ASSERT_TRUE(loop.run_until([&] { return informer.has_synced(); }, 30s));
}

TEST_F(InformerTest, lists_again_when_the_past_is_gone) {
  api.put("configmaps", map("a"));
  int watches = 0;
  int lists = 0;
  api.intercept = [&](const http::RequestHead& head) {
    if (!head.query.starts_with("watch")) return ++lists, 0;
    return ++watches == 1 ? 410 : 0;
  };
  scope.spawn(informer.run());
  loop.run_for(20s);
  EXPECT_EQ(lists, 2);
  EXPECT_EQ(changes, "+");
}

TEST_F(InformerTest, sees_its_own_writes_at_once_and_only_once) {
  scope.spawn(informer.run());
  ASSERT_TRUE(loop.run_until([&] { return informer.has_synced(); }, 5s));
  const json::Value made = api.put("configmaps", map("a"));
  informer.observe_written(made);
  EXPECT_EQ(changes, "+");
  loop.run_for(1s);
  EXPECT_EQ(changes, "+");
  api.remove("configmaps", "default/a");
  loop.run_for(1s);
  informer.observe_written(made);  // an answer that comes after the watch told of the removal
  EXPECT_EQ(changes, "+-");
}

TEST(Kubeconfig, reads_yaml_and_json_alike) {
  constexpr std::string_view yaml = R"(apiVersion: v1
kind: Config
current-context: "tripod"  # the one
clusters:
- name: tripod
  cluster:
    server: https://127.0.0.11:6443
    certificate-authority-data: Q0E=
contexts:
  - name: tripod
    context: {}
  - context:
      cluster: tripod
      user: 'admin'
    name: tripod
users:
- name: admin
  user:
    client-certificate: pki/admin.crt
    client-key-data: S0VZ
)";
  std::string text(yaml);
  text.replace(text.find("  - name: tripod\n    context: {}\n"), 33, "");
  auto config = Kubeconfig::parse(text);
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_EQ(config->host, "127.0.0.11");
  EXPECT_EQ(config->port, 6443);
  EXPECT_EQ(config->certificate_authority_data, "CA");
  EXPECT_EQ(config->client_certificate, "pki/admin.crt");
  EXPECT_EQ(config->client_key_data, "KEY");
  auto again = Kubeconfig::parse(json::serialize(*parse_simple_yaml(text)));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->server, config->server);
}

TEST(Kubeconfig, says_what_is_wrong) {
  EXPECT_FALSE(Kubeconfig::parse("current-context: x\ncontexts: []\n"));
  EXPECT_FALSE(Kubeconfig::parse("a: |\n  text\n"));
  EXPECT_FALSE(Kubeconfig::parse("just words\n"));
  EXPECT_FALSE(Kubeconfig::parse("{"));
  EXPECT_FALSE(parse_simple_yaml("a: 1\n   b: 2\n"));
}

}  // namespace
}  // namespace tripod::kube
