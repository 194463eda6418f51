#pragma once
// autoboot.txt, by which a Raspberry Pi's firmware chooses the partition it boots from
// (documentation of config.txt, "autoboot.txt"): one as a rule, another for a single start after
// the system asked for it ("tryboot"). Pure. The text always has the same length, so that it is
// overwritten in its place: one sector, old or new.

#include <optional>
#include <string>
#include <string_view>

#include "platform/base/bytes.h"

namespace tripod::boards {

inline constexpr int slot_a_partition = 2;
inline constexpr int slot_b_partition = 3;
inline constexpr std::size_t boot_choice_bytes_max = 512;  // the firmware's limit

struct BootChoice {
  int rule = slot_a_partition;
  int once = slot_b_partition;

  friend bool operator==(const BootChoice&, const BootChoice&) = default;
};

std::string encode_boot_choice(const BootChoice& choice);
/// Nothing when it says anything but the two slots.
std::optional<BootChoice> decode_boot_choice(BytesView text);

/// 2 -> "a".
std::string_view slot_name(int partition);
int other_slot(int partition);

}  // namespace tripod::boards
