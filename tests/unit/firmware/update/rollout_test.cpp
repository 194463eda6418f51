#include "firmware/update/rollout.h"

#include <gtest/gtest.h>

#include "tests/unit/firmware/update/fake_board.h"

namespace tripod::update {
namespace {

using namespace std::chrono_literals;

TEST(NextBoard, is_the_leader_only_when_no_other_is_left) {
  EXPECT_EQ(next_board({{false, true}, {false, false}, {false, false}}), 1u);
  EXPECT_EQ(next_board({{false, true}, {true, false}, {false, false}}), 2u);
  EXPECT_EQ(next_board({{false, true}, {true, false}, {true, false}}), 0u);
  EXPECT_EQ(next_board({{true, false}, {true, true}}), std::nullopt);
  EXPECT_EQ(next_board({}), std::nullopt);
}

class RolloutTest : public testing::Test {
 protected:
  RolloutTest() : scope(loop) {
    test::CountingEntropy entropy;
    keys = *pki::make_signing_keys(entropy);
    file = update_file(manifest_of(image()), keys.private_pem, image());
    for (int number = 1; number <= 3; ++number) {
      auto& board =
          boards.emplace_back(std::make_unique<FakeBoard>(loop, std::format("board-{}", number)));
      board->slots.key = keys.public_pem;
      board->slots.tried = [this, at = boards.size() - 1] { restart(at); };
    }
    boards[0]->leads = true;
  }
  ~RolloutTest() override {
    for (auto& board : boards) {
      for (auto* transport : {&board->admin, &board->user, &board->nobody}) {
        scope.spawn(transport->drain());
      }
    }
    loop.run_for(1s);
    EXPECT_TRUE(scope.idle());
  }

  /// Takes 40 s; leadership goes to the next board when the leader restarts.
  void restart(std::size_t at) {
    order.push_back(boards[at]->test_world.board.hostname());
    boards[at]->ready = false;
    if (boards[at]->leads) {
      boards[at]->leads = false;
      boards[(at + 1) % boards.size()]->leads = true;
    }
    restarts.push_back(loop.call_at(loop.now() + 40s, [this, at] {
      boards[at]->slots.wake_up(at != unhealthy);
      boards[at]->ready = true;
    }));
  }

  Result<> run() {
    RolloutOptions options{.boards = {}, .file = file, .say = [this](std::string_view line) {
                             said += std::string(line) + "\n";
                           }};
    for (auto& board : boards) {
      options.boards.push_back({board->test_world.board.hostname(), &board->admin});
    }
    Rollout rollout(std::move(options), loop);
    std::optional<Result<>> result;
    scope.spawn(run_and_keep(&rollout, &result));
    loop.run_until([&] { return result.has_value(); }, 2h);
    return result ? *result : fail(ErrorCode::timeout, "the rollout does not end");
  }
  /// Asked by one whom board-2 does not know.
  std::vector<Result<BoardStatus>> statuses() {
    RolloutOptions options;
    for (auto& board : boards) {
      options.boards.push_back({board->test_world.board.hostname(), &board->admin});
    }
    options.boards[1].transport = &boards[1]->nobody;
    Rollout rollout(std::move(options), loop);
    std::optional<std::vector<Result<BoardStatus>>> result;
    scope.spawn(keep_statuses(&rollout, &result));
    loop.run_until([&] { return result.has_value(); }, 2min);
    return std::move(result).value_or(std::vector<Result<BoardStatus>>());
  }
  static Task<void> keep_statuses(Rollout* rollout,
                                  std::optional<std::vector<Result<BoardStatus>>>* out) {
    out->emplace(co_await rollout->statuses());
  }
  static Task<void> run_and_keep(Rollout* rollout, std::optional<Result<>>* out) {
    out->emplace(co_await rollout->run());
  }

  test::VirtualLoop loop;
  std::vector<std::unique_ptr<FakeBoard>> boards;
  std::vector<std::unique_ptr<os::Operation>> restarts;
  Scope scope;
  pki::SigningKeys keys;
  Bytes file;
  std::string said;
  std::vector<std::string> order;
  std::size_t unhealthy = 99;
};

TEST_F(RolloutTest, updates_all_boards_the_leader_last) {
  auto done = run();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(order, (std::vector<std::string>{"board-2", "board-3", "board-1"}));
  for (auto& board : boards) {
    EXPECT_EQ(board->slots.version, "0.2.0");
    EXPECT_EQ(board->slots.written, image());
  }
  EXPECT_NE(said.find("all 3 boards run tripod 0.2.0"), std::string::npos) << said;
}

TEST_F(RolloutTest, shows_boards_beside_one_that_does_not_say) {
  const auto found = statuses();
  ASSERT_EQ(found.size(), 3U);
  ASSERT_TRUE(found[0] && found[2]);
  EXPECT_TRUE(found[0]->leader);
  EXPECT_EQ(found[2]->name, "board-3");
  EXPECT_FALSE(found[1]);
}

TEST_F(RolloutTest, stops_at_the_first_that_falls_back) {
  unhealthy = 1;
  auto done = run();
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("board-2 went back to what it had: it was not healthy"),
            std::string::npos)
      << done.error().message;
  EXPECT_EQ(order, std::vector<std::string>{"board-2"});
  EXPECT_EQ(boards[2]->slots.begun, 0);
}

TEST_F(RolloutTest, goes_on_where_it_had_ended) {
  unhealthy = 2;
  ASSERT_FALSE(run());
  EXPECT_EQ(order, (std::vector<std::string>{"board-2", "board-3"}));
  unhealthy = 99;
  order.clear();
  auto done = run();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(order, (std::vector<std::string>{"board-3", "board-1"}));
}

TEST_F(RolloutTest, sends_nothing_where_it_runs_already_but_looks_at_the_file) {
  ASSERT_TRUE(run());
  said.clear();
  order.clear();
  ASSERT_TRUE(run());
  EXPECT_EQ(order, std::vector<std::string>());
  EXPECT_NE(said.find("nothing was sent: all 3 boards run tripod 0.2.0"), std::string::npos)
      << said;
  boards[1]->slots.key = "";
  auto done = run();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "board-2: no key");
}

TEST_F(RolloutTest, asks_all_boards_before_it_touches_one) {
  boards[2]->slots.key = "";
  auto done = run();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "board-3: no key");
  boards[2]->slots.key = keys.public_pem;
  boards[0]->ready = false;
  done = run();
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("board-1 is not ready"), std::string::npos);
  for (auto& board : boards) EXPECT_EQ(board->slots.begun, 0);
}

TEST_F(RolloutTest, gives_up_on_a_board_that_does_not_come_back) {
  boards[1]->slots.tried = [this] { boards[1]->ready = false; };
  auto done = run();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error(), ErrorCode::timeout);
  EXPECT_NE(done.error().message.find("board-2 did not come back within 900 s"), std::string::npos);
}

TEST_F(RolloutTest, refuses_a_damaged_file_before_it_asks_anybody) {
  file.back() = static_cast<char>(file.back() ^ 1);
  auto done = run();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error(), ErrorCode::corrupt);
  file.pop_back();
  done = run();
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("not as long as it says"), std::string::npos);
}

TEST(BoardStatus, is_read_from_what_a_board_says) {
  auto status = parse_status(
      R"({"name":"b","ready":true,"leader":false,"board":"qemu-virt","version":"0.1.0",)"
      R"("build":5,"slot":"a","update":{"phase":"failed","slot":"b","version":"0.2.0",)"
      R"("build":6,"reason":"no leader"}})");
  ASSERT_TRUE(status);
  EXPECT_EQ(
      describe(*status),
      "b: qemu-virt, tripod 0.1.0 (build 5) in slot a, ready; went back from 0.2.0: no leader");
  EXPECT_FALSE(parse_status("[]"));
  EXPECT_FALSE(parse_status("<html>"));
}

}  // namespace
}  // namespace tripod::update
