#include "tests/unit/firmware/etcd/mvcc/fixture.h"

namespace tripod::etcd {
namespace {

class AlarmTest : public StoreTest {
 protected:
  std::vector<AlarmMember> change(AlarmAction action, MemberId member, AlarmType type) {
    return must<AlarmResponse>(AlarmRequest{.action = action, .member_id = member, .alarm = type})
        .alarms;
  }
  std::string refusal(CommandRequest request) {
    auto reply = apply(std::move(request));
    return reply ? "" : reply.error().message;
  }
  static TxnRequest txn_of(RequestOp operation) {
    TxnRequest txn;
    txn.success.push_back(std::move(operation));
    return txn;
  }
};

constexpr std::string_view no_space_text = "etcdserver: mvcc: database space exceeded";
constexpr std::string_view corrupt_text = "etcdserver: corrupt cluster";

TEST_F(AlarmTest, are_raised_once_listed_by_type_and_taken_back) {
  EXPECT_EQ(change(AlarmAction::activate, 7, AlarmType::no_space).size(), 1U);
  EXPECT_EQ(change(AlarmAction::activate, 7, AlarmType::no_space).size(), 1U);
  EXPECT_EQ(change(AlarmAction::activate, 5, AlarmType::corrupt).size(), 1U);
  EXPECT_EQ(change(AlarmAction::get, 0, AlarmType::none).size(), 2U);
  const auto corrupt = change(AlarmAction::get, 0, AlarmType::corrupt);
  ASSERT_EQ(corrupt.size(), 1U);
  EXPECT_EQ(corrupt[0].member_id, 5U);
  EXPECT_TRUE(change(AlarmAction::deactivate, 6, AlarmType::no_space).empty());
  EXPECT_EQ(change(AlarmAction::deactivate, 7, AlarmType::no_space).size(), 1U);
  EXPECT_FALSE(store_->alarms().active(AlarmType::no_space));
}

TEST_F(AlarmTest, without_a_type_nothing_is_raised) {
  EXPECT_TRUE(change(AlarmAction::activate, 7, AlarmType::none).empty());
  EXPECT_TRUE(store_->alarms().list().empty());
}

TEST_F(AlarmTest, survive_a_restart) {
  change(AlarmAction::activate, 0xFFFF'FFFF'FFFF'FFFE, AlarmType::corrupt);
  change(AlarmAction::activate, 1, AlarmType::no_space);
  change(AlarmAction::deactivate, 1, AlarmType::no_space);
  reopen();
  const auto alarms = store_->alarms().list();
  ASSERT_EQ(alarms.size(), 1U);
  EXPECT_EQ(alarms[0].member_id, 0xFFFF'FFFF'FFFF'FFFEU);
  EXPECT_EQ(alarms[0].alarm, AlarmType::corrupt);
  EXPECT_EQ(refusal(PutRequest{.key = "a"}), corrupt_text);
}

TEST_F(AlarmTest, no_space_refuses_what_makes_the_state_larger) {
  put("a", "1");
  change(AlarmAction::activate, 1, AlarmType::no_space);
  const Revision before = space().revision();
  EXPECT_EQ(refusal(PutRequest{.key = "a", .value = "2"}), no_space_text);
  EXPECT_EQ(refusal(LeaseGrantRequest{.ttl = 10, .id = 3}), no_space_text);
  EXPECT_EQ(refusal(txn_of({PutRequest{.key = "b"}})), no_space_text);
  EXPECT_EQ(refusal(txn_of({txn_of({PutRequest{.key = "b"}})})), no_space_text);
  EXPECT_EQ(space().revision(), before);
  EXPECT_EQ(refusal(txn_of({DeleteRangeRequest{.key = "a"}})), "");
  EXPECT_EQ(refusal(DeleteRangeRequest{.key = "a"}), "");
  EXPECT_EQ(refusal(CompactionRequest{.revision = before}), "");
  change(AlarmAction::deactivate, 1, AlarmType::no_space);
  EXPECT_EQ(refusal(PutRequest{.key = "a", .value = "2"}), "");
}

TEST_F(AlarmTest, corrupt_refuses_every_change) {
  put("a", "1");
  change(AlarmAction::activate, 1, AlarmType::corrupt);
  EXPECT_EQ(refusal(PutRequest{.key = "a", .value = "2"}), corrupt_text);
  EXPECT_EQ(refusal(DeleteRangeRequest{.key = "a"}), corrupt_text);
  EXPECT_EQ(refusal(txn_of({RangeRequest{.key = "a"}})), corrupt_text);
  EXPECT_EQ(refusal(CompactionRequest{.revision = 2}), corrupt_text);
  EXPECT_EQ(refusal(LeaseRevokeRequest{.id = 1}), corrupt_text);
  EXPECT_EQ(list("a"), "a=1 #1");
  EXPECT_EQ(refusal(MemberAttributes{.id = 1, .name = "one", .client_urls = {}}), "");
}

TEST_F(AlarmTest, growth_is_told_of_once) {
  EXPECT_FALSE(store_->take_growth());
  put("a", "1");
  EXPECT_TRUE(store_->take_growth());
  EXPECT_FALSE(store_->take_growth());
  erase("a");
  EXPECT_FALSE(store_->take_growth());
}

TEST(QuotaCost, is_what_etcd_reckons) {
  EXPECT_EQ(quota_cost(PutRequest{.key = "ab", .value = "cde"}), 261U);
  TxnRequest txn;
  txn.success.push_back({PutRequest{.key = "ab", .value = "cde"}});
  txn.failure.push_back({PutRequest{.key = "ab", .value = "cdef"}});
  txn.failure.push_back({DeleteRangeRequest{.key = "x"}});
  EXPECT_EQ(quota_cost(txn), 262U);
  EXPECT_EQ(quota_cost(CommandRequest(LeaseGrantRequest{})), 64U);
  EXPECT_EQ(quota_cost(CommandRequest(DeleteRangeRequest{.key = "a"})), 0U);
}

}  // namespace
}  // namespace tripod::etcd
