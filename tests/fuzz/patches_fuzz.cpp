// A document, a line, a patch: each kind of patch gives a document or a Status, and never touches
// what cannot be written.

#include "firmware/kube/patch/patch.h"
#include "firmware/kube/schema/schema.h"
#include "platform/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tripod;
  using namespace tripod::kube;
  constexpr json::Limits limits{.depth_max = 20, .bytes_max = 8192};
  const BytesView input(reinterpret_cast<const char*>(data), size);
  const std::size_t line = input.find('\n');
  if (line == BytesView::npos) return 0;
  auto document = json::parse(input.substr(0, line), limits);
  auto patch = json::parse(input.substr(line + 1), limits);
  if (!document || !patch) return 0;
  const auto well_formed = [](const json::Value& value) {
    const std::string text = json::serialize(value);
    CHECK(json::parse(text, {.depth_max = 200, .bytes_max = std::size_t{1} << 24}).has_value());
  };
  const PatchLimits small{.operations_max = 50, .copied_bytes_max = 4096};
  if (auto patched = apply_json_patch(*document, *patch, small)) well_formed(*patched);
  const json::Value merged = apply_merge_patch(*document, *patch);
  well_formed(merged);
  CHECK(json::equal(apply_merge_patch(merged, *patch), merged), "a merge patch is idempotent");
  const schema::Type& pod = schema::must_find_type("", "v1", "Pod");
  if (auto patched = apply_strategic_merge_patch(pod, *document, *patch)) well_formed(*patched);
  return 0;
}
