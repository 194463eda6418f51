// Bytes of a client become a message or an error; a message that was read is written in a form
// that reads back the same.

#include "firmware/etcd/api/auth_messages.h"
#include "firmware/etcd/api/codec.h"
#include "firmware/etcd/api/messages.h"
#include "platform/base/check.h"

namespace {

using namespace tripod;
using namespace tripod::etcd;

template <typename Message>
void read(BytesView bytes) {
  auto message = decode<Message>(bytes);
  if (!message) return;
  const Bytes written = encode(*message);
  CHECK(written.size() == encoded_size(*message));
  auto again = decode<Message>(written);
  // Written zeros are left out, so that it can only get shorter.
  CHECK(again.has_value() && encode(*again) == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const BytesView bytes(reinterpret_cast<const char*>(data), size);
  read<RangeRequest>(bytes);
  read<PutRequest>(bytes);
  read<DeleteRangeRequest>(bytes);
  read<TxnRequest>(bytes);
  read<CompactionRequest>(bytes);
  read<WatchRequest>(bytes);
  read<LeaseGrantRequest>(bytes);
  read<LeaseTimeToLiveRequest>(bytes);
  read<AlarmRequest>(bytes);
  read<AuthUserAddRequest>(bytes);
  read<AuthRoleGrantPermissionRequest>(bytes);
  read<AuthenticateRequest>(bytes);
  // What a client of another server reads.
  read<RangeResponse>(bytes);
  read<TxnResponse>(bytes);
  read<WatchResponse>(bytes);
  read<StatusResponse>(bytes);
  return 0;
}
