#include "firmware/node/config.h"

#include <gtest/gtest.h>

#include <ranges>

#include "firmware/node/board_settings.h"
#include "firmware/node/plausible.h"
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
    EXPECT_TRUE(check_plausible(*config));
  }
}

TEST(Config, accepts_the_shipped_files_of_an_external_etcd) {
  linux_os::FileStorage files;
  for (std::string_view name : {"board-1", "board-2", "board-3", "etcd-1", "etcd-2", "etcd-3"}) {
    std::string path = std::format("config/external/{}.ini", name);
    auto text = files.read_file(path, ini::file_bytes_max);
    ASSERT_TRUE(text.has_value()) << text.error().message;
    auto config = load_config(*text, path, {});
    ASSERT_TRUE(config.has_value()) << config.error().message;
    EXPECT_EQ(config->has(Role::etcd), name.starts_with("etcd"));
    EXPECT_EQ(config->external_etcd(), name.starts_with("board"));
    EXPECT_TRUE(check_plausible(*config));
  }
}

constexpr std::string_view external =
    "[node]\nname = a\nroles = apiserver\n"
    "[apiserver]\ntls-cert-file = /c\ntls-private-key-file = /k\nclient-ca-file = /ca\n"
    "etcd-servers = http://127.0.0.1:2379\n";

TEST(Config, takes_names_and_addresses_of_an_external_etcd) {
  for (const char* good_server :
       {"http://etcd-1.lan:2379", "http://10.0.0.1:1", "http://[::1]:2379"}) {
    auto config = load(external, {std::string("--apiserver.etcd-servers=") + good_server});
    EXPECT_TRUE(config.has_value()) << good_server << ": " << config.error().message;
  }
  auto named = parse_endpoint("https://etcd-1.lan:23790");
  ASSERT_TRUE(named.has_value());
  EXPECT_TRUE(named->tls);
  EXPECT_EQ(named->host, "etcd-1.lan");
  EXPECT_EQ(named->port, 23790);
  for (const char* bad : {"etcd-1:2379", "https://:1", "https://a", "https://a:0", "https://a:b",
                          "https://a:70000", "https://a_b:1", "https://a:1/x", "unix://a:1"}) {
    EXPECT_FALSE(parse_endpoint(bad).has_value()) << bad;
    EXPECT_FALSE(load(external, {std::string("--apiserver.etcd-servers=") + bad}).has_value())
        << bad;
  }
}

TEST(Config, an_external_etcd_with_tls_needs_every_file) {
  auto config = load(external, {"--apiserver.etcd-servers=https://127.0.0.1:2379"});
  ASSERT_FALSE(config.has_value());
  for (const char* key : {"etcd-cafile", "etcd-certfile", "etcd-keyfile"}) {
    EXPECT_TRUE(config.error().message.contains(key)) << config.error().message;
  }
  EXPECT_TRUE(load(external,
                   {"--apiserver.etcd-servers=https://127.0.0.1:2379", "--apiserver.etcd-cafile=/a",
                    "--apiserver.etcd-certfile=/b", "--apiserver.etcd-keyfile=/c"})
                  .has_value());
}

TEST(Config, the_own_member_may_be_named_as_etcd_server) {
  auto config = load(good, {"--apiserver.etcd-servers=http://127.0.0.1:2379"});
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_FALSE(config->external_etcd());
}

TEST(Config, an_api_server_needs_a_store) {
  auto config = load(external, {"--apiserver.etcd-servers="});
  ASSERT_FALSE(config.has_value());
  EXPECT_TRUE(
      config.error().message.contains("apiserver needs the role etcd on the same board, or "
                                      "[apiserver] etcd-servers"))
      << config.error().message;
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
        Contradiction{"--apiserver.etcd-servers=http://127.0.0.2:2379",
                      "\"http://127.0.0.2:2379\" is not the member of this board"},
        Contradiction{"--apiserver.etcd-servers=127.0.0.1:2379", "expected http:// or https://"},
        Contradiction{"--apiserver.etcd-cafile=/a", "is for etcd-servers with https"},
        Contradiction{"--apiserver.bind-address=1.2.3", "expected an IP address"},
        Contradiction{"--apiserver.service-cluster-ip-range=10.96.0.0/33",
                      "expected an IP address and a prefix length"},
        Contradiction{"--apiserver.service-cluster-ip-range=10.96.0.0/8",
                      "expected an IPv4 range of /12 to /28"},
        Contradiction{"--apiserver.service-cluster-ip-range=fd00::/24",
                      "expected an IPv4 range of /12 to /28"},
        Contradiction{"--etcd.advertise-client-urls=https://127.0.0.1:2379",
                      "contradicts default: [etcd] listen-client-urls = "},
        Contradiction{"--etcd.initial-advertise-peer-urls=https://127.0.0.1:2380",
                      "expected http:// in both or https:// in both"},
        Contradiction{"--apiserver.etcd-prefix=registry", "expected a key that begins with '/'"},
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

TEST(Config, auto_compaction_is_read_as_etcd_reads_it) {
  const auto period = [](std::string_view retention) {
    auto setting = parse_auto_compaction("periodic", retention);
    return setting ? setting->period : std::chrono::milliseconds(-1);
  };
  EXPECT_EQ(period("0"), std::chrono::hours(0));
  EXPECT_EQ(period("2"), std::chrono::hours(2));
  EXPECT_EQ(period("10m"), std::chrono::minutes(10));
  EXPECT_EQ(period("1h30m"), std::chrono::minutes(90));
  for (const char* bad : {"", "-1", "ten", "10ms", "99999999", "1h x"}) {
    EXPECT_EQ(period(bad).count(), -1) << bad;
  }
  EXPECT_EQ(parse_auto_compaction("revision", "1000")->revisions, 1000);
  EXPECT_FALSE(parse_auto_compaction("revision", "10m"));
  auto config =
      load(good, {"--etcd.auto-compaction-mode=revision", "--etcd.auto-compaction-retention=10m"});
  ASSERT_FALSE(config);
  EXPECT_NE(config.error().message.find("expected a number of revisions"), std::string::npos)
      << config.error().message;
  EXPECT_FALSE(load(good, {"--etcd.auto-compaction-mode=hourly"}));
  EXPECT_TRUE(load(good, {"--etcd.auto-compaction-retention=1h"}));
}

TEST(Config, upkeep_that_contradicts_itself_is_refused) {
  EXPECT_FALSE(
      load(good, {"--etcd.corrupt-check-time=5m", "--etcd.experimental-corrupt-check-time=6m"}));
  EXPECT_TRUE(
      load(good, {"--etcd.corrupt-check-time=5m", "--etcd.experimental-corrupt-check-time=5m"}));
  EXPECT_FALSE(load(good, {"--etcd.corrupt-check-time=5ms"}));
  EXPECT_FALSE(load(good, {"--etcd.snapshot-dir=/backup"}));
  EXPECT_TRUE(load(good, {"--etcd.snapshot-dir=/backup", "--etcd.snapshot-interval=6h"}));
  EXPECT_FALSE(load(good, {"--etcd.snapshot-retention=0"}));
}

TEST(BoardSettings, read_what_process_1_makes_of_the_machine) {
  auto config = load(std::string(good) +
                     "[board]\nhostname = attic\naddress = 192.168.1.11/24, dhcp@eth1\n"
                     "gateway = 192.168.1.1\nhosts = b=192.168.1.12\nmemory-max = 192Mi\n"
                     "watchdog-timeout = 0\nntp-servers = pool.ntp.org, fd00::1\n");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  auto board = read_board_settings(config->values);
  ASSERT_TRUE(board.has_value());
  EXPECT_EQ(board->hostname, "attic");
  EXPECT_EQ(board->network.interfaces.size(), 2U);
  EXPECT_EQ(board->network.gateways.size(), 1U);
  EXPECT_EQ(board->hosts, std::vector<std::string>{"192.168.1.12 b"});
  EXPECT_EQ(board->memory_bytes_max, 192U << 20);
  EXPECT_EQ(board->watchdog_timeout.count(), 0);
  EXPECT_EQ(board->ntp_servers.size(), 2U);
}

TEST(BoardSettings, a_board_without_the_section_asks_dhcp_and_is_named_as_the_node) {
  auto config = load(good);
  ASSERT_TRUE(config.has_value());
  auto board = read_board_settings(config->values);
  ASSERT_TRUE(board.has_value());
  EXPECT_EQ(board->hostname, "a");
  EXPECT_TRUE(board->network.has_dhcp());
}

TEST(BoardSettings, say_where_the_mistake_is_and_what_is_accepted) {
  for (auto [line, expected] : {
           std::pair("address = 192.168.1.11",
                     "t.ini:14: [board] address = \"192.168.1.11\": "
                     "\"192.168.1.11\": expected dhcp or an address"),
           std::pair("gateway = router",
                     "t.ini:14: [board] gateway = \"router\": "
                     "\"router\": expected an IP address"),
           std::pair("interface = my eth0", "t.ini:14: [board] interface = \"my eth0\": "),
           std::pair("memory-max = 1Mi", "expected an amount of memory from 32Mi on"),
           std::pair("memory-max = lots", "expected an amount of memory"),
           std::pair("watchdog-timeout = 1s", "expected 0 (no watchdog) or at least 5s"),
           std::pair("hosts = 192.168.1.12", "expected name=IP"),
           std::pair("nameservers = dns.example", "expected an IP address"),
           std::pair("ntp-servers = a b", "expected a name or an IP address"),
           std::pair("adress = dhcp", "did you mean \"address\"?"),
       }) {
    auto config = load(std::string(good) + "[board]\n" + line + "\n");
    ASSERT_FALSE(config.has_value()) << line;
    EXPECT_NE(config.error().message.find(expected), std::string::npos) << config.error().message;
  }
}

TEST(BoardSettings, of_a_network_that_cannot_work_are_carried_out_but_named) {
  auto config =
      load(std::string(good) + "[board]\naddress = 192.168.1.255/24\ngateway = 192.168.2.1\n");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  auto checked = check_plausible(*config);
  ASSERT_FALSE(checked);
  const std::string& said = checked.error().message;
  EXPECT_NE(said.find("t.ini:14: [board] address = "), std::string::npos) << said;
  EXPECT_NE(said.find("broadcast address"), std::string::npos) << said;
  EXPECT_NE(said.find("t.ini:15: [board] gateway = "), std::string::npos) << said;
  EXPECT_NE(said.find("in a network of the board's"), std::string::npos) << said;
  EXPECT_TRUE(check_plausible(*load(good)));
}

TEST(BoardSettings, of_a_network_are_held_against_the_other_sections) {
  const std::string board = std::string(good) + "[board]\naddress = 192.168.1.11/24\n";
  EXPECT_TRUE(check_plausible(*load(board))) << "all on the loopback, or everywhere";
  for (auto [argument, expected] :
       {std::pair("--apiserver.bind-address=192.168.1.99",
                  "192.168.1.99 is none of the board's addresses; expected one of 192.168.1.11"),
        std::pair("--etcd.listen-peer-urls=http://192.168.1.99:2380", "[etcd] listen-peer-urls"),
        std::pair("--board.ntp-servers=pool.ntp.org", "nobody is there to ask for a name"),
        std::pair("--apiserver.service-cluster-ip-range=192.168.0.0/16",
                  "addresses of Services")}) {
    auto config = load(board, {argument});
    ASSERT_TRUE(config.has_value()) << config.error().message;
    auto checked = check_plausible(*config);
    ASSERT_FALSE(checked) << argument;
    EXPECT_NE(checked.error().message.find(expected), std::string::npos) << checked.error().message;
  }
  for (const std::vector<std::string>& good_ones : std::initializer_list<std::vector<std::string>>{
           {"--board.address=dhcp", "--apiserver.bind-address=192.168.1.99"},
           {"--board.ntp-servers=time", "--board.hosts=time=192.168.1.1"}}) {
    auto checked = check_plausible(*load(board, good_ones));
    EXPECT_TRUE(checked) << checked.error().message;
  }
}

constexpr std::string_view joining =
    "[node]\nname = a\nroles = etcd, apiserver\njoin = https://192.168.1.11:6443\n"
    "join-token = abcdef.0123456789abcdef\n"
    "join-ca-hash = sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"
    "client-cert-file = /c\nclient-key-file = /k\n"
    "[etcd]\nname = a\nadvertise-client-urls = http://127.0.0.1:2379\n"
    "initial-advertise-peer-urls = http://127.0.0.1:2380\n"
    "[apiserver]\ntls-cert-file = /c\ntls-private-key-file = /k\nclient-ca-file = /ca\n";

TEST(Config, of_a_board_that_joins_needs_no_list_of_members) {
  auto config = load(joining);
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_TRUE(config->joins());
  EXPECT_FALSE(load(good)->joins());
}

TEST(Config, of_a_board_that_joins_says_what_is_wrong_with_its_lines) {
  for (auto [argument, expected] :
       {std::pair("--node.join=http://192.168.1.11:6443", "as https://192.168.1.11:6443"),
        std::pair("--node.join-token=abc", "as abcdef.0123456789abcdef"),
        std::pair("--node.join-ca-hash=sha256:00", "64 hexadecimal digits"),
        std::pair("--node.roles=apiserver", "is for boards with the roles"),
        std::pair("--etcd.initial-cluster=a=http://127.0.0.1:2380", "expected none"),
        std::pair("--node.join=", "is for [node] join"),
        std::pair("--node.ca-key-file=/k", "as for ca-key-file")}) {
    auto config = load(joining, {argument});
    ASSERT_FALSE(config.has_value()) << argument;
    EXPECT_NE(config.error().message.find(expected), std::string::npos)
        << argument << ": " << config.error().message;
  }
}

}  // namespace
}  // namespace tripod::node
