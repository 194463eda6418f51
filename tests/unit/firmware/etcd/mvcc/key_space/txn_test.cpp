#include "firmware/etcd/api/codec.h"
#include "firmware/etcd/mvcc/commands/checks.h"
#include "tests/unit/firmware/etcd/mvcc/fixture.h"

namespace tripod::etcd {
namespace {

class TxnTest : public StoreTest {
 protected:
  /// Whether a transaction with this one comparison succeeds.
  bool holds(Compare compare) {
    return must<TxnResponse>(TxnRequest{.compare = {std::move(compare)}}).succeeded;
  }
};

RequestOp put_op(Bytes key, Bytes value = "v") {
  return {PutRequest{.key = key, .value = value}};
}
RequestOp get_op(Bytes key, Revision revision = 0) {
  return {RangeRequest{.key = key, .revision = revision}};
}
RequestOp delete_op(Bytes key, Bytes end = {}) {
  return {DeleteRangeRequest{.key = key, .range_end = end}};
}
RequestOp txn_op(TxnRequest txn) {
  return {std::move(txn)};
}

TEST_F(TxnTest, every_target_and_result_compares) {
  put("a", "text");  // 2
  put("a", "text");  // 3, version 2
  must<LeaseGrantResponse>(LeaseGrantRequest{.ttl = 10, .id = 77});
  put("leased", "", 77);
  using R = CompareResult;
  using T = CompareTarget;
  EXPECT_TRUE(holds({R::equal, T::version, "a", 2, "", ""}));
  EXPECT_TRUE(holds({R::greater, T::version, "a", 1, "", ""}));
  EXPECT_FALSE(holds({R::less, T::version, "a", 2, "", ""}));
  EXPECT_TRUE(holds({R::equal, T::create, "a", 2, "", ""}));
  EXPECT_TRUE(holds({R::not_equal, T::mod, "a", 2, "", ""}));
  EXPECT_TRUE(holds({R::equal, T::value, "a", 0, "text", ""}));
  EXPECT_TRUE(holds({R::less, T::value, "a", 0, "u", ""}));
  EXPECT_TRUE(holds({R::equal, T::lease, "leased", 77, "", ""}));
  EXPECT_TRUE(holds({R::equal, T::lease, "a", 0, "", ""}));
}

TEST_F(TxnTest, an_operation_that_names_none_is_refused_as_in_etcd) {
  const auto request = decode<TxnRequest>(BytesView("\x12\x00", 2));
  ASSERT_TRUE(request);
  ASSERT_TRUE(request->success.at(0).missing);
  EXPECT_EQ(check(*request, 128)->text, outcome::key_not_found.text);
  EXPECT_FALSE(check(TxnRequest{.success = {get_op("a")}}, 128));
}

TEST_F(TxnTest, a_missing_key_compares_as_zero_but_never_by_value) {
  using R = CompareResult;
  using T = CompareTarget;
  EXPECT_TRUE(holds({R::equal, T::create, "missing", 0, "", ""}));
  EXPECT_TRUE(holds({R::equal, T::version, "missing", 0, "", ""}));
  EXPECT_FALSE(holds({R::equal, T::value, "missing", 0, "", ""}));
  EXPECT_FALSE(holds({R::not_equal, T::value, "missing", 0, "x", ""}));
}

TEST_F(TxnTest, a_range_must_hold_for_all_of_its_keys) {
  put("a1", "x");
  put("a2", "y");
  using R = CompareResult;
  EXPECT_TRUE(holds({R::greater, CompareTarget::create, "a", 0, "", "b"}));
  EXPECT_FALSE(holds({R::equal, CompareTarget::value, "a", 0, "x", "b"}));
}

TEST_F(TxnTest, one_transaction_is_one_revision_and_reads_its_own_writes) {
  put("a", "1");
  const TxnRequest txn{
      .compare = {},
      .success = {put_op("a", "2"), get_op("a"), put_op("b", "3"), get_op("b"), delete_op("c")},
      .failure = {}};
  auto response = must<TxnResponse>(txn);
  EXPECT_TRUE(response.succeeded);
  EXPECT_EQ(response.header.revision, 3);
  ASSERT_EQ(response.responses.size(), 5U);
  const auto& first = std::get<RangeResponse>(response.responses[1].response);
  EXPECT_EQ(first.kvs.at(0).value, "2");
  EXPECT_EQ(first.header.revision, 3);
  EXPECT_EQ(std::get<RangeResponse>(response.responses[3].response).kvs.at(0).mod_revision, 3);
  EXPECT_EQ(std::get<DeleteRangeResponse>(response.responses[4].response).deleted, 0);
  EXPECT_EQ(space().revision(), 3);
}

TEST_F(TxnTest, the_failure_branch_runs_when_a_comparison_does_not_hold) {
  put("a", "1");
  TxnRequest txn{.compare = {{CompareResult::equal, CompareTarget::mod, "a", 99, "", ""}},
                 .success = {put_op("a", "2")},
                 .failure = {get_op("a")}};
  auto response = must<TxnResponse>(txn);
  EXPECT_FALSE(response.succeeded);
  EXPECT_EQ(std::get<RangeResponse>(response.responses.at(0).response).kvs.at(0).value, "1");
  EXPECT_EQ(space().revision(), 2);
}

TEST_F(TxnTest, nested_branches_are_decided_before_anything_is_written) {
  // The inner comparison must not see the outer put.
  TxnRequest inner{.compare = {{CompareResult::equal, CompareTarget::version, "a", 0, "", ""}},
                   .success = {put_op("b", "fresh")},
                   .failure = {put_op("b", "stale")}};
  must<TxnResponse>(
      TxnRequest{.compare = {}, .success = {put_op("a"), txn_op(inner)}, .failure = {}});
  EXPECT_EQ(list("b"), "b=fresh #1");
}

TEST_F(TxnTest, a_refused_operation_leaves_nothing_behind) {
  put("a", "1");
  const TxnRequest bad_lease{.compare = {},
                             .success = {put_op("a", "2"), {PutRequest{.key = "b", .lease = 5}}},
                             .failure = {}};
  EXPECT_TRUE(outcome::lease_not_found.is(apply(bad_lease).error()));
  const TxnRequest future{
      .compare = {}, .success = {put_op("a", "2"), get_op("a", 9)}, .failure = {}};
  EXPECT_TRUE(outcome::future_revision.is(apply(future).error()));
  EXPECT_EQ(list("a"), "a=1 #1");
  EXPECT_EQ(space().revision(), 2);
}

TEST(Checks, keys_must_be_given_and_options_must_be_known) {
  EXPECT_EQ(check(RangeRequest{})->text, outcome::empty_key.text);
  EXPECT_EQ(check(RangeRequest{.key = "a", .sort_order = SortOrder{7}})->text,
            outcome::invalid_sort_option.text);
  EXPECT_EQ(check(PutRequest{.key = "a", .value = "v", .ignore_value = true})->text,
            outcome::value_provided.text);
  EXPECT_EQ(check(PutRequest{.key = "a", .lease = 1, .ignore_lease = true})->text,
            outcome::lease_provided.text);
  EXPECT_EQ(check(DeleteRangeRequest{})->text, outcome::empty_key.text);
  EXPECT_FALSE(check(PutRequest{.key = "a"}));
}

bool duplicate(std::vector<RequestOp> operations) {
  auto refused =
      check(TxnRequest{.compare = {}, .success = std::move(operations), .failure = {}}, 128);
  return refused && refused->text == outcome::duplicate_key.text;
}

TEST(Checks, a_key_is_touched_once_on_every_path) {
  EXPECT_TRUE(duplicate({put_op("a"), put_op("a")}));
  EXPECT_FALSE(duplicate({put_op("a"), put_op("b")}));
  EXPECT_TRUE(duplicate({put_op("b"), delete_op("a", "c")}));
  EXPECT_FALSE(duplicate({put_op("c"), delete_op("a", "c")}));
  EXPECT_TRUE(duplicate({put_op("z"), delete_op("a", Bytes("\0", 1))}));
  EXPECT_FALSE(duplicate({delete_op("a", "c"), delete_op("b", "d")}));
  const TxnRequest either{.compare = {}, .success = {put_op("a")}, .failure = {put_op("a")}};
  EXPECT_FALSE(duplicate({txn_op(either)}));
  EXPECT_TRUE(duplicate({txn_op(either), put_op("a")}));
  EXPECT_TRUE(duplicate({txn_op(either), txn_op(either)}));
  EXPECT_TRUE(duplicate({delete_op("a"), txn_op(either)}));
  const TxnRequest wipes{
      .compare = {}, .success = {delete_op("a", "c")}, .failure = {delete_op("b", "e")}};
  EXPECT_TRUE(duplicate({txn_op(wipes), put_op("d")}));
  EXPECT_FALSE(duplicate({txn_op(wipes), put_op("e")}));
}

TEST(Checks, operations_are_counted_per_list_and_depth) {
  const auto many = [](std::size_t count) {
    std::vector<RequestOp> operations;
    for (std::size_t i = 0; i < count; ++i) operations.push_back(put_op(std::format("k{}", i)));
    return operations;
  };
  EXPECT_FALSE(check(TxnRequest{.compare = {}, .success = many(128), .failure = many(128)}, 128));
  EXPECT_EQ(check(TxnRequest{.compare = {}, .success = many(129), .failure = {}}, 128)->text,
            outcome::too_many_ops.text);
  const TxnRequest inner{.compare = {}, .success = many(127), .failure = {}};
  EXPECT_FALSE(check(TxnRequest{.compare = {}, .success = {txn_op(inner)}, .failure = {}}, 128));
  EXPECT_TRUE(
      check(TxnRequest{.compare = {}, .success = {txn_op(inner)}, .failure = many(2)}, 128));
}

TEST(Checks, read_only_and_serializable_are_recognised) {
  EXPECT_TRUE(is_read_only({.compare = {}, .success = {get_op("a")}, .failure = {}}));
  EXPECT_FALSE(is_read_only({.compare = {}, .success = {get_op("a")}, .failure = {put_op("a")}}));
  EXPECT_FALSE(is_serializable({.compare = {}, .success = {get_op("a")}, .failure = {}}));
}

}  // namespace
}  // namespace tripod::etcd
