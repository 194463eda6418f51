#include "firmware/apiserver/kinds/strategies.h"
#include "platform/base/bytes.h"

namespace tripod::apiserver::kinds {

namespace {

/// stringData is write-only: it ends up, encoded, in data.
void fold_string_data(json::Value& secret) {
  const json::Object* texts = json::get_object(secret, "stringData");
  if (!texts) return;
  const json::Object copy = *texts;
  json::Object& data = json::ensure_object(secret, "data");
  for (const auto& [key, value] : copy) data[key] = to_base64(json::as_string(value));
  json::erase(secret, {"stringData"});
}

}  // namespace

void create_secret(json::Value& secret, const WriteContext&) {
  fold_string_data(secret);
}

void update_secret(json::Value& secret, const json::Value&, const WriteContext&) {
  fold_string_data(secret);
}

}  // namespace tripod::apiserver::kinds
