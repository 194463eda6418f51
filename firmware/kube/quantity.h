#pragma once
// Resource quantities: "100m", "1.5Gi", "2e3". Exact down to 1e-9 (finer digits round up, away from
// zero) and capped at 2^63-1, as Kubernetes does.
// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "platform/base/result.h"

namespace tripod::kube {

enum class QuantityFormat : std::uint8_t { decimal_si, binary_si, decimal_exponent };

class Quantity {
 public:
  Quantity() = default;
  /// Errors: invalid, with Kubernetes' text.
  static Result<Quantity> parse(std::string_view text);
  static Quantity from_int(std::int64_t value, QuantityFormat format = QuantityFormat::decimal_si);
  static Quantity from_milli(std::int64_t milli,
                             QuantityFormat format = QuantityFormat::decimal_si);

  /// The canonical form: no fraction, largest suffix.
  std::string to_string() const;
  /// Rounded up; capped at the range of int64.
  std::int64_t value() const;
  std::int64_t milli_value() const;
  QuantityFormat format() const { return format_; }
  bool is_zero() const { return whole_ == 0 && nano_ == 0; }
  bool is_negative() const { return whole_ < 0; }
  /// No fraction of one.
  bool is_whole() const { return nano_ == 0; }

  /// The sum takes the format of the left side, unless that is zero.
  Quantity& operator+=(const Quantity& other);
  Quantity& operator-=(const Quantity& other);
  friend Quantity operator+(Quantity left, const Quantity& right) { return left += right; }
  friend Quantity operator-(Quantity left, const Quantity& right) { return left -= right; }
  friend std::strong_ordering operator<=>(const Quantity& left, const Quantity& right) {
    const auto order = left.whole_ <=> right.whole_;
    return order != 0 ? order : left.nano_ <=> right.nano_;
  }
  friend bool operator==(const Quantity& left, const Quantity& right) {
    return left.whole_ == right.whole_ && left.nano_ == right.nano_;
  }

 private:
  Quantity negated() const;

  // The value is whole_ + nano_ / 1e9 with 0 <= nano_ < 1e9, so -0.5 is -1 and 5e8.
  std::int64_t whole_ = 0;
  std::int32_t nano_ = 0;
  QuantityFormat format_ = QuantityFormat::decimal_si;
};

}  // namespace tripod::kube
