#include "firmware/controllers/garbage/garbage_collector.h"
#include "tests/unit/firmware/controllers/cluster.h"

namespace tripod::controllers {
namespace {

struct GarbageTest : ClusterTest {
  std::string put(std::string_view type, std::string_view name, std::string_view kind = {},
                  std::string_view owner = {}, std::string_view uid = {}, bool block = true) {
    json::Value object = json::Object();
    json::set(object, {"metadata", "name"}, json::Value(name));
    json::set(object, {"metadata", "namespace"}, json::Value("default"));
    if (!owner.empty()) {
      json::Object reference{
          {"apiVersion", kind == "Deployment" || kind == "ReplicaSet" ? "apps/v1" : "v1"},
          {"kind", kind},
          {"name", owner},
          {"uid", uid},
          {"blockOwnerDeletion", block}};
      json::ensure_array(object, {"metadata", "ownerReferences"}).push_back(std::move(reference));
    }
    return std::string(kube::uid_of(api.put(type, std::move(object))));
  }
  /// kubectl delete --cascade=...
  void erase(std::string_view type, std::string_view name, std::string_view finalizer) {
    api.modify(type, std::format("default/{}", name), [&](json::Value& object) {
      kube::add_finalizer(object, finalizer);
      json::set(object, {"metadata", "deletionTimestamp"},
                json::Value(to_rfc3339(loop.wall_now())));
    });
  }
  bool has(std::string_view type, std::string_view name) {
    return api.find(type, std::format("default/{}", name)) != nullptr;
  }
};

TEST_F(GarbageTest, removes_children_of_an_owner_that_went) {
  const std::string owner = put("configmaps", "owner");
  const std::string child = put("configmaps", "child", "ConfigMap", "owner", owner);
  put("configmaps", "grandchild", "ConfigMap", "child", child);
  put("configmaps", "other");
  start();
  loop.run_for(5s);
  EXPECT_TRUE(has("configmaps", "child"));
  api.remove("configmaps", "default/owner");
  ASSERT_TRUE(loop.run_until(
      [&] { return !has("configmaps", "child") && !has("configmaps", "grandchild"); }, 30s));
  EXPECT_TRUE(has("configmaps", "other"));
}

TEST_F(GarbageTest, removes_children_whose_owner_was_gone_before_it_started) {
  put("configmaps", "child", "ConfigMap", "owner", "uid-of-the-dead");
  put("configmaps", "owner");  // the same name, another object
  start();
  ASSERT_TRUE(loop.run_until([&] { return !has("configmaps", "child"); }, 30s));
  EXPECT_TRUE(has("configmaps", "owner"));
}

TEST_F(GarbageTest, keeps_a_child_that_has_another_owner) {
  const std::string first = put("configmaps", "first");
  const std::string second = put("configmaps", "second");
  put("configmaps", "child", "ConfigMap", "first", first);
  api.modify("configmaps", "default/child", [&](json::Value& object) {
    json::ensure_array(object, {"metadata", "ownerReferences"})
        .push_back(json::Object{
            {"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"name", "second"}, {"uid", second}});
  });
  start();
  loop.run_for(3s);
  api.remove("configmaps", "default/first");
  ASSERT_TRUE(loop.run_until(
      [&] { return kube::owners_of(*api.find("configmaps", "default/child")).size() == 1; }, 30s));
  EXPECT_EQ(kube::owners_of(*api.find("configmaps", "default/child"))[0].uid, second);
}

TEST_F(GarbageTest, foreground_removes_blocking_children_first) {
  const std::string owner = put("configmaps", "owner");
  put("configmaps", "child", "ConfigMap", "owner", owner);
  api.modify("configmaps", "default/child",
             [](json::Value& object) { kube::add_finalizer(object, "example.com/hold"); });
  start();
  loop.run_for(3s);
  erase("configmaps", "owner", "foregroundDeletion");
  ASSERT_TRUE(loop.run_until(
      [&] { return kube::is_deleting(*api.find("configmaps", "default/child")); }, 30s));
  loop.run_for(10s);
  EXPECT_TRUE(has("configmaps", "owner"));
  api.modify("configmaps", "default/child",
             [](json::Value& object) { kube::remove_finalizer(object, "example.com/hold"); });
  ASSERT_TRUE(loop.run_until([&] { return !has("configmaps", "owner"); }, 30s));
  EXPECT_FALSE(has("configmaps", "child"));
}

TEST_F(GarbageTest, orphan_frees_the_children) {
  const std::string owner = put("configmaps", "owner");
  put("configmaps", "child", "ConfigMap", "owner", owner);
  start();
  loop.run_for(3s);
  erase("configmaps", "owner", "orphan");
  ASSERT_TRUE(loop.run_until([&] { return !has("configmaps", "owner"); }, 30s));
  loop.run_for(5s);
  ASSERT_TRUE(has("configmaps", "child"));
  EXPECT_TRUE(kube::owners_of(*api.find("configmaps", "default/child")).empty());
}

TEST_F(GarbageTest, namespace_is_emptied_then_goes) {
  api.put("namespaces", parse(
                            R"({"metadata":{"name":"default"},"spec":{"finalizers":["kubernetes"]},
        "status":{"phase":"Active"}})"));
  put("configmaps", "one");
  put("configmaps", "held");
  api.modify("configmaps", "default/held",
             [](json::Value& object) { kube::add_finalizer(object, "example.com/hold"); });
  start();
  ASSERT_TRUE(loop.run_until([&] { return has("serviceaccounts", "default"); }, 30s));
  api.modify("namespaces", "default", [&](json::Value& object) {
    json::set(object, {"metadata", "deletionTimestamp"}, json::Value(to_rfc3339(loop.wall_now())));
    json::set(object, {"status", "phase"}, json::Value("Terminating"));
  });
  ASSERT_TRUE(loop.run_until(
      [&] {
        const json::Value* condition =
            kube::condition(*api.find("namespaces", "default"), "NamespaceContentRemaining");
        return condition && json::get_string(*condition, "status") == "True" &&
               !has("configmaps", "one");
      },
      30s));
  EXPECT_EQ(json::get_string(
                *kube::condition(*api.find("namespaces", "default"), "NamespaceContentRemaining"),
                "message"),
            "Some resources are remaining: configmaps has 1 resource instances");
  api.modify("configmaps", "default/held",
             [](json::Value& object) { kube::remove_finalizer(object, "example.com/hold"); });
  ASSERT_TRUE(loop.run_until([&] { return api.find("namespaces", "default") == nullptr; }, 30s));
  EXPECT_FALSE(has("serviceaccounts", "default"));
}

TEST_F(GarbageTest, default_service_account_and_root_certificate_come_back) {
  api.put("namespaces", parse(R"({"metadata":{"name":"default"},"status":{"phase":"Active"}})"));
  Config config;
  config.root_ca_pem = "PEM";
  start("a", config);
  ASSERT_TRUE(loop.run_until(
      [&] { return has("serviceaccounts", "default") && has("configmaps", "kube-root-ca.crt"); },
      30s));
  api.remove("serviceaccounts", "default/default");
  api.modify("configmaps", "default/kube-root-ca.crt",
             [](json::Value& map) { json::set(map, {"data", "ca.crt"}, json::Value("other")); });
  ASSERT_TRUE(loop.run_until(
      [&] {
        return has("serviceaccounts", "default") &&
               json::get_string(*api.find("configmaps", "default/kube-root-ca.crt"), "data",
                                "ca.crt") == "PEM";
      },
      30s));
}

}  // namespace
}  // namespace tripod::controllers
