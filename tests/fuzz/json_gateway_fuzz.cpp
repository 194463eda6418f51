// What the JSON gateway reads becomes a message or an error, however it is cut; a message that was
// read is written in a form that reads back the same.

#include "firmware/etcd/api/json_codec.h"
#include "firmware/etcd/api/messages.h"
#include "platform/base/check.h"

namespace {

using namespace tripod;
using namespace tripod::etcd;

constexpr std::size_t value_bytes_max = 4096;

std::vector<Bytes> split(BytesView text, std::size_t cut) {
  std::vector<Bytes> values;
  JsonSplitter splitter(value_bytes_max);
  for (std::size_t at = 0; at < text.size(); at += cut) {
    splitter.feed(text.substr(at, cut));
    for (;;) {
      auto value = splitter.next();
      if (!value || !*value) break;
      values.push_back(std::move(**value));
    }
  }
  return values;
}

template <typename Message>
void read(BytesView text) {
  const MessageShape& shape = shape_of<Message>();
  auto wire = wire_of_json(text, shape);
  if (!wire) return;
  auto message = decode<Message>(*wire);
  if (!message) return;  // of an alternative that must be there, none is
  const Bytes bytes = encode(*message);
  auto written = json_of_wire(bytes, shape);
  CHECK(written.has_value(), "a message that was decoded is well formed");
  auto again = wire_of_json(*written, shape);
  CHECK(again.has_value(), *written);
  auto same = decode<Message>(*again);
  CHECK(same.has_value() && encode(*same) == bytes, *written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const BytesView input(reinterpret_cast<const char*>(data), size);
  const BytesView text = input.substr(1);
  const auto values = split(text, text.size());
  if (text.size() <= value_bytes_max) CHECK(split(text, std::size_t{data[0]} + 1) == values);
  for (const Bytes& value : values) {
    read<TxnRequest>(value);
    read<WatchRequest>(value);
    read<LeaseTimeToLiveResponse>(value);
    read<StatusResponse>(value);
  }
  if (auto text_of = json_of_wire(input, shape_of<TxnResponse>())) {
    CHECK(wire_of_json(*text_of, shape_of<TxnResponse>(), response_limits).has_value());
  }
  return 0;
}
