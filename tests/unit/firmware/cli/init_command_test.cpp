#include "firmware/cli/init_command.h"

#include <gtest/gtest.h>

#include "firmware/node/config.h"

namespace tripod::cli {
namespace {

std::string error_of(std::string_view addresses, std::size_t count) {
  auto boards = plan_boards(addresses, count);
  return boards ? "" : boards.error().message;
}

ClusterPlan plan_at(std::string_view addresses, std::size_t count) {
  auto boards = plan_boards(addresses, count);
  EXPECT_TRUE(boards.has_value()) << boards.error().message;
  return {.boards = *boards,
          .gateway = "192.168.1.1",
          .nameservers = "",
          .ntp_servers = "pool.ntp.org",
          .service_cidr = "10.96.0.0/16",
          .token = "home",
          .signers = 2,
          .join = {}};
}

TEST(InitPlan, counts_up_from_the_first_address) {
  auto boards = plan_boards("192.168.1.11/24", 3);
  ASSERT_TRUE(boards.has_value()) << boards.error().message;
  ASSERT_EQ(boards->size(), 3u);
  EXPECT_EQ((*boards)[0].name, "board-1");
  EXPECT_EQ((*boards)[2].name, "board-3");
  EXPECT_EQ((*boards)[2].ip, "192.168.1.13");
  EXPECT_EQ((*boards)[2].prefix_length, 24u);
}

TEST(InitPlan, takes_a_list_as_it_is) {
  auto boards = plan_boards("10.0.0.9/8, fd00::7/64", 0);
  ASSERT_TRUE(boards.has_value()) << boards.error().message;
  ASSERT_EQ(boards->size(), 2u);
  EXPECT_EQ((*boards)[1].ip, "fd00::7");
  EXPECT_EQ((*boards)[1].prefix_length, 64u);
}

TEST(InitPlan, says_what_is_wrong_with_addresses) {
  EXPECT_NE(error_of("", 3).find("expected an address with its prefix"), std::string::npos);
  EXPECT_NE(error_of("192.168.1.11", 3).find("\"192.168.1.11\": expected an address"),
            std::string::npos);
  EXPECT_NE(error_of("192.168.1.11/33", 1).find("expected"), std::string::npos);
  EXPECT_NE(error_of("192.168.1.300/24", 1).find("expected"), std::string::npos);
  EXPECT_NE(error_of("192.168.1.253/24", 3).find("cannot be counted"), std::string::npos);
  EXPECT_NE(error_of("fd00::1/64", 3).find("give a list"), std::string::npos);
  EXPECT_NE(error_of("10.0.0.1/8,10.0.0.1/8", 0).find("twice"), std::string::npos);
  EXPECT_NE(error_of("10.0.0.1/8,10.0.0.2/8", 3).find("2 addresses for 3 boards"),
            std::string::npos);
}

TEST(InitIni, is_what_a_board_accepts) {
  const ClusterPlan plan = plan_at("192.168.1.11/24", 3);
  for (std::size_t index = 0; index < plan.boards.size(); ++index) {
    auto config = node::load_config(board_ini(plan, index), "tripod.ini", {});
    ASSERT_TRUE(config.has_value()) << config.error().message;
    EXPECT_EQ(config->has(node::Role::balancer), index == 0);
    EXPECT_EQ(config->values.text("node", "name"), plan.boards[index].name);
    EXPECT_EQ(config->values.text("etcd", "initial-cluster-token"), "home");
    EXPECT_EQ(config->values.text("board", "hostname"), plan.boards[index].name);
    EXPECT_EQ(config->values.text("node", "ca-key-file").empty(), index == 2);
  }
}

TEST(InitIni, of_a_board_that_joins_is_what_it_accepts) {
  ClusterPlan plan = plan_at("192.168.1.14/24", 1);
  plan.boards[0].name = "board-4";
  plan.join = JoinLines{.url = "https://192.168.1.11:6443",
                        .token = "abcdef.0123456789abcdef",
                        .ca_hash = "sha256:" + std::string(64, 'a')};
  auto config = node::load_config(board_ini(plan, 0), "tripod.ini", {});
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_TRUE(config->joins());
  EXPECT_FALSE(config->has(node::Role::balancer));
  EXPECT_EQ(config->values.text("node", "name"), "board-4");
  EXPECT_TRUE(config->values.text("etcd", "initial-cluster").empty());
}

TEST(InitIni, writes_v6_addresses_in_brackets_where_a_port_follows) {
  ClusterPlan plan = plan_at("fd00::1/64,fd00::2/64,fd00::3/64", 3);
  plan.gateway = "fe80::1";
  const std::string text = board_ini(plan, 0);
  EXPECT_NE(text.find("address = fd00::1/64\n"), std::string::npos);
  EXPECT_NE(text.find("board-2=https://[fd00::2]:2380"), std::string::npos);
  EXPECT_NE(text.find("listen = [fd00::1]:6443\n"), std::string::npos);
  EXPECT_NE(text.find("bind-address = fd00::1\n"), std::string::npos);
  auto config = node::load_config(text, "tripod.ini", {});
  EXPECT_TRUE(config.has_value()) << config.error().message;
}

}  // namespace
}  // namespace tripod::cli
