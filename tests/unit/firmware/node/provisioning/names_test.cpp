#include "firmware/node/provisioning/names.h"

#include <gtest/gtest.h>

namespace tripod::node {
namespace {

etcd::MemberInfo member(std::string name, std::string peer, std::string client) {
  return {.id = 1,
          .name = std::move(name),
          .peer_urls = {std::move(peer)},
          .client_urls = {std::move(client)},
          .is_learner = false};
}

const std::vector<etcd::MemberInfo> members = {
    member("board-1", "https://192.168.1.11:2380", "https://127.0.0.1:2379"),
    member("Board-2", "https://b2.Lan:2380", "https://[fd00::2]:2379"),
    member("board-3", "https://192.168.1.13:2380", "https://192.168.1.11:2379"),
    member("", "https://192.168.1.14:2380", "https://192.168.1.14:2379")};

TEST(NamesOfOthers, are_those_of_members_however_they_are_written) {
  const NamesOfOthers others(members, "board-5", "10.96.0.0/16");
  for (const char* name : {"board-1", "BOARD-1", "board-1.", "board-2", "192.168.1.11", "b2.lan",
                           "B2.LAN.", "fd00::2", "fd00:0:0:0:0:0:0:2", "::ffff:192.168.1.13"}) {
    EXPECT_TRUE(others.contains(name)) << name;
  }
  for (const char* name : {"board-5", "board-11", "b2.lan.example", "192.168.1.15", "fd00::20",
                           "192.168.1.14", "api.lan"}) {
    EXPECT_FALSE(others.contains(name)) << name;
  }
}

TEST(NamesOfOthers, are_not_the_own_ones) {
  const NamesOfOthers others(members, "board-3", "10.96.0.0/16");
  EXPECT_FALSE(others.contains("board-3"));
  EXPECT_FALSE(others.contains("192.168.1.13"));
  EXPECT_FALSE(others.contains("192.168.1.11")) << "board-1 shares it";
  EXPECT_TRUE(others.contains("board-1"));
}

TEST(NamesOfOthers, are_not_what_every_board_calls_itself) {
  const NamesOfOthers others(members, "board-5", "10.96.0.0/16");
  for (const char* name : {"localhost", "127.0.0.1", "::1"}) {
    EXPECT_FALSE(others.contains(name)) << name;
  }
}

TEST(NamesOfOthers, are_those_of_the_api) {
  const NamesOfOthers others({}, "board-5", "10.96.0.0/16");
  for (const char* name :
       {"kubernetes", "Kubernetes", "kubernetes.default", "kubernetes.default.",
        "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
        "kubernetes.default.svc.other", "10.96.0.1", "10.96.200.7", "::ffff:10.96.0.1"}) {
    EXPECT_TRUE(others.contains(name)) << name;
  }
  for (const char* name : {"kubernetes-1", "kubernetes.lan", "kubernetes.defaults", "10.97.0.1"}) {
    EXPECT_FALSE(others.contains(name)) << name;
  }
}

}  // namespace
}  // namespace tripod::node
