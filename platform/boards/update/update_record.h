#pragma once
// What a board remembers of its last update, on its data partition, so that it knows after a start
// whether it is being tried, and can say what became of it. Pure.

#include <optional>
#include <string>

#include "platform/base/bytes.h"

namespace tripod::boards {

enum class UpdatePhase : std::uint8_t {
  none,    // there was no update
  trying,  // the slot is written; it is to be started once, or has been
  kept,    // it was healthy, and is what the board boots from now
  failed,  // the board runs the slot it had before
};

struct UpdateRecord {
  UpdatePhase phase = UpdatePhase::none;
  int partition = 0;  // of the slot that was written
  std::string version;
  std::int64_t build = 0;
  std::string reason;  // why it failed, or is about to

  friend bool operator==(const UpdateRecord&, const UpdateRecord&) = default;
};

std::string_view name_of(UpdatePhase phase);

std::string encode_update_record(const UpdateRecord& record);
/// Nothing for what it did not write.
std::optional<UpdateRecord> decode_update_record(BytesView text);

inline constexpr std::size_t update_record_bytes_max = 4096;

/// Where a board woke up.
struct BootFacts {
  int partition = 0;   // 0: the firmware does not say
  bool tried = false;  // for this start only, says the firmware
  int rule = 0;        // what autoboot.txt boots as a rule; 0: unknown
};

/// Whether the slot that runs has to prove itself, and what the record says from now on. A record
/// of `trying` in the slot that was written is a trial; in the other slot it is one that failed,
/// for nothing else starts the old slot again. A firmware that says "tried" is believed even
/// without a record, for the board may be unable to read it.
struct Awakening {
  bool trial = false;
  UpdateRecord record;
};
Awakening wake_up(const UpdateRecord& record, const BootFacts& facts);

}  // namespace tripod::boards
