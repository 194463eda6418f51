#include <gtest/gtest.h>

#include "tests/sim/etcd/cluster.h"

namespace tripod::etcd {
namespace {

using std::chrono::seconds;

constexpr std::string_view denied = "etcdserver: permission denied";

/// root:root and ann:ann; ann may read and write a; authentication is on.
class AuthTest : public testing::Test {
 protected:
  AuthTest() {
    Member& member = cluster_.member(cluster_.leader());
    const auto must = [&](auto task) { CHECK(cluster_.wait(std::move(task)).has_value()); };
    const auto change = [&](AuthCommand command) {
      must(member.auth_change(std::move(command), Credentials::board()));
    };
    must(member.auth_user_add({.name = "root", .password = "root"}, Credentials::board()));
    must(member.auth_user_add({.name = "ann", .password = "ann"}, Credentials::board()));
    change({AuthUserGrantRoleRequest{"root", "root"}});
    change({AuthRoleAddRequest{"some"}});
    change(
        {AuthRoleGrantPermissionRequest{"some", Permission{PermissionType::read_write, "a", {}}}});
    change({AuthUserGrantRoleRequest{"ann", "some"}});
    change({AuthEnableRequest{}});
  }

  /// The client's token, or the refusal.
  std::string authenticate(std::size_t node, std::string name, std::string password) {
    auto reply = cluster_.wait(cluster_.member(node).authenticate({name, password}));
    return reply ? reply->token : reply.error().message;
  }
  std::string put(std::size_t node, const std::string& token, Bytes key, Bytes value = "v") {
    auto reply = cluster_.wait(cluster_.member(node).put({.key = key, .value = value},
                                                         Credentials::client(token, nullptr)));
    return reply ? "" : reply.error().message;
  }
  std::string get(std::size_t node, const std::string& token, Bytes key, bool serializable) {
    auto reply = cluster_.wait(cluster_.member(node).range(
        {.key = key, .serializable = serializable}, Credentials::client(token, nullptr)));
    return reply ? "" : reply.error().message;
  }

  SimCluster cluster_{11};
};

TEST_F(AuthTest, a_token_of_one_member_is_good_at_once_at_all) {
  for (std::size_t maker = 0; maker < 3; ++maker) {
    const std::string token = authenticate(maker, "ann", "ann");
    for (std::size_t node = 0; node < 3; ++node) {
      // Serializable: nothing but the token itself makes the member catch up.
      EXPECT_EQ(get(node, token, "a", true), "");
      EXPECT_EQ(put(node, token, "a"), "");
      EXPECT_EQ(put(node, token, "b"), denied);
      EXPECT_EQ(get(node, token, "b", true), denied);
      EXPECT_EQ(get(node, token, "b", false), denied);
      EXPECT_EQ(put(node, "", "a"), "etcdserver: user name is empty");
      EXPECT_EQ(put(node, "made.up", "a"), "etcdserver: invalid auth token");
    }
  }
  EXPECT_EQ(authenticate(0, "ann", "root"),
            "etcdserver: authentication failed, invalid user ID or password");
}

TEST_F(AuthTest, the_board_itself_is_asked_for_nothing) {
  for (std::size_t node = 0; node < 3; ++node) {
    EXPECT_TRUE(cluster_.wait(cluster_.member(node).put({.key = "/registry/x", .value = "1"})));
    EXPECT_TRUE(cluster_.wait(cluster_.member(node).range({.key = "/registry/x"})));
  }
}

TEST_F(AuthTest, a_power_cut_everywhere_keeps_users_and_forgets_tokens) {
  const std::string token = authenticate(0, "ann", "ann");
  EXPECT_EQ(put(0, token, "a"), "");
  cluster_.run_for(seconds(40));  // state.db commits, so that no replay of the log makes it again
  EXPECT_EQ(put(0, authenticate(0, "root", "root"), "z"), "");
  for (std::size_t node = 0; node < 3; ++node) cluster_.crash(node);
  for (std::size_t node = 0; node < 3; ++node) cluster_.start(node);
  cluster_.leader();
  EXPECT_EQ(put(1, "", "a"), "etcdserver: user name is empty");
  const std::string again = authenticate(1, "ann", "ann");
  EXPECT_EQ(put(2, again, "a"), "");
  EXPECT_EQ(put(2, again, "b"), denied);
}

TEST_F(AuthTest, tokens_end_without_use_on_every_member) {
  const std::string token = authenticate(0, "ann", "ann");
  for (int i = 0; i < 3; ++i) {
    cluster_.run_for(seconds(200));
    EXPECT_EQ(put(1, token, "a"), "") << i;
  }
  // Member 0 was not asked since.
  EXPECT_EQ(put(0, token, "a"), "etcdserver: invalid auth token");
}

TEST_F(AuthTest, a_changed_permission_counts_for_the_next_request_anywhere) {
  const std::string ann = authenticate(0, "ann", "ann");
  const auto root = Credentials::client(authenticate(0, "root", "root"), nullptr);
  const std::size_t leader = cluster_.leader();
  const std::size_t behind = (leader + 1) % 3;
  EXPECT_EQ(put(behind, ann, "a"), "");
  // A member that has not heard of it yet recognises the caller by older rules, which is told.
  cluster_.cut(leader, behind);
  ASSERT_TRUE(cluster_.wait(cluster_.member(leader).auth_change(
      {AuthRoleRevokePermissionRequest{"some", "a", {}}}, root)));
  std::optional<std::string> told;
  const auto put_by_old_rules = [](Member* member, std::string token,
                                   std::optional<std::string>* out) -> Task<void> {
    auto reply =
        co_await member->put({.key = "a", .value = "v"}, Credentials::client(token, nullptr));
    *out = reply ? "" : reply.error().message;
  };
  cluster_.scope().spawn(put_by_old_rules(&cluster_.member(behind), ann, &told));
  cluster_.run_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(told);
  cluster_.heal();
  ASSERT_TRUE(cluster_.run_until([&] { return told.has_value(); }, seconds(10)));
  EXPECT_EQ(*told, "etcdserver: revision of auth store is old");
  EXPECT_EQ(get(behind, ann, "a", false), denied);
  EXPECT_EQ(put(behind, ann, "a"), denied);
  auto by_ann = cluster_.wait(cluster_.member(leader).auth_change(
      {AuthDisableRequest{}}, Credentials::client(ann, nullptr)));
  ASSERT_FALSE(by_ann);
  EXPECT_EQ(by_ann.error().message, denied);
}

TEST_F(AuthTest, many_guesses_at_once_take_turns) {
  int ended = 0;
  const auto guess = [](Member* member, int* count) -> Task<void> {
    auto reply = co_await member->authenticate({"ann", "wrong"});
    if (!reply) ++*count;
  };
  for (int i = 0; i < 5; ++i) cluster_.scope().spawn(guess(&cluster_.member(0), &ended));
  EXPECT_TRUE(cluster_.run_until([&] { return ended == 5; }, seconds(60)));
  EXPECT_EQ(put(0, authenticate(0, "ann", "ann"), "a"), "");
}

}  // namespace
}  // namespace tripod::etcd
