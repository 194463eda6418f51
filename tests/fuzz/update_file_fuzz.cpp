// The head of an update file, the choice of the boot slot, and the record of an update: each is
// taken whole or refused, and what is taken says the same when it is written again.

#include <cstddef>
#include <cstdint>

#include "platform/base/check.h"
#include "platform/boards/update/boot_choice.h"
#include "platform/boards/update/update_file.h"
#include "platform/boards/update/update_record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tripod;
  const BytesView input(reinterpret_cast<const char*>(data), size);
  auto head = boards::decode_update_head(input);
  if (!head) {
    CHECK(!head.error().message.empty());
  } else if (*head) {
    const boards::UpdateHead& found = **head;
    CHECK(found.bytes <= input.size() && found.bytes <= boards::update_head_bytes_max);
    CHECK(input.starts_with(found.signed_text));
    // Numbers may have been written with leading zeros; what was read is written and read the same.
    auto again =
        boards::decode_update_head(boards::encode_update_head(found.manifest, found.signature));
    CHECK(again && *again && (*again)->manifest == found.manifest);
    std::ignore = boards::check_update_fits(found.manifest, "qemu-virt", "0.1.0");
  }
  if (auto choice = boards::decode_boot_choice(input)) {
    CHECK(boards::encode_boot_choice(*choice) == input);
  }
  if (auto record = boards::decode_update_record(input)) {
    auto again = boards::decode_update_record(boards::encode_update_record(*record));
    CHECK(again && again->phase == record->phase && again->partition == record->partition);
    for (int partition : {0, 2, 3}) {
      std::ignore = boards::wake_up(*record, {.partition = partition, .tried = true, .rule = 2});
    }
  }
  return 0;
}
