#include "firmware/kube/quantity.h"

#include <gtest/gtest.h>

namespace tripod::kube {
namespace {

Quantity quantity(std::string_view text) {
  auto parsed = Quantity::parse(text);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed.value_or(Quantity());
}

std::string canonical(std::string_view text) {
  return quantity(text).to_string();
}

TEST(Quantity, prints_canonically) {
  const std::pair<const char*, const char*> cases[] = {{"0", "0"},
                                                       {"1", "1"},
                                                       {"1000", "1k"},
                                                       {"0.5", "500m"},
                                                       {"1.5", "1500m"},
                                                       {"100m", "100m"},
                                                       {"1000m", "1"},
                                                       {"1500m", "1500m"},
                                                       {"1Ki", "1Ki"},
                                                       {"1024Ki", "1Mi"},
                                                       {"1.5Gi", "1536Mi"},
                                                       {"0.5Gi", "512Mi"},
                                                       {"1e3", "1e3"},
                                                       {"12e6", "12e6"},
                                                       {"1000000", "1M"},
                                                       {"-5", "-5"},
                                                       {"-1.5", "-1500m"},
                                                       {"1n", "1n"},
                                                       {"0.1n", "1n"},
                                                       {"1E", "1E"},
                                                       {"1E3", "1e3"},
                                                       {"0.001Ki", "1024m"},
                                                       {"1025Ki", "1025Ki"},
                                                       {"4Gi", "4Gi"},
                                                       {"007", "7"},
                                                       {"1u", "1u"},
                                                       {"+3", "3"},
                                                       {"100Ei", "9223372036854775807"},
                                                       {"1.", "1"},
                                                       {".5", "500m"},
                                                       {"123456789", "123456789"},
                                                       {"8589934592", "8589934592"},
                                                       {"1e-3", "1e-3"},
                                                       {"0Ki", "0"}};
  for (const auto& [text, expected] : cases) EXPECT_EQ(canonical(text), expected) << text;
}

TEST(Quantity, refuses_what_is_none) {
  for (const char* text : {"", "x", "1x", "1Kix", "Ki", "1 Ki", "--1", ".", "1e", "1mi", "1..2"}) {
    EXPECT_FALSE(Quantity::parse(text).has_value()) << text;
  }
  EXPECT_EQ(Quantity::parse("abc").error().message,
            "quantities must match the regular expression "
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
  EXPECT_EQ(Quantity::parse("1mi").error().message, "unable to parse quantity's suffix");
}

TEST(Quantity, compares_across_formats) {
  EXPECT_EQ(quantity("1"), quantity("1000m"));
  EXPECT_EQ(quantity("1Ki"), quantity("1024"));
  EXPECT_LT(quantity("999m"), quantity("1"));
  EXPECT_LT(quantity("-0.5"), quantity("-0.4"));
  EXPECT_GT(quantity("1Gi"), quantity("1G"));
}

TEST(Quantity, adds_and_subtracts) {
  EXPECT_EQ((quantity("1.7") + quantity("0.6")).to_string(), "2300m");
  EXPECT_EQ((quantity("1") - quantity("1.5")).to_string(), "-500m");
  EXPECT_EQ((quantity("1Gi") + quantity("1Gi")).to_string(), "2Gi");
  EXPECT_EQ((Quantity() + quantity("512Mi")).to_string(), "512Mi");
  EXPECT_EQ((quantity("9223372036854775807") + quantity("1")).value(), INT64_MAX);
}

TEST(Quantity, rounds_away_from_zero) {
  EXPECT_EQ(quantity("100m").value(), 1);
  EXPECT_EQ(quantity("-100m").value(), -1);
  EXPECT_EQ(quantity("100m").milli_value(), 100);
  EXPECT_EQ(quantity("1u").milli_value(), 1);
  EXPECT_EQ(quantity("-1500u").milli_value(), -2);
  EXPECT_EQ(quantity("2").milli_value(), 2000);
  EXPECT_EQ(quantity("10E").milli_value(), INT64_MAX);
  EXPECT_EQ(Quantity::from_milli(-1500).to_string(), "-1500m");
  EXPECT_EQ(Quantity::from_milli(250).to_string(), "250m");
  EXPECT_EQ(Quantity::from_int(3 << 20, QuantityFormat::binary_si).to_string(), "3Mi");
}

}  // namespace
}  // namespace tripod::kube
