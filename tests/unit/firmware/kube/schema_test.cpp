#include "firmware/kube/schema/schema.h"

#include <gtest/gtest.h>

#include <set>

namespace tripod::kube::schema {
namespace {

TEST(Schema, finds_types_and_fields) {
  const Type* pod = find_type("", "v1", "Pod");
  ASSERT_NE(pod, nullptr);
  EXPECT_TRUE(pod->is_kind);
  EXPECT_EQ(pod->gvk(), (GroupVersionKind{"", "v1", "Pod"}));
  EXPECT_EQ(pod->package->name, "io.k8s.api.core.v1");
  const Field* ports = pod->at("spec.containers.ports");
  ASSERT_NE(ports, nullptr);
  EXPECT_EQ(ports->number, 6);
  EXPECT_TRUE(ports->is_list());
  EXPECT_EQ(ports->type->name, "ContainerPort");
  EXPECT_TRUE(ports->patch_merge);
  EXPECT_EQ(ports->merge_key(), "containerPort");
  EXPECT_EQ(ports->list_type, ListType::map);
  ASSERT_EQ(ports->extra->list_map_keys.size(), 2u);
  EXPECT_EQ(ports->extra->list_map_keys[1], "protocol");
  EXPECT_EQ(pod->at("spec.nope"), nullptr);
  EXPECT_EQ(pod->at("metadata.name.x"), nullptr);
  EXPECT_EQ(find_type("apps", "v1", "Pod"), nullptr);
  EXPECT_EQ(find_type("apps", "v2", "Deployment"), nullptr);
}

TEST(Schema, looks_into_inlined_fields) {
  const Type& volume = must_find_type("", "v1", "Volume");
  ASSERT_NE(volume.field("emptyDir"), nullptr);
  EXPECT_EQ(volume.field("emptyDir")->type->name, "EmptyDirVolumeSource");
  int count = 0;
  volume.each_field(
      [&](const Field& field) { count += field.name == "emptyDir" || field.name == "name"; });
  EXPECT_EQ(count, 2);
}

TEST(Schema, knows_enums_defaults_and_strategies) {
  const Field* policy = must_find_type("", "v1", "PodSpec").field("restartPolicy");
  ASSERT_NE(policy->extra, nullptr);
  EXPECT_EQ(policy->extra->go_type, "RestartPolicy");
  EXPECT_EQ(policy->extra->enum_values.size(), 3u);
  EXPECT_EQ(must_find_type("", "v1", "ContainerPort").field("protocol")->extra->default_json,
            "\"TCP\"");
  EXPECT_TRUE(must_find_type("apps", "v1", "DeploymentSpec").field("strategy")->retain_keys);
  EXPECT_TRUE(must_find_type("", "v1", "Container").field("name")->required);
}

TEST(Schema, has_every_kind_of_the_registry) {
  const GroupVersionKind kinds[] = {{"", "v1", "Namespace"},
                                    {"", "v1", "Node"},
                                    {"", "v1", "Pod"},
                                    {"", "v1", "Service"},
                                    {"", "v1", "Endpoints"},
                                    {"", "v1", "ConfigMap"},
                                    {"", "v1", "Secret"},
                                    {"", "v1", "Event"},
                                    {"", "v1", "ServiceAccount"},
                                    {"", "v1", "ReplicationController"},
                                    {"", "v1", "Binding"},
                                    {"", "v1", "PodTemplate"},
                                    {"", "v1", "ResourceQuota"},
                                    {"", "v1", "LimitRange"},
                                    {"", "v1", "PersistentVolume"},
                                    {"", "v1", "PersistentVolumeClaim"},
                                    {"apps", "v1", "Deployment"},
                                    {"apps", "v1", "ReplicaSet"},
                                    {"apps", "v1", "DaemonSet"},
                                    {"apps", "v1", "StatefulSet"},
                                    {"apps", "v1", "ControllerRevision"},
                                    {"coordination.k8s.io", "v1", "Lease"},
                                    {"discovery.k8s.io", "v1", "EndpointSlice"},
                                    {"events.k8s.io", "v1", "Event"},
                                    {"autoscaling", "v1", "Scale"},
                                    {"policy", "v1", "Eviction"},
                                    {"batch", "v1", "Job"},
                                    {"batch", "v1", "CronJob"},
                                    {"meta.k8s.io", "v1", "Status"},
                                    {"meta.k8s.io", "v1", "Table"},
                                    {"meta.k8s.io", "v1", "DeleteOptions"},
                                    {"meta.k8s.io", "v1", "PartialObjectMetadata"},
                                    {"meta.k8s.io", "v1", "PartialObjectMetadataList"}};
  for (const GroupVersionKind& kind : kinds) {
    const Type* type = find_type(kind);
    ASSERT_NE(type, nullptr) << kind.kind;
    EXPECT_TRUE(type->is_kind) << kind.kind;
  }
}

TEST(Schema, tables_are_consistent) {
  for (const Type& type : all_types()) {
    std::set<std::string_view> names;
    std::set<int> numbers;
    for (const Field& field : type.fields) {
      EXPECT_EQ(field.kind == Kind::object, field.type != nullptr)
          << type.name << "." << field.name;
      if (field.number != 0) {
        EXPECT_TRUE(numbers.insert(field.number).second) << type.name << "." << field.name;
      }
    }
    type.each_field([&](const Field& field) {
      EXPECT_TRUE(names.insert(field.name).second) << type.name << "." << field.name;
      if (field.patch_merge && field.is_list() && field.kind == Kind::object) {
        EXPECT_NE(field.type->field(field.merge_key()), nullptr) << type.name << "." << field.name;
      }
    });
  }
}

}  // namespace
}  // namespace tripod::kube::schema
