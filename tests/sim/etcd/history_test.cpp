// The checker must be able to say no: small histories that no order explains.
#include "tests/sim/etcd/history.h"

#include <gtest/gtest.h>

namespace tripod::etcd::robustness {
namespace {

KeyValue kv(Bytes key, Bytes value, Revision create, Revision mod, std::int64_t version) {
  return {.key = std::move(key),
          .create_revision = create,
          .mod_revision = mod,
          .version = version,
          .value = std::move(value)};
}

Event put(KeyValue now, std::optional<KeyValue> before = {}) {
  return {.type = EventType::put, .kv = std::move(now), .prev_kv = std::move(before)};
}

struct HistoryTest : testing::Test {
  HistoryTest() {
    EXPECT_TRUE(model.learn({put(one)}).empty());
    EXPECT_TRUE(model.learn({put(two, one)}).empty());
  }
  Operation answered(Operation operation, Revision revision) {
    operation.answered = true;
    operation.revision = revision;
    return operation;
  }
  Operation write(Bytes value, Revision revision) {
    return answered({.kind = Operation::Kind::put, .key = "a", .value = std::move(value)},
                    revision);
  }
  Operation read(KeyValue found, Revision revision) {
    Operation operation = answered({.kind = Operation::Kind::read, .key = "a"}, revision);
    operation.kvs = {std::move(found)};
    return operation;
  }
  std::vector<std::string> check(std::vector<Operation> one_after_the_other) {
    History history;
    for (Operation& operation : one_after_the_other) {
      history.end(history.begin(operation), operation);
    }
    return history.check(model);
  }

  KeyValue one = kv("a", "1", 2, 2, 1);
  KeyValue two = kv("a", "2", 2, 3, 2);
  Model model;
};

TEST_F(HistoryTest, accepts_what_one_order_explains) {
  EXPECT_TRUE(check({write("1", 2), read(one, 2), write("2", 3), read(two, 3)}).empty());
}

TEST_F(HistoryTest, refuses_a_read_of_the_past) {
  EXPECT_FALSE(check({write("1", 2), write("2", 3), read(one, 2)}).empty());
  Operation allowed = read(one, 2);
  allowed.serializable = true;
  EXPECT_TRUE(check({write("1", 2), write("2", 3), allowed}).empty());
}

TEST_F(HistoryTest, refuses_a_write_that_is_not_there) {
  EXPECT_FALSE(check({write("3", 3)}).empty());
  EXPECT_FALSE(check({write("2", 4)}).empty());
}

TEST_F(HistoryTest, refuses_a_state_that_never_was) {
  EXPECT_FALSE(check({read(one, 3)}).empty());
  EXPECT_FALSE(check({read(kv("a", "2", 2, 3, 1), 3)}).empty());
}

TEST_F(HistoryTest, refuses_writes_against_real_time) {
  EXPECT_FALSE(check({write("2", 3), write("1", 2)}).empty());
}

TEST_F(HistoryTest, refuses_a_swap_that_should_have_failed) {
  Operation swap =
      answered({.kind = Operation::Kind::swap, .key = "a", .value = "2", .expected = 1}, 3);
  swap.succeeded = true;
  EXPECT_FALSE(check({swap}).empty());
  swap.expected = 2;
  EXPECT_TRUE(check({swap}).empty());
}

TEST_F(HistoryTest, refuses_an_unanswered_write_before_its_time) {
  History history;
  Operation first = write("2", 3);
  history.end(history.begin(first), first);
  history.begin({.kind = Operation::Kind::put, .key = "a", .value = "1"});
  EXPECT_FALSE(history.check(model).empty());
}

TEST_F(HistoryTest, refuses_a_write_that_happened_twice) {
  EXPECT_TRUE(model.learn({put(kv("a", "2", 2, 4, 3), two)}).empty());
  EXPECT_FALSE(check({write("2", 3)}).empty());
}

TEST_F(HistoryTest, watches_must_agree) {
  EXPECT_FALSE(model.learn({put(kv("a", "other", 2, 3, 2), one)}).empty());
  EXPECT_EQ(model.known_until(), 3);
}

}  // namespace
}  // namespace tripod::etcd::robustness
