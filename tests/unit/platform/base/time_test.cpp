#include "platform/base/time.h"

#include <gtest/gtest.h>

namespace tripod {
namespace {

TEST(Time, reads_back_what_it_writes) {
  auto time = parse_rfc3339("2026-11-21T09:08:42.123456Z");
  ASSERT_TRUE(time.has_value());
  EXPECT_EQ(to_rfc3339(*time), "2026-11-21T09:08:42Z");
  EXPECT_EQ(to_rfc3339_micro(*time), "2026-11-21T09:08:42.123456Z");
}

TEST(Time, applies_offsets) {
  auto time = parse_rfc3339("2026-01-01T00:30:00+01:00");
  ASSERT_TRUE(time.has_value());
  EXPECT_EQ(to_rfc3339(*time), "2025-12-31T23:30:00Z");
}

TEST(Time, refuses_what_is_no_time) {
  for (const char* text :
       {"", "2026", "2026-02-30T00:00:00Z", "2026-01-01 00:00:00Z", "2026-01-01T25:00:00Z",
        "2026-01-01T00:00:00", "2026-01-01T00:00:00.Z"}) {
    EXPECT_FALSE(parse_rfc3339(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace tripod
