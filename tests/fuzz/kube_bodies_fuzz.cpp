// The body of a request, as protobuf or as JSON, becomes a document of its kind or an error.

#include "firmware/kube/decode.h"
#include "firmware/kube/protobuf/protobuf.h"
#include "firmware/kube/schema/schema.h"
#include "platform/base/check.h"

namespace {

using namespace tripod;
using namespace tripod::kube;

void well_formed(const json::Value& value) {
  const std::string text = json::serialize(value);
  auto again = json::parse(text, {.depth_max = 200, .bytes_max = std::size_t{1} << 26});
  CHECK(again.has_value(), again ? "" : again.error().message);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const BytesView body(reinterpret_cast<const char*>(data), size);
  constexpr protobuf::Limits small{.depth_max = 20, .bytes_max = 16384, .values_max = 2000};
  if (auto value = protobuf::decode(body, small)) well_formed(*value);
  const schema::Type* types[] = {&schema::must_find_type("", "v1", "Pod"),
                                 &schema::must_find_type("apps", "v1", "Deployment")};
  for (const schema::Type* type : types) {
    if (auto value = protobuf::decode_message(*type, body, small)) well_formed(*value);
    for (const auto strictness : {FieldValidation::strict, FieldValidation::warn}) {
      auto decoded = decode(*type, body, strictness, {.depth_max = 20, .bytes_max = 16384});
      if (decoded) well_formed(decoded->object);
    }
  }
  return 0;
}
