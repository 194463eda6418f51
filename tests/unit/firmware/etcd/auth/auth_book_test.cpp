#include "firmware/etcd/auth/auth_book.h"

#include <gtest/gtest.h>

namespace tripod::etcd {
namespace {

const Bytes from_key_on(1, '\0');

class AuthBookTest : public testing::Test {
 protected:
  /// What a client would be told: "" when it was done.
  std::string apply(AuthCommand command) {
    auto reply = book_.apply(std::move(command), ++index_, now_);
    if (!reply) return reply.error().message;
    token_ = *reply;
    return {};
  }
  std::string add_user(std::string name, Bytes hash = "hash") {
    return apply({AuthUserAddRequest{.name = std::move(name), .hashed_password = std::move(hash)}});
  }
  std::string add_role(std::string name) { return apply({AuthRoleAddRequest{std::move(name)}}); }
  std::string grant_role(std::string user, std::string role) {
    return apply({AuthUserGrantRoleRequest{std::move(user), std::move(role)}});
  }
  std::string grant(std::string role, PermissionType type, Bytes key, Bytes end = {}) {
    return apply({AuthRoleGrantPermissionRequest{
        std::move(role), Permission{type, std::move(key), std::move(end)}}});
  }
  std::string enable() { return apply({AuthEnableRequest{}}); }
  /// root with its role, ann with the role reader, and authentication on.
  void set_up() {
    EXPECT_EQ(add_user("root"), "");
    EXPECT_EQ(grant_role("root", "root"), "");
    EXPECT_EQ(add_user("ann"), "");
    EXPECT_EQ(add_role("reader"), "");
    EXPECT_EQ(grant_role("ann", "reader"), "");
    EXPECT_EQ(enable(), "");
  }
  Caller caller(std::string user) const { return {std::move(user), book_.revision()}; }
  static std::string told(const std::optional<Outcome>& outcome) {
    return outcome ? std::string(outcome->text) : "";
  }
  std::string read(const Caller& who, BytesView key, BytesView end = {}) {
    return told(book_.may_read(who, key, end));
  }
  std::string write(const Caller& who, BytesView key, BytesView end = {}) {
    return told(book_.may_write(who, key, end));
  }

  AuthBook book_;
  std::uint64_t index_ = 10;
  MonotonicTime now_{};
  std::string token_;
};

TEST_F(AuthBookTest, nobody_is_asked_while_it_is_off) {
  EXPECT_EQ(read({}, "a"), "");
  EXPECT_EQ(write({}, "a"), "");
  EXPECT_EQ(told(book_.administrator({})), "");
  EXPECT_EQ(book_.revision(), 1U);
}

TEST_F(AuthBookTest, it_cannot_be_turned_on_without_root_and_its_role) {
  EXPECT_EQ(enable(), "etcdserver: root user does not exist");
  add_user("root");
  EXPECT_EQ(enable(), "etcdserver: root user does not have root role");
  EXPECT_EQ(grant_role("root", "root"), "");
  const std::uint64_t revision = book_.revision();
  EXPECT_EQ(enable(), "");
  EXPECT_EQ(enable(), "");
  EXPECT_TRUE(book_.enabled());
  EXPECT_EQ(book_.revision(), revision);
  EXPECT_EQ(apply({AuthDisableRequest{}}), "");
  EXPECT_FALSE(book_.enabled());
  EXPECT_EQ(book_.revision(), revision + 1);
}

TEST_F(AuthBookTest, root_stays_root_while_it_is_on) {
  set_up();
  add_role("root");
  EXPECT_EQ(apply({AuthUserDeleteRequest{"root"}}), "etcdserver: invalid auth management");
  EXPECT_EQ(apply({AuthUserRevokeRoleRequest{"root", "root"}}),
            "etcdserver: invalid auth management");
  EXPECT_EQ(apply({AuthRoleDeleteRequest{"root"}}), "etcdserver: invalid auth management");
  apply({AuthDisableRequest{}});
  EXPECT_EQ(apply({AuthRoleDeleteRequest{"root"}}), "");
  EXPECT_EQ(apply({AuthUserDeleteRequest{"root"}}), "");
}

TEST_F(AuthBookTest, refusals_are_worded_as_etcd_words_them) {
  set_up();
  EXPECT_EQ(add_user(""), "etcdserver: user name is empty");
  EXPECT_EQ(add_user("ann"), "etcdserver: user name already exists");
  EXPECT_EQ(apply({AuthUserDeleteRequest{"bob"}}), "etcdserver: user name not found");
  EXPECT_EQ(apply({AuthUserChangePasswordRequest{.name = "bob"}}),
            "etcdserver: user name not found");
  EXPECT_EQ(grant_role("bob", "reader"), "etcdserver: user name not found");
  EXPECT_EQ(grant_role("ann", "writer"), "etcdserver: role name not found");
  EXPECT_EQ(apply({AuthUserRevokeRoleRequest{"ann", "writer"}}),
            "etcdserver: role is not granted to the user");
  EXPECT_EQ(add_role(""), "etcdserver: role name is empty");
  EXPECT_EQ(add_role("reader"), "etcdserver: role name already exists");
  EXPECT_EQ(apply({AuthRoleDeleteRequest{"writer"}}), "etcdserver: role name not found");
  EXPECT_EQ(grant("writer", PermissionType::read, "a"), "etcdserver: role name not found");
  EXPECT_EQ(grant("reader", PermissionType::read, "b", "a"), "etcdserver: invalid auth management");
  EXPECT_EQ(apply({AuthRoleGrantPermissionRequest{.name = "reader"}}),
            "etcdserver: permission not given");
  EXPECT_EQ(apply({AuthRoleRevokePermissionRequest{"reader", "a", ""}}),
            "etcdserver: permission is not granted to the role");
}

TEST_F(AuthBookTest, a_refusal_and_a_repetition_leave_the_revision_alone) {
  set_up();
  const std::uint64_t revision = book_.revision();
  grant_role("ann", "reader");
  add_user("ann");
  apply({AuthRoleDeleteRequest{"writer"}});
  EXPECT_EQ(book_.revision(), revision);
  grant("reader", PermissionType::read, "a");
  EXPECT_EQ(book_.revision(), revision + 1);
}

TEST_F(AuthBookTest, permissions_of_all_roles_of_a_user_add_up) {
  set_up();
  grant("reader", PermissionType::read, "a", "c");
  grant("reader", PermissionType::write, "w");
  add_role("other");
  grant("other", PermissionType::read_write, "c", "e");
  EXPECT_EQ(read(caller("ann"), "a", "e"), "etcdserver: permission denied");
  grant_role("ann", "other");
  EXPECT_EQ(read(caller("ann"), "a", "e"), "");
  EXPECT_EQ(write(caller("ann"), "c", "e"), "");
  EXPECT_EQ(write(caller("ann"), "b"), "etcdserver: permission denied");
  EXPECT_EQ(write(caller("ann"), "w"), "");
  EXPECT_EQ(read(caller("ann"), "w"), "etcdserver: permission denied");
  apply({AuthRoleDeleteRequest{"other"}});
  EXPECT_EQ(read(caller("ann"), "c"), "etcdserver: permission denied");
  EXPECT_EQ(*book_.roles_of("ann"), std::vector<std::string>{"reader"});
}

TEST_F(AuthBookTest, granting_a_range_again_changes_its_kind) {
  set_up();
  grant("reader", PermissionType::read, "a", from_key_on);
  grant("reader", PermissionType::write, "a", from_key_on);
  ASSERT_EQ(book_.permissions_of("reader")->size(), 1U);
  EXPECT_EQ(book_.permissions_of("reader")->front().type, PermissionType::write);
  EXPECT_EQ(read(caller("ann"), "b"), "etcdserver: permission denied");
  EXPECT_EQ(apply({AuthRoleRevokePermissionRequest{"reader", "a", from_key_on}}), "");
  EXPECT_EQ(write(caller("ann"), "b"), "etcdserver: permission denied");
}

TEST_F(AuthBookTest, who_may_do_what) {
  set_up();
  EXPECT_EQ(read({}, "a"), "etcdserver: user name is empty");
  EXPECT_EQ(read(caller("bob"), "a"), "etcdserver: permission denied");
  EXPECT_EQ(read(caller("root"), from_key_on, from_key_on), "");
  Caller old = caller("root");
  --old.auth_revision;
  EXPECT_EQ(read(old, "a"), "etcdserver: revision of auth store is old");
  EXPECT_EQ(told(book_.administrator(old)), "");
  EXPECT_EQ(told(book_.administrator({})), "etcdserver: user name is empty");
  EXPECT_EQ(told(book_.administrator(caller("bob"))), "etcdserver: user name not found");
  EXPECT_EQ(told(book_.administrator(caller("ann"))), "etcdserver: permission denied");
}

TEST_F(AuthBookTest, tokens_end_with_the_password_the_user_and_the_switch) {
  EXPECT_EQ(apply({AssignToken{"ann", "p"}}), "etcdserver: authentication is not enabled");
  set_up();
  const auto assigned = [&](const std::string& user) {
    EXPECT_EQ(apply({AssignToken{user, "p"}}), "");
    EXPECT_EQ(token_, make_token("p", index_));
    return token_;
  };
  const auto known = [&](const std::string& token) {
    return book_.tokens().use(token, now_) != nullptr;
  };
  const std::string first = assigned("ann");
  const std::string roots = assigned("root");
  EXPECT_TRUE(known(first));
  apply({AuthUserChangePasswordRequest{.name = "ann", .hashed_password = "new"}});
  EXPECT_FALSE(known(first));
  EXPECT_TRUE(known(roots));
  const std::string second = assigned("ann");
  apply({AuthUserDeleteRequest{"ann"}});
  EXPECT_FALSE(known(second));
  EXPECT_EQ(apply({AssignToken{"ann", "p"}}),
            "etcdserver: authentication failed, invalid user ID or password");
  apply({AuthDisableRequest{}});
  EXPECT_FALSE(known(roots));
}

TEST_F(AuthBookTest, passwords_that_can_match) {
  EXPECT_EQ(book_.password_of("ann").error().message, "etcdserver: authentication is not enabled");
  set_up();
  EXPECT_EQ(book_.password_of("ann")->hash, "hash");
  EXPECT_EQ(book_.password_of("ann")->auth_revision, book_.revision());
  EXPECT_EQ(book_.password_of("bob").error().message,
            "etcdserver: authentication failed, invalid user ID or password");
  apply({AuthUserAddRequest{
      .name = "cert", .options = {.no_password = true}, .hashed_password = "x"}});
  EXPECT_EQ(book_.password_of("cert").error().message,
            "auth: authentication failed, password was given for no password user");
  EXPECT_EQ(apply({AssignToken{"cert", "p"}}),
            "etcdserver: authentication failed, invalid user ID or password");
}

TEST_F(AuthBookTest, what_is_stored_is_what_was) {
  set_up();
  grant("reader", PermissionType::read, "a", "c");
  add_user("gone");
  std::map<std::string, Bytes> facts;
  const auto store = [&] {
    for (auto& [name, value] : book_.take_changes()) {
      if (value) {
        facts[name] = *value;
      } else {
        facts.erase(name);
      }
    }
  };
  store();
  apply({AuthUserDeleteRequest{"gone"}});
  store();
  EXPECT_TRUE(book_.take_changes().empty());

  AuthBook again;
  for (const auto& [name, value] : facts) again.restore(name, value);
  EXPECT_TRUE(again.enabled());
  EXPECT_EQ(again.revision(), book_.revision());
  EXPECT_EQ(again.users(), (std::vector<std::string>{"ann", "root"}));
  EXPECT_EQ(again.roles(), std::vector<std::string>{"reader"});
  EXPECT_EQ(again.password_of("ann")->hash, "hash");
  EXPECT_FALSE(again.may_read(caller("ann"), "a", "c"));
  EXPECT_TRUE(again.may_write(caller("ann"), "a", "c"));
}

}  // namespace
}  // namespace tripod::etcd
