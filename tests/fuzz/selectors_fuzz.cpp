// A selector that was read says itself in a form that reads back the same and selects the same.

#include "firmware/kube/selector.h"
#include "platform/base/check.h"

namespace {

using namespace tripod;
using namespace tripod::kube;

const json::Value& labels() {
  static const json::Value value = *json::parse(R"({"app":"web","tier":"7","a":"","x/y":"z"})");
  return value;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto selector = LabelSelector::parse(text)) {
    const std::string written = selector->to_string();
    auto again = LabelSelector::parse(written);
    CHECK(again.has_value(), written);
    CHECK(again->to_string() == written, written);
    CHECK(again->matches(&labels()) == selector->matches(&labels()), written);
    CHECK(again->matches(nullptr) == selector->matches(nullptr), written);
  }
  if (auto selector = FieldSelector::parse(text)) {
    const std::string written = selector->to_string();
    auto again = FieldSelector::parse(written);
    CHECK(again.has_value() && again->to_string() == written, written);
    CHECK(again->matches(labels()) == selector->matches(labels()), written);
  }
  if (auto object = json::parse(text)) (void)LabelSelector::from_object(&*object);
  return 0;
}
