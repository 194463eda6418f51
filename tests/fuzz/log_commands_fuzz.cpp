// The data of a log entry becomes commands or an error; commands that were read are written in a
// form that reads back the same.

#include "firmware/etcd/mvcc/commands/command.h"
#include "platform/base/check.h"

namespace {

using namespace tripod;
using namespace tripod::etcd;

Bytes written(const std::vector<Command>& commands) {
  Bytes bytes;
  for (const Command& command : commands) {
    append_command(bytes, command.id, command.request, command.caller);
  }
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto commands = decode_commands({reinterpret_cast<const char*>(data), size});
  if (!commands) return 0;
  const Bytes bytes = written(*commands);
  auto again = decode_commands(bytes);
  CHECK(again.has_value() && again->size() == commands->size() && written(*again) == bytes);
  return 0;
}
