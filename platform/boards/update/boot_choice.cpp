#include "platform/boards/update/boot_choice.h"

#include <format>

#include "platform/base/check.h"

namespace tripod::boards {

std::string encode_boot_choice(const BootChoice& choice) {
  return std::format("[all]\ntryboot_a_b=1\nboot_partition={}\n[tryboot]\nboot_partition={}\n",
                     choice.rule, choice.once);
}

std::optional<BootChoice> decode_boot_choice(BytesView text) {
  for (const BootChoice& choice : {BootChoice{slot_a_partition, slot_b_partition},
                                   BootChoice{slot_b_partition, slot_a_partition}}) {
    if (text == encode_boot_choice(choice)) return choice;
  }
  return std::nullopt;
}

std::string_view slot_name(int partition) {
  if (partition == slot_a_partition) return "a";
  return partition == slot_b_partition ? "b" : "unknown";
}

int other_slot(int partition) {
  CHECK(partition == slot_a_partition || partition == slot_b_partition);
  return partition == slot_a_partition ? slot_b_partition : slot_a_partition;
}

}  // namespace tripod::boards
