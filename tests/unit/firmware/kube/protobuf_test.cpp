#include "firmware/kube/protobuf/protobuf.h"

#include <gtest/gtest.h>

#include <array>
#include <format>

#include "firmware/kube/protobuf/well_known.h"
#include "firmware/kube/protobuf/wire.h"

namespace tripod::kube::protobuf {
namespace {

// What kubectl 1.32 and 1.36 send, both the same, for: create deployment web --image=nginx
// --replicas=2; create secret generic s --from-literal=k=v; create service clusterip svc
// --tcp=80:8080.
constexpr std::string_view deployment_hex =
    "6b3873000a150a07617070732f7631120a4465706c6f796d656e7412ab010a1f0a0377656212001a0022002a003200"
    "380042005a0a0a036170701203776562127a0802120c0a0a0a0361707012037765621a600a1c0a0012001a0022002a"
    "003200380042005a0a0a036170701203776562124012220a056e67696e7812056e67696e782a0042006a0072008001"
    "00880100900100a201001a00320042004a0052005800600068008201008a01009a0100c2010022020a00280038001a"
    "0c0800100018002000280038001a002200";
constexpr std::string_view secret_hex =
    "6b3873000a0c0a0276311206536563726574121d0a110a017312001a0022002a0032003800420012060a016b120176"
    "1a001a002200";
constexpr std::string_view service_hex =
    "6b3873000a0d0a02763112075365727669636512690a1f0a0373766312001a0022002a003200380042005a0a0a0361"
    "7070120373766312420a1b0a0738302d38303830120354435018502207080010903f1a002800120a0a036170701203"
    "7376631a002209436c757374657249503a00420052005a00600068001a020a001a002200";

Bytes from_hex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1]));
  }
  return bytes;
}

/// A message under construction.
class Message {
 public:
  Message& number(std::uint32_t field, std::int64_t value) {
    varint(std::uint64_t{field} << 3U);
    varint(static_cast<std::uint64_t>(value));
    return *this;
  }
  Message& bytes(std::uint32_t field, BytesView value) {
    varint((std::uint64_t{field} << 3U) | 2U);
    varint(value.size());
    bytes_ += value;
    return *this;
  }
  Message& message(std::uint32_t field, const Message& value) { return bytes(field, value.bytes_); }
  const Bytes& get() const { return bytes_; }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7U) bytes_ += static_cast<char>(value | 0x80U);
    bytes_ += static_cast<char>(value);
  }

  Bytes bytes_;
};

Bytes enveloped(std::string_view api_version, std::string_view kind, const Message& raw) {
  const Message unknown =
      Message().message(1, Message().bytes(1, api_version).bytes(2, kind)).message(2, raw);
  return Bytes("k8s\0", 4) + unknown.get();
}

std::string text_of(const Result<json::Value>& result) {
  return result ? json::serialize(*result) : result.error().message;
}

std::string decoded(std::string_view kind, const Message& message) {
  return text_of(decode_message(schema::must_find_type("", "v1", kind), message.get()));
}

TEST(Protobuf, reads_what_kubectl_creates) {
  EXPECT_EQ(
      text_of(decode(from_hex(deployment_hex))),
      R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","labels":{"app":"web"}},)"
      R"("spec":{"replicas":2,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{)"
      R"("labels":{"app":"web"}},"spec":{"containers":[{"name":"nginx","image":"nginx","resources":{}}]}},)"
      R"("strategy":{}},"status":{}})");
  EXPECT_EQ(text_of(decode(from_hex(secret_hex))),
            R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"data":{"k":"dg=="}})");
  EXPECT_EQ(
      text_of(decode(from_hex(service_hex))),
      R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"svc","labels":{"app":"svc"}},)"
      R"("spec":{"ports":[{"name":"80-8080","protocol":"TCP","port":80,"targetPort":8080}],)"
      R"("selector":{"app":"svc"},"type":"ClusterIP"},"status":{"loadBalancer":{}}})");
}

TEST(Protobuf, finds_options_and_bodies_of_subresources) {
  const Message options = Message()
                              .number(1, 0)
                              .message(2, Message().bytes(1, "u"))
                              .bytes(4, "Foreground")
                              .bytes(5, "All");
  for (std::string_view version : {"v1", "meta.k8s.io/v1", "apps/v1"}) {
    EXPECT_EQ(text_of(decode(enveloped(version, "DeleteOptions", options))),
              std::format(R"({{"apiVersion":"{}","kind":"DeleteOptions","gracePeriodSeconds":0,)"
                          R"("preconditions":{{"uid":"u"}},"propagationPolicy":"Foreground",)"
                          R"("dryRun":["All"]}})",
                          version));
  }
  EXPECT_EQ(text_of(decode(enveloped("autoscaling/v1", "Scale",
                                     Message().message(2, Message().number(1, 4))))),
            R"({"apiVersion":"autoscaling/v1","kind":"Scale","spec":{"replicas":4}})");
  EXPECT_EQ(text_of(decode(enveloped(
                "v1", "Binding", Message().message(2, Message().bytes(1, "Node").bytes(3, "n"))))),
            R"({"apiVersion":"v1","kind":"Binding","target":{"kind":"Node","name":"n"}})");
  EXPECT_EQ(text_of(decode(
                enveloped("policy/v1", "Eviction", Message().message(1, Message().bytes(1, "p"))))),
            R"({"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"p"}})");
}

TEST(Protobuf, keeps_zero_values_where_json_keeps_them) {
  // Required: name and port stay. Optional: image and hostPort go. Pointers: 0 and false stay.
  const Message container = Message().bytes(1, "").bytes(2, "").message(
      6, Message().number(2, 0).number(3, 0).bytes(4, ""));
  EXPECT_EQ(decoded("Container", container), R"({"name":"","ports":[{"containerPort":0}]})");
  EXPECT_EQ(decoded("PodSpec", Message().number(4, 0).number(11, 0).number(21, 0)),
            R"({"terminationGracePeriodSeconds":0,"automountServiceAccountToken":false})");
  EXPECT_EQ(decoded("PodSpec", Message().bytes(3, "Always").bytes(3, "")), "{}");
}

TEST(Protobuf, reads_values_that_are_messages) {
  const Message limits =
      Message().message(1, Message().bytes(1, "cpu").message(2, Message().bytes(1, "500m")));
  EXPECT_EQ(decoded("Container", Message().bytes(1, "a").message(8, limits)),
            R"({"name":"a","resources":{"limits":{"cpu":"500m"}}})");
  // An inlined message stands in its parent.
  EXPECT_EQ(decoded("Volume", Message().bytes(1, "v").message(
                                  2, Message().message(2, Message().bytes(1, "Memory")))),
            R"({"name":"v","emptyDir":{"medium":"Memory"}})");
  EXPECT_EQ(decoded("HTTPGetAction", Message().message(2, Message().number(1, 1).bytes(3, "web"))),
            R"({"port":"web"})");
  EXPECT_EQ(decoded("HTTPGetAction", Message().message(2, Message().number(1, 0).number(2, 0))),
            R"({"port":0})");
  const auto& meta = schema::must_find_type("meta.k8s.io", "v1", "ObjectMeta");
  const Message entry = Message()
                            .bytes(1, "k")
                            .message(4, Message().number(1, 1'700'000'000).number(2, 5))
                            .message(7, Message().bytes(1, R"({"f:a":{}})"));
  EXPECT_EQ(text_of(decode_message(
                meta, Message().message(8, Message().number(1, 0)).message(17, entry).get())),
            R"({"creationTimestamp":"1970-01-01T00:00:00Z","managedFields":[{"manager":"k",)"
            R"("time":"2023-11-14T22:13:20Z","fieldsV1":{"f:a":{}}}]})");
  EXPECT_EQ(text_of(decode_message(
                schema::must_find_type("coordination.k8s.io", "v1", "LeaseSpec"),
                Message()
                    .number(2, 40)
                    .message(4, Message().number(1, 1'700'000'000).number(2, 123'456'789))
                    .get())),
            R"({"leaseDurationSeconds":40,"renewTime":"2023-11-14T22:13:20.123456Z"})");
}

TEST(Protobuf, reads_durations_as_go_prints_them) {
  const auto duration = [](std::int64_t nanos) {
    return text_of(read_duration(Message().number(1, nanos).get()));
  };
  EXPECT_EQ(duration(0), R"("0s")");
  EXPECT_EQ(duration(5), R"("5ns")");
  EXPECT_EQ(duration(1'500), "\"1.5µs\"");
  EXPECT_EQ(duration(100'000'000), R"("100ms")");
  EXPECT_EQ(duration(-90'000'000'000), R"("-1m30s")");
  EXPECT_EQ(duration(3'600'500'000'000), R"("1h0m0.5s")");
}

TEST(Protobuf, reads_lists_packed_or_not_and_merges_messages) {
  const Message packed = Message().bytes(4, "\x01\x02").number(4, 3);
  EXPECT_EQ(decoded("PodSecurityContext", packed), R"({"supplementalGroups":[1,2,3]})");
  const Message twice =
      Message().message(1, Message().bytes(1, "a")).message(1, Message().bytes(3, "ns"));
  EXPECT_EQ(decoded("Pod", twice), R"({"metadata":{"name":"a","namespace":"ns"}})");
  // Negative numbers are ten bytes long; unknown fields of every wire type are read past.
  Bytes rest = Message().number(500, 1).bytes(501, "x").number(5, -1).get();
  rest += from_hex("a91f0102030405060708ad1f01020304");
  EXPECT_EQ(text_of(decode_message(schema::must_find_type("", "v1", "PodSpec"), rest)),
            R"({"activeDeadlineSeconds":-1})");
}

TEST(Protobuf, says_what_is_wrong) {
  EXPECT_EQ(text_of(decode("{}")),
            "provided data does not appear to be a protobuf message, expected prefix [107 56 115 "
            "0]");
  EXPECT_EQ(text_of(decode(enveloped("v1", "Foo", {}))),
            "no kind \"Foo\" is registered for version \"v1\"");
  EXPECT_EQ(text_of(decode(enveloped("v1", "PodSpec", {}))),
            "no kind \"PodSpec\" is registered for version \"v1\"");
  EXPECT_EQ(text_of(decode(enveloped("v1", "Pod", Message().message(1, Message().number(1, 1))))),
            "Pod in version \"v1\" cannot be decoded: metadata: name: wrong wire type 0 for field "
            "1, expected 2");
  EXPECT_EQ(decoded("Container", Message().bytes(1, "\xff")), "name: string is not valid UTF-8");
  EXPECT_EQ(
      decoded("Pod", Message().message(1, Message().message(8, Message().number(1, 1LL << 60)))),
      "metadata: creationTimestamp: time out of range");
  EXPECT_FALSE(decode(Bytes("k8s\0\x0a\xff", 6)).has_value());
}

TEST(Protobuf, holds_its_limits) {
  const schema::Type& pod = schema::must_find_type("", "v1", "Pod");
  const Bytes labels = Message().message(1, Message().bytes(1, "a").bytes(3, "b")).get();
  EXPECT_TRUE(decode_message(pod, labels, {.depth_max = 2, .values_max = 3}).has_value());
  EXPECT_EQ(decode_message(pod, labels, {.depth_max = 1}).error().code, ErrorCode::exhausted);
  EXPECT_EQ(decode_message(pod, labels, {.values_max = 2}).error().code, ErrorCode::exhausted);
  EXPECT_EQ(decode_message(pod, labels, {.bytes_max = 3}).error().code, ErrorCode::too_large);
  EXPECT_EQ(decode(from_hex(secret_hex), {.bytes_max = 9}).error().code, ErrorCode::too_large);
}

TEST(Protobuf, survives_truncated_and_flipped_bytes) {
  std::size_t refused = 0;
  std::size_t read = 0;
  const auto attempt = [&](BytesView bytes) {
    auto result = decode(bytes);
    ++(result ? read : refused);
    if (result) {
      EXPECT_TRUE(json::parse(json::serialize(*result)).has_value());
    }
  };
  for (std::string_view hex : {deployment_hex, secret_hex, service_hex}) {
    const Bytes golden = from_hex(hex);
    for (std::size_t i = 0; i < golden.size(); ++i) {
      attempt(Bytes(golden, 0, i));
      for (unsigned flip :
           std::array{0x01U, 0x02U, 0x04U, 0x08U, 0x10U, 0x20U, 0x40U, 0x80U, 0xFFU}) {
        Bytes broken = golden;
        broken[i] = static_cast<char>(static_cast<std::uint8_t>(broken[i]) ^ flip);
        attempt(broken);
      }
    }
  }
  EXPECT_GT(refused, 1000U);
  EXPECT_GT(read, 100U);
}

TEST(Protobuf, knows_utf8) {
  for (std::string_view good : {"", "a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
  }
  for (std::string_view bad :
       {"\x80", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80", "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80", "\xE2\x82"}) {
    EXPECT_FALSE(is_utf8(bad));
  }
}

}  // namespace
}  // namespace tripod::kube::protobuf
