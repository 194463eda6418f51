// However a body is cut, the same messages come out of it; texts of the other side are decoded
// without harm.

#include "platform/base/check.h"
#include "platform/grpc/framing.h"

namespace {

using namespace tripod;

struct Outcome {
  std::vector<Bytes> messages;
  std::optional<grpc::Status> failure;
  bool inside = false;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome read(BytesView body, std::size_t cut) {
  Outcome outcome;
  grpc::MessageReader reader(200);
  for (std::size_t at = 0; at < body.size(); at += cut) {
    reader.feed(Bytes(body.substr(at, cut)));
    while (true) {
      auto message = reader.next();
      if (!message) {
        outcome.failure = message.error();
        return outcome;
      }
      if (!*message) break;
      CHECK((*message)->size() <= 200);
      outcome.messages.push_back(std::move(**message));
    }
  }
  outcome.inside = reader.inside_message();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const BytesView input(reinterpret_cast<const char*>(data), size);
  const BytesView body = input.substr(1);
  const Outcome whole = read(body, body.size());
  CHECK(read(body, std::size_t{data[0]} + 1) == whole);
  CHECK(read(body, 1) == whole);

  const std::string text(input);
  CHECK(grpc::decode_status_message(grpc::encode_status_message(text)) == text);
  CHECK(grpc::decode_status_message(text).size() <= text.size());
  if (auto timeout = grpc::parse_timeout(text)) CHECK(timeout->count() >= 0);
  return 0;
}
