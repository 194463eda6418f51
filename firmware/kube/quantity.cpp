#include "firmware/kube/quantity.h"

#include <charconv>
#include <format>
#include <limits>
#include <optional>

namespace tripod::kube {

namespace {

constexpr std::int64_t whole_max = std::numeric_limits<std::int64_t>::max();
constexpr std::int32_t nano_per_one = 1'000'000'000;
constexpr std::size_t text_bytes_max = 128;
constexpr std::string_view binary_suffixes[] = {"Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
constexpr std::string_view decimal_suffixes[] = {"n", "u", "m", "", "k", "M", "G", "T", "P", "E"};

struct Suffix {
  int exponent = 0;  // of 10, or of 2
  QuantityFormat format = QuantityFormat::decimal_si;
};

std::optional<Suffix> parse_suffix(std::string_view text) {
  for (int i = 0; i < 10; ++i) {
    if (text == decimal_suffixes[i]) return Suffix{3 * (i - 3), QuantityFormat::decimal_si};
  }
  for (int i = 0; i < 6; ++i) {
    if (text == binary_suffixes[i]) return Suffix{10 * (i + 1), QuantityFormat::binary_si};
  }
  if (text.size() > 1 && (text[0] == 'e' || text[0] == 'E')) {
    std::string_view digits = text.substr(1);
    if (digits[0] == '+') digits.remove_prefix(1);
    int exponent = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    if (error == std::errc() && end == digits.data() + digits.size()) {
      return Suffix{exponent, QuantityFormat::decimal_exponent};
    }
  }
  return std::nullopt;
}

std::size_t count_of(std::string_view text, std::string_view set) {
  return std::min(text.find_first_not_of(set), text.size());
}

std::unexpected<Error> wrong_format() {
  return fail(ErrorCode::invalid,
              "quantities must match the regular expression "
              "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
}

/// Digits of a non-negative number around its decimal point.
struct Digits {
  std::string whole;
  std::string fraction;

  /// Times 10^exponent, for exponents that matter at all.
  void shift(int exponent) {
    for (int i = 0; i < std::min(exponent, 40); ++i) {
      whole += fraction.empty() ? '0' : fraction[0];
      if (!fraction.empty()) fraction.erase(0, 1);
    }
    for (int i = 0; i < std::min(-exponent, 200); ++i) {
      fraction.insert(fraction.begin(), whole.empty() ? '0' : whole.back());
      if (!whole.empty()) whole.pop_back();
    }
  }

  std::int64_t whole_value() const {
    std::int64_t value = 0;
    for (char c : whole) {
      const int digit = c - '0';
      if (value > (whole_max - digit) / 10) return whole_max;
      value = value * 10 + digit;
    }
    return value;
  }

  /// Doubles the fraction; the carry belongs to the whole.
  int double_fraction() {
    int carry = 0;
    for (auto at = fraction.rbegin(); at != fraction.rend(); ++at) {
      const int digit = (*at - '0') * 2 + carry;
      *at = static_cast<char>('0' + digit % 10);
      carry = digit / 10;
    }
    return carry;
  }

  /// Rounded up to whole nanos; may be 1e9.
  std::int32_t nano_value() const {
    std::int32_t nano = 0;
    for (std::size_t i = 0; i < 9; ++i)
      nano = nano * 10 + (i < fraction.size() ? fraction[i] - '0' : 0);
    const bool rest = fraction.size() > 9 && fraction.find_first_not_of('0', 9) != fraction.npos;
    return nano + (rest ? 1 : 0);
  }
};

std::int64_t twice_plus(std::int64_t value, int carry) {
  return value > (whole_max - carry) / 2 ? whole_max : value * 2 + carry;
}

}  // namespace

Quantity Quantity::negated() const {
  Quantity negative = *this;
  negative.whole_ = nano_ == 0 ? -whole_ : -whole_ - 1;
  negative.nano_ = nano_ == 0 ? 0 : nano_per_one - nano_;
  return negative;
}

Result<Quantity> Quantity::parse(std::string_view text) {
  if (text.empty()) return wrong_format();
  if (text.size() > text_bytes_max)
    return fail(ErrorCode::invalid, "unable to parse numeric part of quantity");
  const bool negative = text[0] == '-';
  if (negative || text[0] == '+') text.remove_prefix(1);
  Digits digits;
  digits.whole = text.substr(0, count_of(text, "0123456789"));
  text.remove_prefix(digits.whole.size());
  bool point = false;
  if (text.starts_with('.')) {
    point = true;
    text.remove_prefix(1);
    digits.fraction = text.substr(0, count_of(text, "0123456789"));
    text.remove_prefix(digits.fraction.size());
  }
  std::size_t suffix_end = count_of(text, "eEinumkKMGTP");
  if (suffix_end < text.size() && (text[suffix_end] == '-' || text[suffix_end] == '+'))
    ++suffix_end;
  suffix_end += count_of(text.substr(suffix_end), "0123456789");
  if (suffix_end != text.size()) return wrong_format();
  if (digits.whole.empty() && digits.fraction.empty()) {
    if (point || text.empty()) return wrong_format();
    return fail(ErrorCode::invalid, "unable to parse numeric part of quantity");
  }
  const auto suffix = parse_suffix(text);
  if (!suffix) return fail(ErrorCode::invalid, "unable to parse quantity's suffix");

  Quantity quantity;
  quantity.format_ = suffix->format;
  if (suffix->format == QuantityFormat::binary_si) {
    quantity.whole_ = digits.whole_value();
    for (int i = 0; i < suffix->exponent; ++i)
      quantity.whole_ = twice_plus(quantity.whole_, digits.double_fraction());
  } else {
    digits.shift(suffix->exponent);
    quantity.whole_ = digits.whole_value();
  }
  quantity.nano_ = digits.nano_value();
  if (quantity.nano_ == nano_per_one) {
    quantity.nano_ = 0;
    quantity.whole_ = std::min(quantity.whole_, whole_max - 1) + 1;
  }
  if (quantity.whole_ == whole_max) quantity.nano_ = 0;
  return negative ? quantity.negated() : quantity;
}

Quantity Quantity::from_int(std::int64_t value, QuantityFormat format) {
  Quantity quantity;
  quantity.whole_ = std::max(value, -whole_max);
  quantity.format_ = format;
  return quantity;
}

Quantity Quantity::from_milli(std::int64_t milli, QuantityFormat format) {
  Quantity quantity;
  quantity.whole_ = milli / 1000 - (milli % 1000 < 0 ? 1 : 0);
  quantity.nano_ = static_cast<std::int32_t>((milli - quantity.whole_ * 1000) * 1'000'000);
  quantity.format_ = format;
  return quantity;
}

std::int64_t Quantity::value() const {
  if (is_negative() || nano_ == 0)
    return whole_;  // the whole of a negative number is already away from zero
  return std::min(whole_, whole_max - 1) + 1;
}

std::int64_t Quantity::milli_value() const {
  if (is_negative()) return -negated().milli_value();
  const std::int64_t milli = (nano_ + 999'999) / 1'000'000;
  return whole_ > (whole_max - milli) / 1000 ? whole_max : whole_ * 1000 + milli;
}

namespace {

std::string with_suffix(std::string number, int exponent, QuantityFormat format) {
  if (exponent == 0) return number;
  if (format == QuantityFormat::decimal_exponent) return std::format("{}e{}", number, exponent);
  return number += decimal_suffixes[exponent / 3 + 3];
}

}  // namespace

std::string Quantity::to_string() const {
  if (is_negative()) return "-" + negated().to_string();
  if (format_ == QuantityFormat::binary_si && whole_ >= 1024) {
    std::int64_t number = value();
    int power = 0;
    for (; power < 6 && number % 1024 == 0; ++power) number /= 1024;
    return std::format("{}{}", number, power == 0 ? "" : binary_suffixes[power - 1]);
  }
  if (is_zero()) return "0";
  if (nano_ == 0) {
    std::int64_t number = whole_;
    int exponent = 0;
    for (; exponent < 18 && number % 1000 == 0; exponent += 3) number /= 1000;
    return with_suffix(std::to_string(number), exponent, format_);
  }
  std::string digits = std::format("{}{:09}", whole_, nano_);
  int exponent = -9;
  for (; digits.ends_with("000"); exponent += 3) digits.resize(digits.size() - 3);
  digits.erase(0, digits.find_first_not_of('0'));
  return with_suffix(std::move(digits), exponent, format_);
}

Quantity& Quantity::operator+=(const Quantity& other) {
  if (is_zero()) format_ = other.format_;
  const std::int32_t nano = nano_ + other.nano_;
  const std::int64_t carry = nano >= nano_per_one ? 1 : 0;
  std::int64_t sum = 0;
  if (__builtin_add_overflow(whole_, other.whole_, &sum) || sum > whole_max - carry ||
      sum < -whole_max) {
    whole_ = other.whole_ > 0 ? whole_max : -whole_max;
    nano_ = 0;
    return *this;
  }
  whole_ = sum + carry;
  nano_ = carry == 1 ? nano - nano_per_one : nano;
  return *this;
}

Quantity& Quantity::operator-=(const Quantity& other) {
  return *this += other.negated();
}

}  // namespace tripod::kube
