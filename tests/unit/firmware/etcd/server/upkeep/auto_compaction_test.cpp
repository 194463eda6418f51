#include "firmware/etcd/server/upkeep/auto_compaction.h"

#include <gtest/gtest.h>

namespace tripod::etcd {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

/// Lets time pass in intervals, with a revision a minute; what is due is done.
struct Play {
  explicit Play(AutoCompactionSetting setting) : plan(setting, {}) {}

  std::vector<std::pair<int, Revision>> run(Duration duration, bool leading = true) {
    std::vector<std::pair<int, Revision>> done;
    for (const MonotonicTime end = now + duration; now < end;) {
      plan.note(revision());
      now += plan.interval();
      if (const auto due = plan.due(now, revision(), leading)) {
        plan.compacted(now, *due);
        done.emplace_back(minute(), *due);
      }
    }
    return done;
  }
  int minute() const { return static_cast<int>(now.time_since_epoch() / minutes(1)); }

  Revision revision() const { return 100 + minute(); }

  MonotonicTime now;
  AutoCompaction plan;
};

using Done = std::vector<std::pair<int, Revision>>;

TEST(AutoCompaction, periodic_keeps_a_short_retention_and_compacts_as_often) {
  Play play({.period = minutes(10)});
  EXPECT_EQ(play.plan.interval(), minutes(1));
  EXPECT_EQ(play.run(minutes(31)), (Done{{10, 100}, {20, 109}, {30, 119}}));
}

TEST(AutoCompaction, periodic_with_a_long_retention_compacts_once_an_hour) {
  Play play({.period = hours(3)});
  EXPECT_EQ(play.plan.interval(), minutes(6));
  EXPECT_EQ(play.run(hours(5)), (Done{{180, 100}, {240, 154}, {300, 214}}));
}

TEST(AutoCompaction, a_member_that_does_not_lead_notes_and_waits) {
  Play play({.period = minutes(10)});
  EXPECT_TRUE(play.run(minutes(30), false).empty());
  EXPECT_EQ(play.run(minutes(1)), (Done{{31, 120}})) << "at once, and with a whole retention kept";
}

TEST(AutoCompaction, revision_keeps_that_many) {
  Play play({.mode = AutoCompactionSetting::Mode::revision, .revisions = 7});
  EXPECT_EQ(play.plan.interval(), minutes(5));
  EXPECT_EQ(play.run(minutes(20)), (Done{{5, 98}, {10, 103}, {15, 108}, {20, 113}}));
}

TEST(AutoCompaction, the_same_revision_is_not_compacted_twice) {
  AutoCompaction plan({.mode = AutoCompactionSetting::Mode::revision, .revisions = 5}, {});
  plan.note(9);
  EXPECT_EQ(plan.due({}, 9, true), 4);
  plan.compacted({}, 4);
  plan.note(9);
  EXPECT_EQ(plan.due({}, 9, true), std::nullopt);
}

TEST(AutoCompaction, zero_is_never) {
  EXPECT_FALSE(AutoCompactionSetting{}.enabled());
  EXPECT_FALSE((AutoCompactionSetting{.mode = AutoCompactionSetting::Mode::revision}.enabled()));
}

}  // namespace
}  // namespace tripod::etcd
