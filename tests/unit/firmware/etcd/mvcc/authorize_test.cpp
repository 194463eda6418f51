#include "firmware/etcd/mvcc/authorize.h"

#include "tests/unit/firmware/etcd/mvcc/fixture.h"

namespace tripod::etcd {
namespace {

/// Users root and ann; ann may read and write a, read r and write w.
class AuthorizeTest : public StoreTest {
 protected:
  AuthorizeTest() {
    change({AuthUserAddRequest{.name = "root"}});
    change({AuthUserGrantRoleRequest{"root", "root"}});
    change({AuthUserAddRequest{.name = "ann"}});
    change({AuthRoleAddRequest{"some"}});
    permit(PermissionType::read_write, "a");
    permit(PermissionType::read, "r");
    permit(PermissionType::write, "w");
    change({AuthUserGrantRoleRequest{"ann", "some"}});
    change({AuthEnableRequest{}});
  }
  void change(AuthCommand command) { must<AuthenticateResponse>(std::move(command)); }
  void permit(PermissionType type, Bytes key) {
    change({AuthRoleGrantPermissionRequest{"some", Permission{type, std::move(key), {}}}});
  }
  /// "" or why not.
  std::string as(OnBehalfOf caller, CommandRequest request) {
    Bytes data;
    append_command(data, {1, 1, ++sequence_}, request, caller);
    std::string told = "not applied";
    store_->apply(++index_, 1, data, {}, [&](CommandId, const CommandReply& reply) {
      told = reply ? "" : reply.error().message;
    });
    return told;
  }
  std::string as_ann(CommandRequest request) {
    return as(Caller{"ann", store_->auth().revision()}, std::move(request));
  }

  static constexpr const char* denied = "etcdserver: permission denied";
};

TEST_F(AuthorizeTest, a_command_is_checked_when_it_is_applied) {
  EXPECT_EQ(as_ann(PutRequest{.key = "a", .value = "1"}), "");
  EXPECT_EQ(as_ann(PutRequest{.key = "r", .value = "1"}), denied);
  EXPECT_EQ(as(Caller{}, PutRequest{.key = "a", .value = "2"}), "etcdserver: user name is empty");
  EXPECT_EQ(as(Caller{"ann", 1}, PutRequest{.key = "a", .value = "2"}),
            "etcdserver: revision of auth store is old");
  EXPECT_EQ(as({}, PutRequest{.key = "anything", .value = "board"}), "");
  EXPECT_EQ(list("a"), "a=1 #1");
  EXPECT_EQ(list("r"), " #0");
}

TEST_F(AuthorizeTest, to_see_the_former_value_is_to_read) {
  EXPECT_EQ(as_ann(PutRequest{.key = "w", .value = "1"}), "");
  EXPECT_EQ(as_ann(PutRequest{.key = "w", .value = "2", .prev_kv = true}), denied);
  EXPECT_EQ(as_ann(DeleteRangeRequest{.key = "w", .prev_kv = true}), denied);
  EXPECT_EQ(as_ann(DeleteRangeRequest{.key = "w"}), "");
  EXPECT_EQ(as_ann(DeleteRangeRequest{.key = "a", .range_end = "b"}), denied);
}

TEST_F(AuthorizeTest, each_operation_of_both_branches_counts_at_any_depth) {
  const RequestOp get_r{RangeRequest{.key = "r"}};
  const RequestOp get_w{RangeRequest{.key = "w"}};
  const RequestOp put_a{PutRequest{.key = "a"}};
  EXPECT_EQ(as_ann(TxnRequest{.success = {get_r, put_a}}), "");
  EXPECT_EQ(as_ann(TxnRequest{.success = {put_a}, .failure = {get_w}}), denied);
  EXPECT_EQ(as_ann(TxnRequest{.compare = {Compare{.key = "w"}}, .success = {put_a}}), denied);
  const RequestOp nested{TxnRequest{.failure = {get_w}}};
  EXPECT_EQ(as_ann(TxnRequest{.success = {put_a, nested}}), denied);
  EXPECT_EQ(as_ann(TxnRequest{.success = {RequestOp{DeleteRangeRequest{.key = "r"}}}}), denied);
}

TEST_F(AuthorizeTest, a_lease_belongs_to_who_may_write_its_keys) {
  EXPECT_EQ(as_ann(LeaseGrantRequest{.ttl = 60, .id = 7}), "");
  EXPECT_EQ(as_ann(PutRequest{.key = "a", .lease = 7}), "");
  EXPECT_EQ(as({}, PutRequest{.key = "secret", .lease = 7}), "");
  EXPECT_EQ(as_ann(PutRequest{.key = "w", .lease = 7}), denied);
  EXPECT_EQ(as_ann(LeaseRevokeRequest{.id = 7}), denied);
  const Caller ann{"ann", store_->auth().revision()};
  EXPECT_TRUE(may_read_lease(store_->auth(), store_->leases(), ann, 7));
  EXPECT_FALSE(may_read_lease(store_->auth(), store_->leases(), ann, 8));
  EXPECT_EQ(as(Caller{"root", store_->auth().revision()}, LeaseRevokeRequest{.id = 7}), "");
}

TEST_F(AuthorizeTest, users_and_compactions_are_roots) {
  EXPECT_EQ(as_ann(AuthCommand{AuthRoleAddRequest{"x"}}), denied);
  EXPECT_EQ(as_ann(CompactionRequest{.revision = 1}), denied);
  EXPECT_EQ(as(Caller{}, AuthCommand{AuthDisableRequest{}}), "etcdserver: user name is empty");
  EXPECT_EQ(as(Caller{"root", 1}, AuthCommand{AuthRoleAddRequest{"x"}}), "");
}

TEST_F(AuthorizeTest, a_restart_finds_users_roles_and_the_switch) {
  change({AuthUserAddRequest{.name = "gone"}});
  store_->commit();
  change({AuthUserDeleteRequest{"gone"}});
  const std::uint64_t revision = store_->auth().revision();
  reopen();
  EXPECT_TRUE(store_->auth().enabled());
  EXPECT_EQ(store_->auth().revision(), revision);
  EXPECT_EQ(store_->auth().users(), (std::vector<std::string>{"ann", "root"}));
  EXPECT_EQ(as_ann(PutRequest{.key = "a"}), "");
  EXPECT_EQ(as_ann(PutRequest{.key = "b"}), denied);
}

TEST(Command, keeps_its_caller) {
  Bytes data;
  append_command(data, {1, 2, 3}, PutRequest{.key = "k"});
  append_command(data, {1, 2, 4}, PutRequest{.key = "k"}, Caller{"ann", 300});
  append_command(data, {1, 2, 5}, AuthCommand{AuthRoleAddRequest{"x"}}, Caller{});
  auto commands = decode_commands(data);
  ASSERT_TRUE(commands);
  ASSERT_EQ(commands->size(), 3U);
  EXPECT_FALSE((*commands)[0].caller);
  EXPECT_EQ((*commands)[1].caller->user, "ann");
  EXPECT_EQ((*commands)[1].caller->auth_revision, 300U);
  EXPECT_EQ(std::get<PutRequest>((*commands)[1].request).key, "k");
  EXPECT_TRUE((*commands)[2].caller);
  EXPECT_EQ((*commands)[2].caller->user, "");
  for (std::size_t size = 1; size < data.size(); ++size) {
    decode_commands(BytesView(data).substr(0, size));  // cut anywhere, it ends well
  }
}

}  // namespace
}  // namespace tripod::etcd
