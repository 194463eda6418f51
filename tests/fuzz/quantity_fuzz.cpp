// A quantity that was read has one canonical form, which reads back as the same value.

#include "firmware/kube/quantity.h"
#include "platform/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tripod::kube;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto middle = text.substr(0, text.find('+', 1));
  auto quantity = Quantity::parse(middle);
  if (!quantity) return 0;
  const std::string written = quantity->to_string();
  auto again = Quantity::parse(written);
  CHECK(again.has_value(), written);
  CHECK(again->to_string() == written, written);
  // Binary forms round up to whole numbers, as upstream does.
  CHECK(!quantity->is_whole() || *again == *quantity, written);
  if (middle.size() == text.size()) return 0;
  auto other = Quantity::parse(text.substr(middle.size() + 1));
  if (!other) return 0;
  (void)(*quantity + *other).to_string();
  (void)(*quantity - *other).to_string();
  (void)(*quantity - *other).milli_value();
  return 0;
}
