#include <gtest/gtest.h>

#include "platform/boards/update/boot_choice.h"
#include "platform/boards/update/trial.h"
#include "platform/boards/update/update_file.h"
#include "platform/boards/update/update_record.h"

namespace tripod::boards {
namespace {

using namespace std::chrono_literals;

UpdateManifest manifest() {
  return {.board = "qemu-virt",
          .version = "0.2.0",
          .build = 1'764'000'000,
          .image_bytes = 37'748'736,
          .image_sha256 = std::string(64, 'a')};
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(UpdateFile, survives_its_head) {
  const std::string head = encode_update_head(manifest(), "\x30\x44signature");
  auto read = decode_update_head(head + "image");
  ASSERT_TRUE(read && *read) << read.error().message;
  EXPECT_EQ((*read)->manifest, manifest());
  EXPECT_EQ((*read)->signature, "\x30\x44signature");
  EXPECT_EQ((*read)->signed_text, signed_text(manifest()));
  EXPECT_EQ((*read)->bytes, head.size());
}

TEST(UpdateFile, waits_for_all_of_its_head) {
  const std::string head = encode_update_head(manifest(), "signature");
  for (std::size_t size = 0; size < head.size(); ++size) {
    auto read = decode_update_head(head.substr(0, size));
    ASSERT_TRUE(read) << size << ": " << read.error().message;
    EXPECT_FALSE(read->has_value()) << size;
  }
}

TEST(UpdateFile, says_what_is_no_update_file) {
  auto read = decode_update_head("PK\x03\x04");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error(), ErrorCode::invalid);
  EXPECT_NE(read.error().message.find("tools/image --update-key"), std::string::npos);
}

TEST(UpdateFile, refuses_another_format_by_its_number) {
  const std::string head = encode_update_head(manifest(), "signature");
  for (const char* format : {"0", "2", "1.1", "one", ""}) {
    auto read = decode_update_head(
        replaced(head, "tripod-update 1", std::string("tripod-update ") + format));
    ASSERT_FALSE(read) << format;
    EXPECT_EQ(read.error(), ErrorCode::unsupported) << format;
    EXPECT_NE(read.error().message.find(std::format("\"{}\"", format)), std::string::npos);
  }
}

TEST(UpdateFile, refuses_a_damaged_head) {
  const std::string head = encode_update_head(manifest(), "signature");
  const std::pair<std::string_view, std::string_view> damages[] = {
      {"board qemu-virt", "board "},
      {"board qemu-virt", "bored qemu-virt"},
      {"board qemu-virt", "board ../../x"},
      {"version 0.2.0\n", ""},
      {"build 1764000000", "build yesterday"},
      {"build 1764000000", "build -1"},
      {"bytes 37748736", "bytes 37748737"},
      {"bytes 37748736", "bytes 0"},
      {"bytes 37748736", "bytes 99999999999999999999"},
      {"sha256 aaaa", "sha256 aaaZ"},
      {"sha256 a", "sha256 "},
      {"signature 7369", "signature 736"},
      {"signature 7369", "signature xx69"}};
  for (const auto& [from, to] : damages) {
    auto read = decode_update_head(replaced(head, from, to));
    ASSERT_FALSE(read) << to;
    EXPECT_EQ(read.error(), ErrorCode::corrupt) << to;
  }
  auto endless = decode_update_head("tripod-update 1\n" + std::string(update_head_bytes_max, 'x'));
  ASSERT_FALSE(endless);
  EXPECT_EQ(endless.error(), ErrorCode::corrupt);
}

TEST(UpdateFile, fits_its_board_and_a_neighbouring_version) {
  EXPECT_TRUE(check_update_fits(manifest(), "qemu-virt", "0.1.0"));
  EXPECT_TRUE(check_update_fits(manifest(), "qemu-virt", "0.2.7"));
  EXPECT_TRUE(check_update_fits(manifest(), "qemu-virt", "0.3.0"));
  for (const char* version : {"0.0.9", "0.4.0", "1.2.0"}) {
    auto fits = check_update_fits(manifest(), "qemu-virt", version);
    ASSERT_FALSE(fits) << version;
    EXPECT_NE(fits.error().message.find("one minor version"), std::string::npos);
  }
  auto other = check_update_fits(manifest(), "raspberry-pi-4", "0.2.0");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().message,
            "the update file is for the board qemu-virt; this board is a raspberry-pi-4");
  UpdateManifest odd = manifest();
  odd.version = "newest";
  EXPECT_FALSE(check_update_fits(odd, "qemu-virt", "0.2.0"));
}

TEST(BootChoice, is_one_of_two_texts_of_one_length) {
  const BootChoice first{2, 3};
  const BootChoice second{3, 2};
  EXPECT_EQ(decode_boot_choice(encode_boot_choice(first)), first);
  EXPECT_EQ(decode_boot_choice(encode_boot_choice(second)), second);
  EXPECT_EQ(encode_boot_choice(first).size(), encode_boot_choice(second).size());
  EXPECT_LE(encode_boot_choice(first).size(), boot_choice_bytes_max);
  EXPECT_FALSE(decode_boot_choice("[all]\nboot_partition=2\n"));
  EXPECT_FALSE(decode_boot_choice(""));
  EXPECT_EQ(other_slot(2), 3);
  EXPECT_EQ(other_slot(3), 2);
}

UpdateRecord trying(int partition) {
  return {.phase = UpdatePhase::trying,
          .partition = partition,
          .version = "0.2.0",
          .build = 17,
          .reason = ""};
}

TEST(UpdateRecord, survives_its_text) {
  UpdateRecord record = trying(3);
  for (UpdatePhase phase :
       {UpdatePhase::none, UpdatePhase::trying, UpdatePhase::kept, UpdatePhase::failed}) {
    record.phase = phase;
    record.reason = phase == UpdatePhase::failed ? "etcd has no leader" : "";
    EXPECT_EQ(decode_update_record(encode_update_record(record)), record);
  }
  record.reason = "two\nlines";
  EXPECT_EQ(decode_update_record(encode_update_record(record))->reason, "two lines");
}

TEST(UpdateRecord, is_not_guessed_from_another_format) {
  const std::string text = encode_update_record(trying(3));
  EXPECT_FALSE(decode_update_record(replaced(text, "update-record 1", "update-record 2")));
  EXPECT_FALSE(decode_update_record(text + "more\n"));
  EXPECT_FALSE(decode_update_record(replaced(text, "trying", "tasting")));
  EXPECT_FALSE(decode_update_record(replaced(text, "partition 3", "partition three")));
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(decode_update_record(text.substr(0, size))) << size;
  }
}

TEST(WakeUp, without_an_update_there_is_no_trial) {
  auto awake = wake_up({}, {.partition = 2, .tried = false, .rule = 2});
  EXPECT_FALSE(awake.trial);
  EXPECT_EQ(awake.record, UpdateRecord{});
}

TEST(WakeUp, the_written_slot_is_on_trial) {
  auto awake = wake_up(trying(3), {.partition = 3, .tried = true, .rule = 2});
  EXPECT_TRUE(awake.trial);
  EXPECT_EQ(awake.record.phase, UpdatePhase::trying);
}

TEST(WakeUp, the_old_slot_means_that_the_new_one_failed) {
  auto awake = wake_up(trying(3), {.partition = 2, .tried = false, .rule = 2});
  EXPECT_FALSE(awake.trial);
  EXPECT_EQ(awake.record.phase, UpdatePhase::failed);
  EXPECT_NE(awake.record.reason.find("did not come up"), std::string::npos);
  UpdateRecord given_up = trying(3);
  given_up.reason = "it was not healthy within 300 s: no leader";
  awake = wake_up(given_up, {.partition = 2, .tried = false, .rule = 2});
  EXPECT_EQ(awake.record.reason, given_up.reason) << "the new slot had said why";
}

TEST(WakeUp, a_choice_that_was_written_is_a_trial_that_was_won) {
  auto awake = wake_up(trying(3), {.partition = 3, .tried = false, .rule = 3});
  EXPECT_FALSE(awake.trial);
  EXPECT_EQ(awake.record.phase, UpdatePhase::kept);
}

TEST(WakeUp, the_firmware_is_believed_without_a_record) {
  EXPECT_TRUE(wake_up({}, {.partition = 3, .tried = true, .rule = 2}).trial);
  EXPECT_FALSE(wake_up({}, {.partition = 2, .tried = true, .rule = 2}).trial)
      << "the slot of the rule has nothing to fall back to";
}

TEST(WakeUp, a_firmware_that_says_nothing_decides_nothing) {
  auto awake = wake_up(trying(3), {.partition = 0, .tried = false, .rule = 2});
  EXPECT_FALSE(awake.trial);
  EXPECT_EQ(awake.record, trying(3));
}

TEST(Trial, is_kept_after_a_while_of_health) {
  const MonotonicTime begin(1s);
  Trial trial({.healthy = 20s, .patience = 300s}, begin);
  EXPECT_EQ(trial.verdict(begin + 100s), Trial::Verdict::wait);
  trial.health(true, "", begin + 100s);
  trial.health(true, "", begin + 119s);
  EXPECT_EQ(trial.verdict(begin + 119s), Trial::Verdict::wait);
  trial.health(true, "", begin + 120s);
  EXPECT_EQ(trial.verdict(begin + 120s), Trial::Verdict::keep);
}

TEST(Trial, silence_is_no_health) {
  const MonotonicTime begin(1s);
  Trial trial({.healthy = 20s, .patience = 300s}, begin);
  trial.health(true, "", begin + 100s);
  EXPECT_EQ(trial.verdict(begin + 200s), Trial::Verdict::wait) << "the server may hang";
  EXPECT_EQ(trial.verdict(begin + 300s), Trial::Verdict::give_up);
}

TEST(Trial, begins_anew_when_health_is_lost) {
  const MonotonicTime begin(1s);
  Trial trial({.healthy = 20s, .patience = 300s}, begin);
  trial.health(true, "", begin + 10s);
  trial.health(false, "etcd has no leader", begin + 25s);
  trial.health(true, "", begin + 26s);
  trial.health(true, "", begin + 45s);
  EXPECT_EQ(trial.verdict(begin + 45s), Trial::Verdict::wait);
  trial.health(true, "", begin + 46s);
  EXPECT_EQ(trial.verdict(begin + 46s), Trial::Verdict::keep);
}

TEST(Trial, is_given_up_at_its_end_and_says_why) {
  const MonotonicTime begin(1s);
  Trial trial({.healthy = 20s, .patience = 300s}, begin);
  EXPECT_EQ(trial.verdict(begin + 299s), Trial::Verdict::wait);
  EXPECT_EQ(trial.verdict(begin + 300s), Trial::Verdict::give_up);
  EXPECT_EQ(trial.reason(), "it was not healthy within 300 s: the server did not start");
  trial.health(false, "etcd has no leader", begin + 10s);
  EXPECT_EQ(trial.reason(), "it was not healthy within 300 s: etcd has no leader");
}

TEST(Trial, that_is_healthy_at_its_end_is_waited_for_no_longer) {
  const MonotonicTime begin(1s);
  Trial trial({.healthy = 20s, .patience = 300s}, begin);
  trial.health(true, "", begin + 290s);
  EXPECT_EQ(trial.verdict(begin + 300s), Trial::Verdict::give_up);
}

}  // namespace
}  // namespace tripod::boards
