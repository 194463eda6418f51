#pragma once
// The boot slots of this board, for the server to update (firmware/update): in the server's
// process, which process 1 watches. Calls block.

#include "firmware/update/slots.h"
#include "platform/os/storage.h"

namespace tripod::appliance {

inline constexpr const char* update_record_file = "/var/lib/tripod/board/update";
inline constexpr const char* update_key_file = "/var/lib/tripod/pki/update.pub";

class BoardSlots final : public update::Slots {
 public:
  /// `storage` outlives it.
  BoardSlots(os::Storage& storage, std::string board, std::string version)
      : storage_(storage), board_(std::move(board)), version_(std::move(version)) {}

  Result<update::SlotFacts> facts() override;
  Result<std::string> public_key() override;
  Result<std::unique_ptr<update::SlotWriting>> begin(
      const boards::UpdateManifest& manifest) override;
  Result<> try_once(const boards::UpdateManifest& manifest) override;

 private:
  os::Storage& storage_;
  std::string board_;
  std::string version_;
};

/// The record as it is; an empty one when there is none or it is unreadable.
boards::UpdateRecord read_update_record(os::Storage& storage);
Result<> write_update_record(os::Storage& storage, const boards::UpdateRecord& record);

/// Of the image that runs: "/board.ini", [build] epoch; 0 when unknown.
std::int64_t running_build(os::Storage& storage);

}  // namespace tripod::appliance
