#include <gtest/gtest.h>

#include "platform/ini/document.h"
#include "platform/ini/schema.h"

namespace tripod::ini {
namespace {

constexpr Key keys[] = {
    {"etcd", "name", Kind::name, "default"},
    {"etcd", "heartbeat-interval", Kind::integer, "100", 10, 10000},
    {"etcd", "listen-client-urls", Kind::urls, "http://127.0.0.1:2379"},
    {"node", "cidr", Kind::cidr, "10.96.0.0/16"},
    {"node", "roles", Kind::list, "etcd,apiserver", 0, 0, "etcd|apiserver|balancer"},
    {"scheduler", "leader-elect", Kind::boolean, "true"},
    {"scheduler", "leader-elect-lease-duration", Kind::duration, "15s", 1000, 3'600'000},
};

Result<Values> read_text(BytesView text) {
  auto entries = parse(text, "t.ini");
  if (!entries) return std::unexpected(entries.error());
  return read(keys, *entries);
}

TEST(Ini, fills_in_defaults_and_keeps_what_is_set) {
  auto values = read_text(
      "# comment\n[etcd]\nname = board-1\nlisten-client-urls = https://127.0.0.1:1, "
      "https://[::1]:2\n[node]\ncidr = fd00:10:96::/112\n");
  ASSERT_TRUE(values.has_value()) << values.error().message;
  EXPECT_EQ(values->text("etcd", "name"), "board-1");
  EXPECT_EQ(values->integer("etcd", "heartbeat-interval"), 100);
  EXPECT_EQ(values->duration("scheduler", "leader-elect-lease-duration").count(), 15000);
  auto urls = values->urls("etcd", "listen-client-urls");
  ASSERT_EQ(urls.size(), 2U);
  EXPECT_EQ(urls[1].to_string(), "https://[::1]:2");
  EXPECT_EQ(values->text("node", "cidr"), "fd00:10:96::/112");
  EXPECT_TRUE(values->is_set("etcd", "name"));
  EXPECT_FALSE(values->is_set("scheduler", "leader-elect"));
}

TEST(Ini, names_file_line_key_value_and_what_is_accepted) {
  struct Case {
    const char* text;
    const char* message;
  } cases[] = {
      {"[etcd]\n\nheartbeat-interval = soon\n",
       "t.ini:3: [etcd] heartbeat-interval = \"soon\": expected a whole number from 10 to 10000"},
      {"[etcd]\nheartbeat-interval = 1\n",
       "t.ini:2: [etcd] heartbeat-interval = \"1\": expected a whole number from 10 to 10000"},
      {"[etcd]\nhartbeat-interval = 1\n",
       "t.ini:2: [etcd] hartbeat-interval = \"1\": unknown key; did you mean "
       "\"heartbeat-interval\"?"},
      {"[ectd]\nname = x\n",
       "t.ini:2: [ectd] name = \"x\": unknown section; did you mean \"etcd\"?"},
      {"[node]\nroles = etcd, king\n",
       "t.ini:2: [node] roles = \"etcd, king\": expected a list of any of etcd, apiserver, "
       "balancer"},
      {"[etcd]\nname = a\nname = b\n",
       "t.ini:3: [etcd] name = \"b\": given twice, first at t.ini:2"},
      {"[scheduler]\nleader-elect = yes\n",
       "t.ini:2: [scheduler] leader-elect = \"yes\": expected true or false"},
      {"[node]\ncidr = 10.96.0.0\n",
       "t.ini:2: [node] cidr = \"10.96.0.0\": expected an IP address and a prefix length, as "
       "10.96.0.0/16"},
      {"[node]\ncidr = 10.96.0.0/33\n",
       "t.ini:2: [node] cidr = \"10.96.0.0/33\": expected an IP address and a prefix length, as "
       "10.96.0.0/16"},
      {"[etcd]\nwhat is this\n", "t.ini:2: expected \"[section]\", \"key = value\" or a comment"},
  };
  for (const Case& c : cases) {
    auto values = read_text(c.text);
    ASSERT_FALSE(values.has_value()) << c.text;
    EXPECT_EQ(values.error().message, c.message);
  }
}

TEST(Ini, reports_every_problem_at_once) {
  auto values = read_text("[etcd]\nname = a b\nheartbeat-interval = x\n");
  ASSERT_FALSE(values.has_value());
  EXPECT_EQ(std::ranges::count(values.error().message, '\n'), 1);
}

TEST(Ini, takes_long_lines_up_to_the_limit) {
  std::string urls = "https://127.0.0.1:2379";
  while (urls.size() < 3000) urls += ",https://127.0.0.1:2379";
  auto values = read_text("[etcd]\nlisten-client-urls = " + urls + "\n");
  ASSERT_TRUE(values.has_value()) << values.error().message;
  EXPECT_GT(values->urls("etcd", "listen-client-urls").size(), 100U);
  auto too_long = read_text("[etcd]\nname = " + std::string(5000, 'x') + "\n");
  ASSERT_FALSE(too_long.has_value());
  EXPECT_TRUE(too_long.error() == ErrorCode::too_large);
}

TEST(Ini, addresses_are_whole) {
  for (const char* good :
       {"1.2.3.4:5", "0.0.0.0:0", "255.255.255.255:65535", "[::]:1", "[::1]:1", "[fd00::1:2]:1",
        "[1:2:3:4:5:6:7:8]:1", "[::ffff:10.0.0.1]:1", "[1:2:3:4:5:6:10.0.0.1]:1", "[1::]:1"}) {
    EXPECT_TRUE(os::parse_address(good).has_value()) << good;
  }
  for (const char* bad : {"1.2.3:5", "1.2.3.4.5:5", "1.2.3.256:5", "1.2.3.:5", "1..3.4:5",
                          "01.2.3.4:5", "a.b.c.d:5", "[1.2.3.4]:5", "[:]:1", "[:::]:1", "[1:2]:1",
                          "[1::2::3]:1", "[12345::]:1", "[1:2:3:4:5:6:7:8:9]:1",
                          "[1:2:3:4:5:6:7::8]:1", "[::1.2.3]:1", "[g::]:1", "1.2.3.4:65536"}) {
    EXPECT_FALSE(os::parse_address(bad).has_value()) << bad;
  }
}

TEST(Ini, arguments_replace_the_file) {
  auto entries = parse("[etcd]\nname = a\n", "t.ini");
  ASSERT_TRUE(entries.has_value());
  auto argument = parse_argument("--etcd.name=b");
  ASSERT_TRUE(argument.has_value());
  entries->push_back(*argument);
  auto values = read(keys, *entries);
  ASSERT_TRUE(values.has_value()) << values.error().message;
  EXPECT_EQ(values->text("etcd", "name"), "b");
  EXPECT_FALSE(parse_argument("--name=b").has_value());
  EXPECT_FALSE(parse_argument("etcd.name=b").has_value());
}

TEST(Ini, reads_durations_as_go_writes_them) {
  EXPECT_EQ(parse_duration("1m30s")->count(), 90'000);
  EXPECT_EQ(parse_duration("250ms")->count(), 250);
  EXPECT_FALSE(parse_duration("10").has_value());
  EXPECT_FALSE(parse_duration("s").has_value());
  EXPECT_FALSE(parse_duration("").has_value());
}

}  // namespace
}  // namespace tripod::ini
