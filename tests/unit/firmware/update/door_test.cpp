#include "firmware/update/door.h"

#include <gtest/gtest.h>

#include "platform/async/sync.h"
#include "tests/unit/firmware/update/fake_board.h"

namespace tripod::update {
namespace {

class DoorTest : public testing::Test {
 protected:
  DoorTest() : board(loop, "board-1"), scope(loop) {
    test::CountingEntropy entropy;
    keys = *pki::make_signing_keys(entropy);
    others = *pki::make_signing_keys(entropy);
    board.slots.key = keys.public_pem;
  }
  ~DoorTest() override {
    for (auto* transport : {&board.admin, &board.user, &board.nobody}) {
      scope.spawn(transport->drain());
    }
    loop.run_for(std::chrono::seconds(1));
    EXPECT_TRUE(scope.idle());
  }

  struct Answer {
    int status = 0;
    std::string body;
  };
  Answer ask(http::Transport& transport, std::string method, std::string_view path,
             Bytes body = {}) {
    std::optional<Result<http::Response>> answer;
    scope.spawn(fetch(&transport, std::move(method), std::string(path), std::move(body), &answer));
    loop.run_until([&] { return answer.has_value(); }, std::chrono::seconds(60));
    if (!answer || !*answer) return {0, answer ? (*answer).error().message : "no answer"};
    return {(*answer)->head.status, (*answer)->body};
  }
  static Task<void> fetch(http::Transport* transport, std::string method, std::string path,
                          Bytes body, std::optional<Result<http::Response>>* out) {
    out->emplace(co_await http::fetch(*transport,
                                      {.method = std::move(method), .path = std::move(path)},
                                      std::move(body), 65536));
  }

  /// Sends the file in these parts, with a pause after each.
  Answer put_slowly(std::vector<Bytes> parts, Duration pause, bool end = true) {
    std::optional<Answer> answer;
    scope.spawn(send_slowly(&board.admin, &loop, std::move(parts), pause, end, &answer));
    loop.run_until([&] { return answer.has_value(); }, std::chrono::minutes(30));
    return answer.value_or(Answer{0, "no answer"});
  }
  static Task<void> send_slowly(http::Transport* transport, os::Clock* clock,
                                std::vector<Bytes> parts, Duration pause, bool end,
                                std::optional<Answer>* out) {
    auto call =
        co_await transport->open({.method = "PUT", .path = std::string(update_path)}, std::nullopt);
    for (Bytes& part : parts) {
      if (auto sent = co_await (*call)->write(std::move(part)); !sent) break;
      std::ignore = co_await async::sleep_for(*clock, pause);
    }
    if (end) (*call)->finish();
    auto head = co_await (*call)->head();
    auto body = co_await (*call)->read();
    out->emplace(Answer{head ? head->status : 0, body && *body ? **body : Bytes()});
  }
  static std::vector<Bytes> parts_of(BytesView bytes, std::size_t size) {
    std::vector<Bytes> parts;
    for (std::size_t at = 0; at < bytes.size(); at += size) {
      parts.emplace_back(bytes.substr(at, size));
    }
    return parts;
  }

  Bytes file() const { return update_file(manifest_of(image()), keys.private_pem, image()); }
  Answer put(Bytes bytes) { return ask(board.admin, "PUT", update_path, std::move(bytes)); }
  void expect_refused(const Answer& answer, int status, std::string_view text) {
    EXPECT_EQ(answer.status, status) << answer.body;
    EXPECT_NE(answer.body.find(text), std::string::npos) << answer.body;
    EXPECT_EQ(board.slots.last.phase, boards::UpdatePhase::none) << "it is to be tried";
  }

  test::VirtualLoop loop;
  FakeBoard board;
  Scope scope;
  pki::SigningKeys keys;
  pki::SigningKeys others;
};

TEST_F(DoorTest, lets_everything_else_through) {
  EXPECT_EQ(ask(board.admin, "GET", "/api/v1/pods").body, "behind");
  EXPECT_EQ(ask(board.nobody, "GET", "/tripod").body, "behind");
  EXPECT_EQ(ask(board.nobody, "POST", "/tripod/v1/boards/b4/certificates").body, "behind");
}

TEST_F(DoorTest, is_open_for_administrators_alone) {
  EXPECT_EQ(ask(board.nobody, "GET", board_path).status, 401);
  EXPECT_EQ(ask(board.user, "GET", board_path).status, 403);
  EXPECT_EQ(ask(board.user, "PUT", update_path, file()).status, 403);
  EXPECT_EQ(board.slots.begun, 0);
  EXPECT_EQ(ask(board.admin, "GET", board_path).status, 200);
  EXPECT_EQ(ask(board.admin, "DELETE", update_path).status, 405);
}

TEST_F(DoorTest, writes_and_tries_a_signed_file) {
  Answer answer = put(file());
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(board.slots.written, image());
  EXPECT_EQ(board.slots.last.phase, boards::UpdatePhase::trying);
  EXPECT_EQ(board.slots.last.partition, 3);
  EXPECT_EQ(board.slots.last.version, "0.2.0");
}

TEST_F(DoorTest, touches_nothing_for_a_file_of_another_signer_board_or_version) {
  expect_refused(put(update_file(manifest_of(image()), others.private_pem, image())), 403,
                 "signature is not by the key");
  boards::UpdateManifest manifest = manifest_of(image());
  manifest.board = "raspberry-pi-4";
  expect_refused(put(update_file(manifest, keys.private_pem, image())), 403,
                 "for the board raspberry-pi-4");
  manifest = manifest_of(image());
  manifest.version = "0.3.0";
  expect_refused(put(update_file(manifest, keys.private_pem, image())), 403, "one minor version");
  expect_refused(put("tripod-update 2\n"), 400, "knows 1 alone");
  expect_refused(put("GIF89a"), 400, "no update file");
  expect_refused(put(file().substr(0, 100)), 400, "ends within its head");
  Bytes changed = file();
  changed[changed.find("version 0.2.0") + 10] = '1';
  expect_refused(put(changed), 403, "signature is not by the key");
  board.slots.key.clear();
  expect_refused(put(file()), 404, "no key");
  EXPECT_EQ(board.slots.begun, 0);
}

TEST_F(DoorTest, gives_up_a_file_that_stops_coming_and_takes_the_next) {
  const Bytes whole = file();
  const std::size_t head_bytes = whole.size() - image_bytes;
  int begun = 0;
  for (const std::size_t come : {std::size_t{0}, head_bytes - 5, head_bytes + piece_bytes + 7}) {
    const MonotonicTime start = loop.now();
    Answer given_up = put_slowly({whole.substr(0, come)}, std::chrono::milliseconds(1), false);
    EXPECT_EQ(given_up.status, 408) << come;
    EXPECT_NE(given_up.body.find("stopped coming: its next piece was not there within 30s"),
              std::string::npos)
        << given_up.body;
    EXPECT_LT(loop.now() - start, std::chrono::seconds(31));
    begun += come > head_bytes ? 1 : 0;
    EXPECT_EQ(board.slots.begun, begun);
    EXPECT_EQ(board.slots.last.phase, boards::UpdatePhase::none) << "it is to be tried";
  }
  Answer hung_at_its_end = put_slowly({whole}, std::chrono::milliseconds(1), false);
  EXPECT_EQ(hung_at_its_end.status, 408) << hung_at_its_end.body;
  EXPECT_EQ(put(whole).status, 200);
  EXPECT_EQ(board.slots.written, image());
}

TEST_F(DoorTest, gives_up_a_file_that_comes_in_drops) {
  const Bytes whole = file();
  EXPECT_EQ(put_slowly(parts_of(whole, 1), std::chrono::seconds(5)).status, 408);
  EXPECT_EQ(put(whole).status, 200);
}

TEST_F(DoorTest, has_patience_with_a_slow_link) {
  const Bytes whole = file();
  const MonotonicTime start = loop.now();
  Answer answer = put_slowly(parts_of(whole, piece_bytes), std::chrono::seconds(20));
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_GT(loop.now() - start, std::chrono::seconds(60));
  EXPECT_EQ(board.slots.written, image());
}

TEST_F(DoorTest, gives_up_the_check_of_a_head_that_stops_coming) {
  std::optional<Answer> answer;
  const auto ask_half = [](http::Transport* transport, Bytes half,
                           std::optional<Answer>* out) -> Task<void> {
    auto opened =
        co_await transport->open({.method = "POST", .path = std::string(check_path)}, std::nullopt);
    std::ignore = co_await (*opened)->write(std::move(half));
    auto head = co_await (*opened)->head();
    out->emplace(Answer{head ? head->status : 0, {}});
  };
  scope.spawn(ask_half(&board.admin, file().substr(0, 50), &answer));
  loop.run_until([&] { return answer.has_value(); }, std::chrono::minutes(2));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 408);
}

TEST_F(DoorTest, does_not_start_a_damaged_image) {
  Bytes bent = file();
  bent[bent.size() - 5] = static_cast<char>(bent[bent.size() - 5] ^ 1);
  expect_refused(put(bent), 400, "its image is not the one that was signed");
  expect_refused(put(file().substr(0, file().size() - 1)), 400, "ends 1 bytes too early");
  expect_refused(put(file() + "x"), 400, "bytes behind its image");
  board.slots.forgetful = true;
  expect_refused(put(file()), 500, "the card returns other bytes");
}

TEST_F(DoorTest, waits_for_the_end_of_a_trial) {
  board.slots.last = {.phase = boards::UpdatePhase::trying,
                      .partition = 3,
                      .version = "0.1.9",
                      .build = 1,
                      .reason = ""};
  Answer answer = put(file());
  EXPECT_EQ(answer.status, 409) << answer.body;
  EXPECT_NE(answer.body.find("still trying tripod 0.1.9"), std::string::npos);
  EXPECT_EQ(board.slots.begun, 0);
}

TEST_F(DoorTest, checks_a_head_without_touching_anything) {
  const Bytes head = file().substr(0, file().size() - image_bytes);
  EXPECT_EQ(ask(board.admin, "POST", check_path, head).status, 200);
  EXPECT_EQ(ask(board.admin, "POST", check_path, head.substr(0, 50)).status, 400);
  const Bytes foreign = update_file(manifest_of(image()), others.private_pem, "");
  EXPECT_EQ(ask(board.admin, "POST", check_path, foreign).status, 403);
  EXPECT_EQ(board.slots.begun, 0);
}

TEST_F(DoorTest, without_slots_says_whose_matter_it_is) {
  Door door({.name = "board-9", .ready = [] { return true; }, .leads = [] { return true; }},
            board.behind, board.test_world.world);
  http::InProcessTransport admin(loop, door, "kubernetes-admin", {"system:masters"});
  Answer answer = ask(admin, "PUT", update_path, file());
  EXPECT_EQ(answer.status, 501);
  EXPECT_NE(answer.body.find("another operating system"), std::string::npos);
  EXPECT_EQ(ask(admin, "GET", board_path).body,
            "{\"name\":\"board-9\",\"ready\":true,\"leader\":true}\n");
  scope.spawn(admin.drain());
  loop.run_for(std::chrono::seconds(1));
}

}  // namespace
}  // namespace tripod::update
