// Bytes of a peer become a Raft message or an error; what was read is written in a form that reads
// back the same.

#include "firmware/etcd/raft/codec.h"
#include "platform/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tripod;
  using namespace tripod::etcd::raft;
  const BytesView bytes(reinterpret_cast<const char*>(data), size);
  const Limits limits;
  if (auto message = decode(bytes, limits)) {
    const Bytes written = encode(*message);
    auto again = decode(written, limits);
    CHECK(again.has_value() && encode(*again) == written);
  }
  if (auto change = decode_conf_change(bytes)) {
    const Bytes written = encode(*change);
    auto again = decode_conf_change(written);
    CHECK(again.has_value() && encode(*again) == written);
  }
  if (auto state = decode_conf_state(bytes, limits)) {
    const Bytes written = encode(*state);
    auto again = decode_conf_state(written, limits);
    CHECK(again.has_value() && encode(*again) == written);
  }
  return 0;
}
