#include <gtest/gtest.h>
#include <stdlib.h>

#include "firmware/appliance/clock_floor.h"
#include "firmware/appliance/drop_ins.h"
#include "firmware/appliance/log_tail.h"
#include "firmware/appliance/server.h"
#include "firmware/appliance/status_screen.h"
#include "platform/linux/machine.h"
#include "platform/pki/authority.h"

namespace tripod::appliance {
namespace {

/// A folder of its own on the real file system, gone afterwards.
class ApplianceFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "applianceXXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::ignore = system(("rm -r " + folder_).c_str()); }

  void write(const std::string& name, BytesView text) {
    const std::string path = folder_ + "/" + name;
    ASSERT_TRUE(storage_.make_directories(path.substr(0, path.rfind('/')), 0700));
    ASSERT_TRUE(storage_.replace_file(path, text, 0600));
  }
  std::string read(const std::string& name) {
    return storage_.read_file(folder_ + "/" + name, 1 << 20).value_or("(missing)");
  }
  std::vector<std::string> drop_in() {
    auto copied = copy_drop_ins(storage_, {.from = folder_ + "/boot/pki",
                                           .to = folder_ + "/data/pki",
                                           .record = folder_ + "/data/board/dropped-in"});
    EXPECT_TRUE(copied) << copied.error().message;
    return copied.value_or(std::vector<std::string>());
  }

  linux_os::FileStorage storage_;
  std::string folder_;
};

TEST_F(ApplianceFiles, drop_ins_are_copied_with_their_folders_once) {
  write("boot/pki/ca.crt", "authority");
  write("boot/pki/board-1/etcd-server.key", "secret");
  EXPECT_EQ(drop_in(), (std::vector<std::string>{"board-1/etcd-server.key", "ca.crt"}));
  EXPECT_EQ(read("data/pki/board-1/etcd-server.key"), "secret");
  EXPECT_EQ(read("data/pki/ca.crt"), "authority");
  EXPECT_TRUE(drop_in().empty());
}

TEST_F(ApplianceFiles, a_renewed_certificate_is_not_undone_and_a_new_drop_in_is_taken) {
  write("boot/pki/a.crt", "old");
  std::ignore = drop_in();
  write("data/pki/a.crt", "renewed on the board");
  EXPECT_TRUE(drop_in().empty());
  EXPECT_EQ(read("data/pki/a.crt"), "renewed on the board");
  write("boot/pki/a.crt", "a new one");
  EXPECT_EQ(drop_in().size(), 1U);
  EXPECT_EQ(read("data/pki/a.crt"), "a new one");
  ASSERT_TRUE(storage_.remove_file(folder_ + "/data/pki/a.crt"));
  EXPECT_EQ(drop_in().size(), 1U) << "what is missing comes back";
}

TEST_F(ApplianceFiles, no_drop_ins_are_no_error) {
  EXPECT_TRUE(drop_in().empty());
}

TEST_F(ApplianceFiles, the_clock_begins_at_the_latest_known_moment) {
  const FloorSources sources{.board_file = folder_ + "/board.ini",
                             .saved_file = folder_ + "/last-time",
                             .certificates = folder_ + "/pki"};
  EXPECT_EQ(clock_floor(storage_, sources), WallTime());
  write("board.ini", "[board]\nname = qemu-virt\n[build]\nepoch = 1764028800\n");
  EXPECT_EQ(to_rfc3339(clock_floor(storage_, sources)), "2025-11-25T00:00:00Z");
  const WallTime saved = *parse_rfc3339("2026-01-01T10:00:00Z");
  ASSERT_TRUE(save_time(storage_, sources.saved_file, saved));
  EXPECT_EQ(clock_start(storage_, sources), saved);
  EXPECT_EQ(to_rfc3339(clock_floor(storage_, sources)), "2025-11-25T00:00:00Z")
      << "a server that was wrong may be corrected";
  linux_os::KernelEntropy entropy;
  const WallTime issued = *parse_rfc3339("2026-05-01T10:00:00Z");
  auto authority = pki::Authority::create("tripod", std::chrono::days(10), issued, entropy);
  ASSERT_TRUE(authority);
  write("pki/board-1/etcd-server.crt", authority->pair().certificate_pem);
  auto facts = pki::describe(authority->pair().certificate_pem);
  ASSERT_TRUE(facts);
  EXPECT_EQ(clock_floor(storage_, sources), facts->not_before);
  EXPECT_EQ(clock_start(storage_, sources), facts->not_before);
  EXPECT_GT(facts->not_before, saved);
  write("last-time", "garbage");
  write("pki/broken.crt", "garbage");
  EXPECT_EQ(clock_floor(storage_, sources), facts->not_before) << "what cannot be read is unknown";
}

TEST(LogTail, cuts_lines_and_keeps_the_last) {
  LogTail tail;
  std::vector<std::string> lines;
  auto line = [&](std::string_view text) { lines.emplace_back(text); };
  tail.add("one\ntw", line);
  tail.add("o\nthree", line);
  EXPECT_EQ(lines, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(tail.text(), "one\ntwo\nthree\n");
  for (std::size_t i = 0; i < 2 * LogTail::lines_max; ++i) tail.add("x\n", line);
  EXPECT_EQ(tail.text().size(), 2 * LogTail::lines_max);
  lines.clear();
  tail.clear();
  tail.add(std::string(3 * LogTail::line_bytes_max, 'y'), line);
  EXPECT_EQ(lines.size(), 3U) << "a line without end is bounded";
}

TEST(LogTail, finds_the_line_that_says_why) {
  LogTail tail;
  constexpr std::array<std::string_view, 2> beginnings{"tripod: ", "fatal: "};
  EXPECT_EQ(tail.last_of(beginnings), "");
  tail.add("tripod: first\nfatal: the disk is gone\nI etcd: stopped\ntripod: no whole li",
           [](auto) {});
  EXPECT_EQ(tail.last_of(beginnings), "the disk is gone");
}

TEST(CrashRecords, are_numbered_and_bounded) {
  EXPECT_EQ(plan_records({}, 3).next, "crash-000001.txt");
  RecordNames plan =
      plan_records({"crash-000009.txt", "note", "crash-000008.txt", "crash-000010.txt"}, 3);
  EXPECT_EQ(plan.next, "crash-000011.txt");
  EXPECT_EQ(plan.surplus, (std::vector<std::string>{"crash-000008.txt"}));
}

TEST(StatusScreen, shows_what_a_person_asks_for) {
  StatusFacts facts{.version = "0.1.0", .hostname = "board-1", .board = "raspberry-pi-4"};
  facts.interfaces = {{"end0", true, {"192.168.1.11/24", "fd00::11/64"}}, {"eth1", false, {}}};
  facts.roles = {"etcd", "apiserver"};
  facts.health = "ready: serves, leads etcd";
  facts.memory = "12.0 MiB server, 180 of 230 MiB available";
  facts.time = "2026-11-25T12:00:00Z";
  facts.clock = "synchronized with 10.0.0.1";
  EXPECT_EQ(render_status(facts, 60),
            "------------------------------------------------------------\n"
            "tripod    0.1.0 on raspberry-pi-4\n"
            "name      board-1\n"
            "end0      192.168.1.11/24, fd00::11/64\n"
            "eth1      no address yet (no cable)\n"
            "roles     etcd, apiserver\n"
            "health    ready: serves, leads etcd\n"
            "memory    12.0 MiB server, 180 of 230 MiB available\n"
            "clock     2026-11-25T12:00:00Z, synchronized with 10.0.0.1\n"
            "------------------------------------------------------------\n");
}

TEST(StatusScreen, folds_what_is_too_long_and_says_what_to_mend) {
  StatusFacts facts{.version = "0.1.0"};
  facts.health = "the server does not run";
  facts.problem = "tripod.ini:3: [board] address = \"x\": expected dhcp\nsecond";
  const std::string screen = render_status(facts, 40);
  EXPECT_NE(screen.find("MEND      tripod.ini:3: [board] address \n          = "),
            std::string::npos)
      << screen;
  EXPECT_NE(screen.find("          second\n"), std::string::npos) << screen;
  std::size_t start = 0;
  for (std::size_t end = screen.find('\n'); end != std::string::npos;
       end = screen.find('\n', start)) {
    EXPECT_LE(end - start, 40U);
    start = end + 1;
  }
}

}  // namespace
}  // namespace tripod::appliance
