// Objects through HTTP: create, read, list, change, patch, delete.

#include "firmware/apiserver/registry/resource.h"
#include "tests/unit/firmware/apiserver/fixture.h"

namespace tripod::test {
namespace {

constexpr const char* config_maps = "/api/v1/namespaces/default/configmaps";

std::string config_map(std::string_view name, std::string_view extra = {}) {
  return std::format(
      R"({{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{}"{}}},"data":{{"a":"1"}}}})",
      name, extra);
}

TEST_F(ApiServerTest, starts_with_the_system_namespaces_and_the_kubernetes_service) {
  const Answer namespaces = get("/api/v1/namespaces");
  EXPECT_EQ(namespaces.code, 200);
  EXPECT_EQ(json::get_array(namespaces.body, "items")->size(), 4U);
  const Answer service = get("/api/v1/namespaces/default/services/kubernetes");
  EXPECT_EQ(json::get_string(service.body, "spec", "clusterIP"), "10.96.0.1");
  EXPECT_TRUE(etcd_.value_of("/registry/ipaddresses/10.96.0.1").has_value());
  settle();
  const Answer endpoints = get("/api/v1/namespaces/default/endpoints/kubernetes");
  EXPECT_NE(endpoints.text.find("127.0.0.11"), Bytes::npos);
}

TEST_F(ApiServerTest, the_announcement_is_renewed_without_a_write) {
  loop_.run_for(std::chrono::seconds(12));
  const etcd::Revision before = etcd_.revision();
  loop_.run_for(std::chrono::seconds(100));
  EXPECT_EQ(etcd_.revision(), before);
  EXPECT_GE(etcd_.keep_alives, 4);
}

TEST_F(ApiServerTest, a_lost_announcement_is_made_again) {
  loop_.run_for(std::chrono::seconds(12));
  etcd_.lose_leases();
  ASSERT_FALSE(etcd_.value_of("/registry/masterleases/127.0.0.11").has_value());
  loop_.run_for(std::chrono::seconds(35));
  EXPECT_TRUE(etcd_.value_of("/registry/masterleases/127.0.0.11").has_value());
}

TEST_F(ApiServerTest, makes_the_kubernetes_service_again) {
  EXPECT_EQ(remove("/api/v1/namespaces/default/services/kubernetes").code, 200);
  EXPECT_EQ(get("/api/v1/namespaces/default/services/kubernetes").code, 404);
  loop_.run_for(std::chrono::seconds(11));
  EXPECT_EQ(get("/api/v1/namespaces/default/services/kubernetes").code, 200);
}

TEST_F(ApiServerTest, creates_what_the_server_owns_and_stores_it_without_resource_version) {
  const Answer created = post(config_maps, config_map("a"));
  ASSERT_EQ(created.code, 201) << created.text;
  EXPECT_EQ(json::get_string(created.body, "metadata", "uid").size(), 36U);
  EXPECT_FALSE(json::get_string(created.body, "metadata", "creationTimestamp").empty());
  EXPECT_EQ(created.version(), std::to_string(etcd_.revision()));
  const auto stored = etcd_.value_of("/registry/configmaps/default/a");
  ASSERT_TRUE(stored.has_value());
  EXPECT_EQ(stored->find("resourceVersion"), Bytes::npos);
  EXPECT_NE(stored->find("\"kind\":\"ConfigMap\""), Bytes::npos);

  const Answer again = post(config_maps, config_map("a"));
  EXPECT_EQ(again.code, 409);
  EXPECT_EQ(again.reason(), "AlreadyExists");
  EXPECT_EQ(again.message(), "configmaps \"a\" already exists");
}

TEST_F(ApiServerTest, a_new_node_keeps_its_status_and_a_new_namespace_does_not) {
  const Answer node =
      post("/api/v1/nodes", R"({"metadata":{"name":"n"},"status":{"capacity":{"cpu":"4"}}})");
  ASSERT_EQ(node.code, 201) << node.text;
  EXPECT_EQ(json::get_string(node.body, "status", "capacity", "cpu"), "4");
  const Answer space =
      post("/api/v1/namespaces", R"({"metadata":{"name":"s"},"status":{"phase":"Terminating"}})");
  ASSERT_EQ(space.code, 201) << space.text;
  EXPECT_EQ(json::get_string(space.body, "status", "phase"), "Active");
}

TEST_F(ApiServerTest, generates_names) {
  const Answer created = post(config_maps, R"({"metadata":{"generateName":"x-"}})");
  ASSERT_EQ(created.code, 201) << created.text;
  const auto name = json::get_string(created.body, "metadata", "name");
  EXPECT_TRUE(name.starts_with("x-"));
  EXPECT_EQ(name.size(), 7U);
}

TEST_F(ApiServerTest, reads_protobuf_options_of_deletion) {
  // ConfigMap "cm" with data a=b, and DeleteOptions with dryRun=All, as client-go writes them.
  const std::string create(
      "k8s\0\x0a\x0f\x0a\x02v1\x12\x09"
      "ConfigMap\x12\x0e\x0a\x04\x0a\x02"
      "cm\x12\x06\x0a\x01"
      "a\x12\x01"
      "b",
      37);
  const std::string options(
      "k8s\0\x0a\x13\x0a\x02v1\x12\x0d"
      "DeleteOptions\x12\x05\x2a\x03"
      "All",
      32);
  constexpr std::string_view protobuf = "application/vnd.kubernetes.protobuf";
  const std::string path = std::string(config_maps) + "/cm";
  const Answer created = send({.method = "POST",
                               .path = config_maps,
                               .body = create,
                               .content_type = std::string(protobuf)});
  EXPECT_EQ(created.code, 201) << created.message();
  EXPECT_EQ(json::get_string(get(path).body, "data", "a"), "b");
  const auto remove = [&](const std::string& body) {
    return send({.method = "DELETE",
                 .path = path,
                 .body = body,
                 .content_type = std::string(protobuf)})
        .code;
  };
  EXPECT_EQ(remove(options), 200);
  EXPECT_EQ(get(path).code, 200);
  EXPECT_EQ(remove(""), 200);
  EXPECT_EQ(get(path).code, 404);
  EXPECT_EQ(
      send({.method = "PATCH", .path = path, .body = create, .content_type = std::string(protobuf)})
          .code,
      415);
}

TEST_F(ApiServerTest, refuses_what_is_wrong_with_a_status) {
  EXPECT_EQ(get("/api/v1/namespaces/default/configmaps/none").message(),
            "configmaps \"none\" not found");
  EXPECT_EQ(post(config_maps, "{").code, 400);
  EXPECT_EQ(post("/api/v1/namespaces/nowhere/configmaps", config_map("a")).message(),
            "namespaces \"nowhere\" not found");
  const Answer invalid = post(config_maps, config_map("Not_A_Name"));
  EXPECT_EQ(invalid.code, 422);
  EXPECT_EQ(json::get_array(invalid.body, "details", "causes")->size(), 1U);
  EXPECT_EQ(get("/api/v1/unknowns").code, 404);
  EXPECT_EQ(send({.method = "PUT", .path = config_maps, .body = "{}"}).code, 405);
  const Answer yaml = send(
      {.method = "POST", .path = config_maps, .body = "a: b", .content_type = "application/yaml"});
  EXPECT_EQ(yaml.code, 415);
  EXPECT_EQ(yaml.reason(), "UnsupportedMediaType");
  EXPECT_EQ(send({.path = config_maps, .accept = "application/vnd.kubernetes.protobuf"}).code, 406);
  EXPECT_EQ(
      send({.path = config_maps, .accept = "application/vnd.kubernetes.protobuf,application/json"})
          .code,
      200);
}

TEST_F(ApiServerTest, reads_protobuf_bodies_and_answers_json) {
  // runtime.Unknown{TypeMeta{v1, ConfigMap}, raw = ConfigMap{metadata.name = "pb"}}
  const std::string raw("\x0a\x04\x0a\x02pb", 6);
  const std::string type(
      "\x0a\x02v1\x12\x09"
      "ConfigMap",
      15);
  std::string body("k8s\0", 4);
  body += "\x0a" + std::string(1, static_cast<char>(type.size())) + type;
  body += "\x12" + std::string(1, static_cast<char>(raw.size())) + raw;
  const Answer created = send({.method = "POST",
                               .path = config_maps,
                               .body = body,
                               .content_type = "application/vnd.kubernetes.protobuf",
                               .accept = "application/vnd.kubernetes.protobuf,application/json"});
  EXPECT_EQ(created.code, 201) << created.text;
  EXPECT_EQ(get(std::string(config_maps) + "/pb").code, 200);
  EXPECT_EQ(send({.method = "POST",
                  .path = config_maps,
                  .body = "none",
                  .content_type = "application/vnd.kubernetes.protobuf"})
                .code,
            400);
}

TEST_F(ApiServerTest, strict_field_validation_refuses_and_warn_warns) {
  const std::string body = R"({"metadata":{"name":"f"},"dta":{}})";
  EXPECT_EQ(post(std::string(config_maps) + "?fieldValidation=Strict", body).code, 400);
  const Answer warned = post(std::string(config_maps) + "?fieldValidation=Warn", body);
  EXPECT_EQ(warned.code, 201);
  EXPECT_EQ(warned.headers.get("warning"), "299 - \"unknown field \\\"dta\\\"\"");
}

TEST_F(ApiServerTest, updates_only_from_the_version_it_was_read_at) {
  const Answer created = post(config_maps, config_map("u"));
  const std::string path = std::string(config_maps) + "/u";
  json::Value desired = created.body;
  json::set(desired, {"data", "a"}, "2");
  const Answer updated = put(path, json::serialize(desired));
  EXPECT_EQ(updated.code, 200) << updated.text;
  EXPECT_NE(updated.version(), created.version());
  const Answer stale = put(path, json::serialize(desired));
  EXPECT_EQ(stale.code, 409);
  EXPECT_EQ(stale.reason(), "Conflict");
  EXPECT_EQ(stale.message(),
            "Operation cannot be fulfilled on configmaps \"u\": the object has been modified; "
            "please apply your "
            "changes to the latest version and try again");
  EXPECT_EQ(put(path, config_map("u")).code, 200);
  const Answer unchanged = put(path, config_map("u"));
  EXPECT_EQ(unchanged.version(), get(path).version());
  EXPECT_EQ(put(path, config_map("v")).code, 400);
}

TEST_F(ApiServerTest, an_update_from_a_stale_cache_is_decided_again) {
  post(config_maps, config_map("s"));
  settle();
  etcd_.hold_watches(true);
  const std::string path = std::string(config_maps) + "/s";
  EXPECT_EQ(patch(path, "merge-patch", R"({"data":{"b":"1"}})").code, 200);
  const Answer second = patch(path, "merge-patch", R"({"data":{"c":"1"}})");
  EXPECT_EQ(second.code, 200);
  EXPECT_EQ(json::get_object(second.body, "data")->size(), 3U);
  etcd_.hold_watches(false);
}

TEST_F(ApiServerTest, patches_in_three_ways) {
  post(config_maps, config_map("p"));
  const std::string path = std::string(config_maps) + "/p";
  EXPECT_EQ(json::get_string(
                patch(path, "json-patch", R"([{"op":"add","path":"/data/b","value":"2"}])").body,
                "data", "b"),
            "2");
  EXPECT_EQ(
      json::get_object(patch(path, "merge-patch", R"({"data":{"b":null}})").body, "data")->size(),
      1U);
  EXPECT_EQ(json::get_string(
                patch(path, "strategic-merge-patch", R"({"metadata":{"labels":{"x":"y"}}})").body,
                "metadata", "labels", "x"),
            "y");
  EXPECT_EQ(send({.method = "PATCH",
                  .path = path,
                  .body = "{}",
                  .content_type = "application/apply-patch+yaml"})
                .code,
            415);
  EXPECT_EQ(patch(std::string(config_maps) + "/none", "merge-patch", "{}").code, 404);
}

TEST_F(ApiServerTest, dry_run_changes_nothing) {
  EXPECT_EQ(post(std::string(config_maps) + "?dryRun=All", config_map("d")).code, 201);
  EXPECT_EQ(get(std::string(config_maps) + "/d").code, 404);
  post(config_maps, config_map("d"));
  const std::string path = std::string(config_maps) + "/d";
  const Answer dry = patch(path + "?dryRun=All", "merge-patch", R"({"data":{"z":"1"}})");
  EXPECT_EQ(json::get_string(dry.body, "data", "z"), "1");
  EXPECT_EQ(json::get_string(get(path).body, "data", "z"), "");
  EXPECT_EQ(remove(path + "?dryRun=All").code, 200);
  EXPECT_EQ(get(path).code, 200);
  EXPECT_EQ(post(std::string(config_maps) + "?dryRun=Some", config_map("e")).code, 422);
}

TEST_F(ApiServerTest, lists_in_pages_of_one_revision) {
  for (char name = 'a'; name <= 'e'; ++name) post(config_maps, config_map(std::string(1, name)));
  const Answer first = get(std::string(config_maps) + "?limit=2");
  ASSERT_EQ(json::get_array(first.body, "items")->size(), 2U);
  EXPECT_EQ(json::get_int(first.body, "metadata", "remainingItemCount"), 3);
  const std::string token(json::get_string(first.body, "metadata", "continue"));
  remove(std::string(config_maps) + "/c");
  post(config_maps, config_map("f"));
  settle();
  const Answer second = get(std::string(config_maps) + "?limit=10&continue=" + token);
  const auto* items = json::get_array(second.body, "items");
  ASSERT_TRUE(items) << second.text;
  ASSERT_EQ(items->size(), 3U);
  EXPECT_EQ(json::get_string((*items)[0], "metadata", "name"), "c");
  EXPECT_EQ(second.version(), first.version());

  etcd_.compact_now(etcd_.revision());
  const Answer expired = get(std::string(config_maps) + "?limit=10&continue=" + token);
  EXPECT_EQ(expired.code, 410);
  EXPECT_EQ(expired.reason(), "Expired");
  const std::string inconsistent(json::get_string(expired.body, "metadata", "continue"));
  EXPECT_EQ(
      json::get_array(get(std::string(config_maps) + "?continue=" + inconsistent).body, "items")
          ->size(),
      3U);
}

TEST_F(ApiServerTest, selects_by_labels_and_fields) {
  post(config_maps, config_map("a", R"(,"labels":{"app":"x"})"));
  post(config_maps, config_map("b", R"(,"labels":{"app":"y"})"));
  const auto count = [&](std::string query) {
    const Answer answer = get(std::string(config_maps) + "?" + query);
    const auto* items = json::get_array(answer.body, "items");
    return items ? static_cast<int>(items->size()) : -answer.code;
  };
  EXPECT_EQ(count("labelSelector=app%3Dx"), 1);
  EXPECT_EQ(count("labelSelector=app"), 2);
  EXPECT_EQ(count("labelSelector=app+notin+%28x%29"), 1);
  EXPECT_EQ(count("fieldSelector=metadata.name%3Db"), 1);
  EXPECT_EQ(count("fieldSelector=spec.none%3Db"), -400);
  EXPECT_EQ(count("resourceVersionMatch=Exact"), -422);
}

TEST_F(ApiServerTest, a_list_sees_writes_that_the_cache_has_not_seen) {
  settle();
  etcd_.hold_watches(true);
  post(config_maps, config_map("late"));
  std::unique_ptr<os::Operation> later = loop_.call_at(loop_.now() + std::chrono::milliseconds(500),
                                                       [&] { etcd_.hold_watches(false); });
  const Answer listed = get(config_maps);
  EXPECT_EQ(json::get_array(listed.body, "items")->size(), 1U);
  EXPECT_EQ(
      json::get_array(get(std::string(config_maps) + "?resourceVersion=0").body, "items")->size(),
      1U);
}

TEST_F(ApiServerTest, deletes_with_preconditions_finalizers_and_propagation) {
  const Answer created = post(config_maps, config_map("a", R"(,"finalizers":["x/y"])"));
  const std::string path = std::string(config_maps) + "/a";
  EXPECT_EQ(remove(path, R"({"preconditions":{"uid":"other"}})").code, 409);
  const Answer marked = remove(path);
  EXPECT_EQ(marked.code, 200);
  EXPECT_FALSE(json::get_string(marked.body, "metadata", "deletionTimestamp").empty());
  EXPECT_EQ(get(path).code, 200);
  EXPECT_EQ(patch(path, "merge-patch", R"({"metadata":{"finalizers":null}})").code, 200);
  EXPECT_EQ(get(path).code, 404);

  post(config_maps, config_map("b"));
  const Answer foreground =
      remove(std::string(config_maps) + "/b", R"({"propagationPolicy":"Foreground"})");
  EXPECT_NE(foreground.text.find("foregroundDeletion"), Bytes::npos);
  post(config_maps, config_map("c"));
  const Answer gone =
      remove(std::string(config_maps) + "/c", R"({"propagationPolicy":"Background"})");
  EXPECT_EQ(json::get_string(gone.body, "status"), "Success");
  EXPECT_EQ(json::get_string(gone.body, "details", "name"), "c");
  EXPECT_EQ(remove(std::string(config_maps) + "/c").code, 404);
}

TEST_F(ApiServerTest, a_body_of_options_replaces_those_of_the_query) {
  const std::string path = std::string(config_maps) + "/a";
  post(config_maps, config_map("a"));
  EXPECT_EQ(remove(path + "?dryRun=All").code, 200);
  EXPECT_EQ(get(path).code, 200);
  const Answer removed =
      remove(path + "?dryRun=All&orphanDependents=true&propagationPolicy=none&gracePeriodSeconds=x",
             R"({"propagationPolicy":"Background"})");
  EXPECT_EQ(removed.code, 200) << removed.text;
  EXPECT_EQ(get(path).code, 404);
}

TEST_F(ApiServerTest, deletes_collections) {
  post(config_maps, config_map("a", R"(,"labels":{"app":"x"})"));
  post(config_maps, config_map("b"));
  EXPECT_EQ(remove(std::string(config_maps) + "?labelSelector=app%3Dx").code, 200);
  EXPECT_EQ(json::get_array(get(config_maps).body, "items")->size(), 1U);
}

TEST_F(ApiServerTest, a_namespace_ends_when_its_finalizer_goes) {
  ASSERT_EQ(post("/api/v1/namespaces", R"({"metadata":{"name":"n"}})").code, 201);
  const Answer created = get("/api/v1/namespaces/n");
  EXPECT_EQ(json::get_string(created.body, "metadata", "labels", "kubernetes.io/metadata.name"),
            "n");
  EXPECT_EQ(remove("/api/v1/namespaces/default").code, 403);
  const Answer ending = remove("/api/v1/namespaces/n");
  EXPECT_EQ(json::get_string(ending.body, "status", "phase"), "Terminating");
  settle();
  const Answer refused = post("/api/v1/namespaces/n/configmaps", config_map("x"));
  EXPECT_EQ(refused.code, 403);
  EXPECT_EQ(refused.message(),
            "configmaps \"x\" is forbidden: unable to create new content in namespace n because it "
            "is being terminated");
  EXPECT_EQ(remove("/api/v1/namespaces/n").code, 409);
  json::Value finalized = get("/api/v1/namespaces/n").body;
  json::set(finalized, {"spec", "finalizers"}, json::Array());
  EXPECT_EQ(put("/api/v1/namespaces/n/finalize", json::serialize(finalized)).code, 200);
  EXPECT_EQ(get("/api/v1/namespaces/n").code, 404);
}

TEST_F(ApiServerTest, storage_out_of_reach_is_said_in_bounded_time) {
  etcd_.failure = grpc::Status{grpc::StatusCode::unavailable, "etcdserver: no leader"};
  const Answer write = post(config_maps, config_map("a"));
  EXPECT_EQ(write.code, 500);
  EXPECT_EQ(write.reason(), "ServerTimeout");
  EXPECT_EQ(get(config_maps).code, 500);
  EXPECT_EQ(get("/readyz").code, 500);
  etcd_.failure.reset();
  EXPECT_EQ(get("/readyz").code, 200);
}

TEST_F(ApiServerTest, events_are_one_kind_in_two_groups) {
  const char* events = "/api/v1/namespaces/default/events";
  const Answer created =
      post(events, R"({"metadata":{"name":"e"},"involvedObject":{"kind":"Pod","name":"p",
      "namespace":"default"},"reason":"Started","message":"m","type":"Normal"})");
  ASSERT_EQ(created.code, 201) << created.text;
  const Answer other = get("/apis/events.k8s.io/v1/namespaces/default/events/e");
  EXPECT_EQ(json::get_string(other.body, "note"), "m");
  EXPECT_EQ(json::get_string(other.body, "regarding", "name"), "p");
  EXPECT_EQ(json::get_string(other.body, "apiVersion"), "events.k8s.io/v1");
  const Answer selected = get(std::string(events) +
                              "?fieldSelector=involvedObject.name%3Dp%2CinvolvedObject.kind%3DPod");
  EXPECT_EQ(json::get_array(selected.body, "items")->size(), 1U);
}

TEST_F(ApiServerTest, a_lease_is_never_overwritten_blindly) {
  const char* path = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases";
  const Answer created = post(path, R"({"metadata":{"name":"l"},"spec":{"holderIdentity":"a"}})");
  ASSERT_EQ(created.code, 201) << created.text;
  EXPECT_EQ(
      put(std::string(path) + "/l", R"({"metadata":{"name":"l"},"spec":{"holderIdentity":"b"}})")
          .code,
      422);
}

}  // namespace
}  // namespace tripod::test
