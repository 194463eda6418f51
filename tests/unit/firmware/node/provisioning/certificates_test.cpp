#include "firmware/node/provisioning/certificates.h"

#include <gtest/gtest.h>

#include "firmware/node/provisioning/renewal.h"

namespace tripod::node {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::seconds;

const WallTime begin = *parse_rfc3339("2026-01-01T00:00:00Z");
const pki::CertificateFacts authority{.common_name = "tripod",
                                      .organizations = {},
                                      .names = {},
                                      .not_before = begin,
                                      .not_after = begin + days(3650),
                                      .is_authority = true};

pki::CertificateFacts lasting(WallTime from, WallTime to) {
  return {.common_name = "board-1",
          .organizations = {},
          .names = {},
          .not_before = from,
          .not_after = to};
}

TEST(Renewal, is_due_when_a_third_of_the_lifetime_is_left) {
  const auto certificate = lasting(begin, begin + days(300));
  EXPECT_EQ(is_due(certificate, authority, days(300), 0, begin + days(199)), Due::no);
  EXPECT_EQ(is_due(certificate, authority, days(300), 0, begin + days(201)), Due::yes);
  EXPECT_EQ(is_due(certificate, authority, days(300), 0, begin + days(500)), Due::yes);
}

TEST(Renewal, is_spread_by_a_tenth_of_the_lifetime) {
  const auto certificate = lasting(begin, begin + days(300));
  EXPECT_EQ(is_due(certificate, authority, days(300), 1, begin + days(229)), Due::no);
  EXPECT_EQ(is_due(certificate, authority, days(300), 1, begin + days(231)), Due::yes);
}

/// A renewed certificate begins with its authority, so its dates alone do not tell its lifetime.
TEST(Renewal, counts_with_the_configured_lifetime) {
  const auto certificate = lasting(begin, begin + days(1000));
  EXPECT_EQ(is_due(certificate, authority, days(30), 0, begin + days(985)), Due::no);
  EXPECT_EQ(is_due(certificate, authority, days(30), 0, begin + days(991)), Due::yes);
}

TEST(Renewal, leaves_a_longer_lifetime_than_the_configured_one_alone) {
  const auto certificate = lasting(begin, begin + days(365));
  EXPECT_EQ(is_due(certificate, authority, seconds(60), 0, begin + days(364)), Due::no);
}

TEST(Renewal, does_nothing_by_a_clock_that_cannot_be_right) {
  const auto certificate = lasting(begin + days(1), begin + days(2));
  EXPECT_EQ(is_due(certificate, authority, days(1), 0, begin + hours(12)), Due::clock_is_wrong);
  EXPECT_EQ(is_due(certificate, authority, days(1), 0, begin - days(20000)), Due::clock_is_wrong);
}

TEST(Renewal, does_not_try_what_the_authority_cannot_give) {
  const auto certificate = lasting(begin, authority.not_after);
  EXPECT_EQ(is_due(certificate, authority, days(365), 0, begin + days(3640)), Due::authority_ends);
}

TEST(Certificates, say_who_the_board_is_to_whom) {
  const auto board = certificate_request(*find_use("board"), "board-4", {"x"});
  EXPECT_EQ(board.common_name, "system:board:board-4");
  EXPECT_EQ(board.organization, "system:boards");
  EXPECT_TRUE(board.client && !board.server && board.names.empty());
  const auto peer = certificate_request(*find_use("etcd-peer"), "board-4", {"10.0.0.4"});
  EXPECT_EQ(peer.common_name, "board-4");
  EXPECT_TRUE(peer.client && peer.server);
  EXPECT_EQ(peer.names, std::vector<std::string>{"10.0.0.4"});
  EXPECT_EQ(find_use("etcd"), nullptr);
}

}  // namespace
}  // namespace tripod::node
