#include "firmware/etcd/server/upkeep/scheduled_snapshots.h"

#include <gtest/gtest.h>

namespace tripod::etcd {
namespace {

WallTime at(std::string_view text) {
  return *parse_rfc3339(text);
}

TEST(ScheduledSnapshots, names_hold_member_time_and_revision) {
  const SnapshotName name{"board-1", at("2026-11-25T12:04:05Z"), 4711};
  EXPECT_EQ(name.file(), "etcd-snapshot-board-1-20261125T120405Z-r4711.db");
  const auto parsed = SnapshotName::parse(name.file());
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->member, "board-1");
  EXPECT_EQ(parsed->time, name.time);
  EXPECT_EQ(parsed->revision, 4711);
}

TEST(ScheduledSnapshots, other_files_are_not_touched) {
  for (const char* other :
       {"notes.txt", "etcd-snapshot-.db", "etcd-snapshot-a-20261125T120405Z-r.db",
        "etcd-snapshot-a-20261125T120405Z-r1x.db", "etcd-snapshot-a-2026-r1.db",
        "etcd-snapshot-a-99999999T999999Z-r1.db", "etcd-snapshot-20261125T120405Z-r1.db"}) {
    EXPECT_FALSE(SnapshotName::parse(other)) << other;
    EXPECT_TRUE(snapshots_to_remove({other}, "a", 0).empty()) << other;
  }
}

TEST(ScheduledSnapshots, the_newest_stay_whatever_the_clock_said) {
  std::vector<std::string> files;
  for (const auto& [time, revision] :
       {std::pair("2026-11-25T00:00:00Z", 5), std::pair("1970-01-01T00:00:09Z", 7),
        std::pair("2026-11-25T06:00:00Z", 6)}) {
    files.push_back(SnapshotName{"a", at(time), revision}.file());
  }
  files.push_back(SnapshotName{"b", at("2020-01-01T00:00:00Z"), 1}.file());
  EXPECT_EQ(newest_snapshot(files, "a")->revision, 7);
  EXPECT_EQ(snapshots_to_remove(files, "a", 2), (std::vector<std::string>{files[0]}));
  EXPECT_TRUE(snapshots_to_remove(files, "a", 3).empty());
}

TEST(ScheduledSnapshots, halves_of_a_former_life_go) {
  const std::vector<std::string> files = {"etcd-snapshot-a-20261125T120405Z-r1.db.part",
                                          "etcd-snapshot-b-20261125T120405Z-r1.db.part"};
  EXPECT_EQ(snapshots_to_remove(files, "a", 5), (std::vector<std::string>{files[0]}));
}

}  // namespace
}  // namespace tripod::etcd
