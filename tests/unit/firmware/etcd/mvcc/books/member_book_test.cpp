#include "firmware/etcd/mvcc/books/member_book.h"

#include "tests/unit/firmware/etcd/mvcc/fixture.h"

namespace tripod::etcd {
namespace {

class MemberBookTest : public StoreTest {
 protected:
  static MemberInfo info(MemberId id, std::string name, bool learner = false) {
    return {.id = id,
            .name = std::move(name),
            .peer_urls = {std::format("https://10.0.0.{}:2380", id)},
            .client_urls = {},
            .is_learner = learner};
  }
  static MemberChange change(MemberChange::Kind kind, MemberInfo member) {
    return {.id = {}, .kind = kind, .member = std::move(member)};
  }
  std::string refusal(MemberChange::Kind kind, MemberInfo member) {
    const auto refused = book().refuses(change(kind, std::move(member)), 1);
    return std::string(refused ? refused->text : "");
  }
  void apply_change(MemberChange::Kind kind, MemberInfo member) {
    store_->apply(++index_, 1, change(kind, std::move(member)));
  }
  MemberBook& book() { return store_->members(); }
  void begin_with_three() {
    book().begin({info(1, "one"), info(2, "two"), info(3, "three")}, {}, 0, store_->db());
  }
};

using Kind = MemberChange::Kind;

TEST_F(MemberBookTest, changes_are_kept_over_a_restart) {
  begin_with_three();
  apply_change(Kind::add, info(4, "", true));
  apply_change(Kind::remove, {.id = 1});
  apply_change(Kind::promote, {.id = 4});
  apply_change(Kind::update, {.id = 2, .peer_urls = {"https://10.0.9.2:2380"}});
  apply(MemberAttributes{.id = 4, .name = "four", .client_urls = {"https://10.0.0.4:2379"}});
  apply(MemberAttributes{.id = 1, .name = "ghost", .client_urls = {}});
  const std::uint64_t last_change = index_ - 2;
  reopen();
  EXPECT_EQ(book().index(), last_change);
  EXPECT_EQ(book().voters(), (std::vector<MemberId>{2, 3, 4}));
  EXPECT_EQ(book().find(1), nullptr);
  EXPECT_TRUE(book().removed(1));
  EXPECT_EQ(book().find(2)->peer_urls, std::vector<std::string>{"https://10.0.9.2:2380"});
  EXPECT_EQ(book().find(4)->name, "four");
  EXPECT_EQ(book().find(4)->client_urls.size(), 1U);
}

TEST_F(MemberBookTest, what_the_list_holds_already_is_not_applied_again) {
  book().begin({info(1, "one"), info(2, "two")}, {3}, 10, store_->db());
  store_->members().apply(change(Kind::add, info(3, "")), 7, store_->db());
  EXPECT_EQ(book().find(3), nullptr);
  EXPECT_EQ(book().index(), 10U);
}

TEST_F(MemberBookTest, refusals_are_those_of_etcd) {
  begin_with_three();
  EXPECT_EQ(refusal(Kind::add, info(4, "")), "");
  EXPECT_EQ(refusal(Kind::add, info(3, "")), "etcdserver: member ID already exist");
  MemberInfo same_place = info(3, "");
  same_place.id = 9;
  EXPECT_EQ(refusal(Kind::add, same_place), "etcdserver: Peer URLs already exists");
  EXPECT_EQ(refusal(Kind::remove, {.id = 9}), "etcdserver: member not found");
  EXPECT_EQ(refusal(Kind::promote, {.id = 1}), "etcdserver: can only promote a learner member");
  EXPECT_EQ(refusal(Kind::update, {.id = 1, .peer_urls = info(2, "").peer_urls}),
            "etcdserver: Peer URLs already exists");
  EXPECT_EQ(refusal(Kind::update, {.id = 1, .peer_urls = info(1, "").peer_urls}), "");
  apply_change(Kind::add, info(4, "", true));
  EXPECT_EQ(refusal(Kind::add, info(5, "", true)),
            "etcdserver: too many learner members in cluster");
  apply_change(Kind::remove, {.id = 4});
  EXPECT_EQ(refusal(Kind::add, info(4, "")), "etcdserver: member not found");
}

TEST_F(MemberBookTest, a_majority_of_started_voters_must_be_left) {
  book().begin({info(1, "one")}, {}, 0, store_->db());
  EXPECT_FALSE(book().ready_to_remove_voter(1));
  EXPECT_TRUE(book().ready_to_add_voter());  // the second of one
  apply_change(Kind::add, info(2, ""));
  EXPECT_FALSE(book().ready_to_add_voter());  // two of three would not have started
  EXPECT_FALSE(book().ready_to_remove_voter(1));
  EXPECT_TRUE(book().ready_to_remove_voter(2));
  apply(MemberAttributes{.id = 2, .name = "two", .client_urls = {}});
  EXPECT_TRUE(book().ready_to_add_voter());
  EXPECT_TRUE(book().ready_to_promote());
}

TEST_F(MemberBookTest, one_goes_on_alone) {
  begin_with_three();
  book().keep_only(info(2, "two"), 40, store_->db());
  reopen();
  EXPECT_EQ(book().voters(), std::vector<MemberId>{2});
  EXPECT_TRUE(book().removed(1) && book().removed(3) && !book().removed(2));
  EXPECT_EQ(book().index(), 40U);
}

TEST_F(MemberBookTest, descriptions_and_changes_travel) {
  const ClusterDescription sent{
      .cluster = 5, .index = 7, .members = {info(1, "one"), info(2, "", true)}, .removed = {3}};
  auto received = decode_description(encode(sent));
  ASSERT_TRUE(received);
  EXPECT_EQ(received->cluster, 5U);
  EXPECT_EQ(received->index, 7U);
  ASSERT_EQ(received->members.size(), 2U);
  EXPECT_TRUE(received->members[1].is_learner);
  EXPECT_EQ(received->removed, std::vector<MemberId>{3});
  EXPECT_FALSE(decode_description("nonsense"));
  EXPECT_FALSE(decode_description(encode(ClusterDescription{.cluster = 5})));

  MemberChange change{.id = {1, 2, 3}, .kind = Kind::add, .member = info(4, "four", true)};
  auto decoded = decode_member_change(encode(change));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->id, change.id);
  EXPECT_EQ(decoded->member.peer_urls, change.member.peer_urls);
  EXPECT_FALSE(decode_member_change(encode(MemberChange{.kind = Kind::remove})));
}

}  // namespace
}  // namespace tripod::etcd
