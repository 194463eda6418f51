#include "firmware/etcd/mvcc/books/lease_book.h"
#include "tests/unit/firmware/etcd/mvcc/fixture.h"

namespace tripod::etcd {
namespace {

using std::chrono::seconds;
constexpr MonotonicTime start{};

TEST(LeaseBook, only_the_primary_lets_leases_run_out) {
  LeaseBook book;
  book.grant(1, 10, start);
  std::vector<LeaseId> expired;
  book.expire(start + seconds(100), expired);
  EXPECT_TRUE(expired.empty());
  book.promote(start + seconds(100), seconds(1));
  book.expire(start + seconds(110), expired);
  EXPECT_TRUE(expired.empty());
  book.expire(start + seconds(111), expired);
  EXPECT_EQ(expired, std::vector<LeaseId>{1});
}

TEST(LeaseBook, a_renewal_gives_the_whole_time_again) {
  LeaseBook book;
  book.promote(start, {});
  book.grant(1, 10, start);
  EXPECT_TRUE(book.renew(1, start + seconds(9)));
  EXPECT_EQ(book.remaining(1, start + seconds(10)), seconds(9));
  std::vector<LeaseId> expired;
  book.expire(start + seconds(18), expired);
  EXPECT_TRUE(expired.empty());
  EXPECT_FALSE(book.renew(1, start + seconds(19)));
  EXPECT_FALSE(book.renew(2, start));
}

TEST(LeaseBook, an_expired_lease_is_named_again_only_after_a_while) {
  LeaseBook book;
  book.promote(start, {});
  book.grant(1, 2, start);
  book.grant(2, 1, start);
  std::vector<LeaseId> expired;
  book.expire(start + seconds(2), expired);
  EXPECT_EQ(expired, (std::vector<LeaseId>{2, 1}));
  expired.clear();
  book.expire(start + seconds(4), expired);
  EXPECT_TRUE(expired.empty());
  book.expire(start + seconds(5), expired);
  EXPECT_EQ(expired.size(), 2U);
  book.revoke(1);
  book.revoke(2);
  EXPECT_FALSE(book.next_expiry());
}

TEST(LeaseBook, a_call_names_a_bounded_number) {
  LeaseBook book;
  book.promote(start, {});
  for (LeaseId id = 1; id <= 1200; ++id) book.grant(id, 1, start);
  std::vector<LeaseId> expired;
  book.expire(start + seconds(1), expired);
  EXPECT_EQ(expired.size(), LeaseBook::expiries_per_call_max);
}

TEST(LeaseBook, what_ran_out_unheard_is_spared_once_unless_it_was_named) {
  const auto at = [](int seconds) { return MonotonicTime(std::chrono::seconds(seconds)); };
  LeaseBook book;
  book.promote(at(0), {});
  book.grant(1, 5, at(0));
  book.grant(2, 8, at(0));
  book.grant(3, 60, at(0));
  std::vector<LeaseId> expired;
  book.expire(at(6), expired);
  EXPECT_EQ(expired, std::vector<LeaseId>{1});
  book.spare(at(10), at(11));
  EXPECT_FALSE(book.renew(1, at(10))) << "its end is proposed already";
  EXPECT_EQ(book.remaining(2, at(10)), std::chrono::seconds(1));
  EXPECT_EQ(book.remaining(3, at(10)), std::chrono::seconds(50));
  expired.clear();
  book.expire(at(11), expired);
  EXPECT_EQ(expired, (std::vector<LeaseId>{1, 2}));
}

class LeaseTest : public StoreTest {};

TEST_F(LeaseTest, granting_keeps_a_minimum_and_refuses_doubles) {
  EXPECT_EQ(must<LeaseGrantResponse>(LeaseGrantRequest{.ttl = 1, .id = 5}).ttl, 2);
  EXPECT_TRUE(outcome::lease_exists.is(apply(LeaseGrantRequest{.ttl = 1, .id = 5}).error()));
  EXPECT_TRUE(outcome::lease_ttl_too_large.is(
      apply(LeaseGrantRequest{.ttl = LeaseBook::ttl_max_seconds + 1, .id = 6}).error()));
  EXPECT_TRUE(outcome::lease_not_found.is(apply(LeaseRevokeRequest{.id = 9}).error()));
  EXPECT_TRUE(outcome::lease_not_found.is(apply(PutRequest{.key = "a", .lease = 9}).error()));
}

TEST_F(LeaseTest, revoking_deletes_the_keys_that_hang_on_it_in_one_revision) {
  must<LeaseGrantResponse>(LeaseGrantRequest{.ttl = 10, .id = 5});
  must<LeaseGrantResponse>(LeaseGrantRequest{.ttl = 10, .id = 6});
  put("b", "1", 5);
  put("a", "1", 5);
  put("moved", "1", 5);
  put("moved", "2", 6);
  put("freed", "1", 5);
  put("freed", "2");
  put("gone", "1", 5);
  erase("gone");
  const Revision before = space().revision();
  EXPECT_EQ(must<LeaseRevokeResponse>(LeaseRevokeRequest{.id = 5}).header.revision, before + 1);
  EXPECT_EQ(list("a", everything), "freed=2 moved=2 #2");
  EXPECT_EQ(store_->leases().find(6)->keys.size(), 1U);
}

TEST_F(LeaseTest, ignore_lease_keeps_the_key_where_it_hangs) {
  must<LeaseGrantResponse>(LeaseGrantRequest{.ttl = 10, .id = 5});
  put("a", "1", 5);
  must<PutResponse>(PutRequest{.key = "a", .value = "2", .ignore_lease = true});
  EXPECT_EQ(space().range({.key = "a"})->kvs.at(0).lease, 5);
  must<LeaseRevokeResponse>(LeaseRevokeRequest{.id = 5});
  EXPECT_EQ(list("a"), " #0");
}

TEST_F(LeaseTest, an_expiry_counts_only_in_the_term_it_was_declared_in) {
  must<LeaseGrantResponse>(LeaseGrantRequest{.ttl = 10, .id = 5});
  put("a", "1", 5);
  EXPECT_FALSE(apply(LeaseExpiry{.id = 5, .term = 3}, {}, 4));  // a later leader's to decide
  EXPECT_TRUE(store_->leases().find(5)->keys.contains("a"));
  EXPECT_TRUE(apply(LeaseExpiry{.id = 5, .term = 4}, {}, 4));
  EXPECT_EQ(store_->leases().find(5), nullptr);
  EXPECT_EQ(list("a"), " #0");
}

TEST_F(LeaseTest, leases_and_their_keys_survive_a_restart) {
  must<LeaseGrantResponse>(LeaseGrantRequest{.ttl = 10, .id = 5});
  must<LeaseGrantResponse>(LeaseGrantRequest{.ttl = 20, .id = 6});
  put("a", "1", 5);
  must<LeaseRevokeResponse>(LeaseRevokeRequest{.id = 6});
  reopen();
  ASSERT_EQ(store_->leases().size(), 1U);
  EXPECT_EQ(store_->leases().find(5)->ttl_seconds, 10);
  EXPECT_TRUE(store_->leases().find(5)->keys.contains("a"));
}

}  // namespace
}  // namespace tripod::etcd
