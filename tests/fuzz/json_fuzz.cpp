// A document that was read is written in a form that reads back the same; pointers into it are
// found or not, without harm.

#include "platform/base/check.h"
#include "platform/json/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tripod;
  const BytesView text(reinterpret_cast<const char*>(data), size);
  auto document = json::parse(text, {.depth_max = 20, .bytes_max = 8192});
  if (!document) return 0;
  (void)json::find_duplicates(text);
  const std::string written = json::serialize(*document);
  auto again = json::parse(written, {.depth_max = 20, .bytes_max = 8 * 8192});
  CHECK(again.has_value(), written);
  CHECK(json::serialize(*again) == written, written);
  CHECK(json::equal(*again, *document), written);
  for (std::size_t at = text.find('/'); at != BytesView::npos; at = text.find('/', at + 1)) {
    (void)json::find_pointer(*document, text.substr(at, 20));
  }
  json::Value merged = *document;
  json::merge_over(merged, *again);
  CHECK(json::equal(merged, *document), written);
  return 0;
}
