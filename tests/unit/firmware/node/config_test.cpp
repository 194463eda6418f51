#include "firmware/node/config.h"

#include <gtest/gtest.h>

#include "platform/linux/file_storage.h"

namespace tripod::node {
namespace {

constexpr std::string_view good =
    "[node]\nname = a\nroles = etcd, apiserver\n"
    "[etcd]\nname = a\nadvertise-client-urls = http://127.0.0.1:2379\n"
    "initial-advertise-peer-urls = http://127.0.0.1:2380\n"
    "initial-cluster = a=http://127.0.0.1:2380\n"
    "[apiserver]\ntls-cert-file = /c\ntls-private-key-file = /k\nclient-ca-file = /ca\n";

Result<Config> load(std::string_view text, std::vector<std::string> arguments = {}) {
  return load_config(text, "t.ini", arguments);
}

TEST(Config, accepts_the_shipped_files) {
  linux_os::FileStorage files;
  for (int board : {1, 2, 3}) {
    std::string path = std::format("config/board-{}.ini", board);
    auto text = files.read_file(path, ini::file_bytes_max);
    ASSERT_TRUE(text.has_value()) << text.error().message;
    auto config = load_config(*text, path, {});
    ASSERT_TRUE(config.has_value()) << config.error().message;
    EXPECT_EQ(config->has(Role::balancer), board == 1);
  }
}

TEST(Config, accepts_a_small_file) {
  auto config = load(good);
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_TRUE(config->has(Role::apiserver));
  EXPECT_FALSE(config->has(Role::scheduler));
}

struct Contradiction {
  const char* argument;
  const char* message;
};

class ConfigContradictions : public testing::TestWithParam<Contradiction> {};

TEST_P(ConfigContradictions, are_named) {
  auto config = load(good, {GetParam().argument});
  ASSERT_FALSE(config.has_value()) << GetParam().argument;
  EXPECT_TRUE(config.error().message.contains(GetParam().message)) << config.error().message;
}

INSTANTIATE_TEST_SUITE_P(
    All, ConfigContradictions,
    testing::Values(
        Contradiction{"--node.roles=apiserver", "apiserver needs the role etcd"},
        Contradiction{"--node.roles=etcd", "section [apiserver] is there"},
        Contradiction{"--node.roles=etcd,apiserver,scheduler,king", "expected a list of any of"},
        Contradiction{"--etcd.election-timeout=200",
                      "expected at least five times heartbeat-interval, 500"},
        Contradiction{"--etcd.initial-cluster=b=http://127.0.0.1:2380",
                      "expected a member named \"a\""},
        Contradiction{"--etcd.initial-cluster=a=http://127.0.0.1:1",
                      "but initial-advertise-peer-urls is"},
        Contradiction{"--etcd.listen-client-urls=https://127.0.0.1:2379",
                      "cert-file = \"\": expected a value"},
        Contradiction{"--scheduler.leader-elect-renew-deadline=20s",
                      "expected more than leader-elect-renew-deadline"},
        Contradiction{"--metrics.listen=192.168.1.1:10249", "expected a loopback address"},
        Contradiction{"--balancer.backends=127.0.0.1:1", "section [balancer] is there"}));

}  // namespace
}  // namespace tripod::node
