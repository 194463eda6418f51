#pragma once
// What an update asks of the machine under this process: facts, the other boot slot to write to,
// a start into it. Calls block; they are for a lane. The appliance implements it; a board that runs
// under another operating system has none.

#include <memory>
#include <string>

#include "platform/boards/update/update_file.h"
#include "platform/boards/update/update_record.h"

namespace tripod::update {

struct SlotFacts {
  std::string board;    // kind: "raspberry-pi-4"
  std::string version;  // of tripod, that runs
  std::int64_t build = 0;
  boards::BootFacts boot;
  boards::UpdateRecord last;

  /// The running slot has yet to prove itself, or another is about to.
  bool on_trial() const { return last.phase == boards::UpdatePhase::trying; }
};

/// The slot that does not run, being written. Destroying it leaves what was written.
class SlotWriting {
 public:
  virtual ~SlotWriting() = default;
  /// On the disk when this returns.
  virtual Result<> append(BytesView piece) = 0;
  /// SHA-256 of what the disk has now, in hexadecimal digits.
  virtual Result<std::string> read_back() = 0;
};

class Slots {
 public:
  virtual ~Slots() = default;
  virtual Result<SlotFacts> facts() = 0;
  /// PEM; whose signatures this board accepts. Fails with `not_found` when it was given none.
  virtual Result<std::string> public_key() = 0;
  virtual Result<std::unique_ptr<SlotWriting>> begin(const boards::UpdateManifest& manifest) = 0;
  /// Remembers that the other slot holds this, and has the machine restart into it once.
  virtual Result<> try_once(const boards::UpdateManifest& manifest) = 0;
};

}  // namespace tripod::update
