#include "firmware/appliance/board_slots.h"

#include "firmware/appliance/boot.h"
#include "firmware/appliance/clock_floor.h"
#include "platform/boards/supervise/child.h"
#include "platform/boards/update/slot_device.h"

namespace tripod::appliance {
namespace {

constexpr int signal_user_1 = 10;
constexpr int process_1 = 1;
constexpr std::size_t key_bytes_max = 4096;

class DeviceWriting final : public update::SlotWriting {
 public:
  explicit DeviceWriting(boards::SlotWriter writer) : writer_(std::move(writer)) {}
  Result<> append(BytesView piece) override { return writer_.append(piece); }
  Result<std::string> read_back() override { return writer_.read_back(); }

 private:
  boards::SlotWriter writer_;
};

}  // namespace

boards::UpdateRecord read_update_record(os::Storage& storage) {
  auto text = storage.read_file(update_record_file, boards::update_record_bytes_max);
  if (!text) return {};
  return boards::decode_update_record(*text).value_or(boards::UpdateRecord{});
}

Result<> write_update_record(os::Storage& storage, const boards::UpdateRecord& record) {
  return storage.replace_file(update_record_file, boards::encode_update_record(record), 0600);
}

std::int64_t running_build(os::Storage& storage) {
  return std::chrono::floor<std::chrono::seconds>(image_build_time(storage, "/board.ini"))
      .time_since_epoch()
      .count();
}

Result<update::SlotFacts> BoardSlots::facts() {
  return update::SlotFacts{.board = board_,
                           .version = version_,
                           .build = running_build(storage_),
                           .boot = boards::boot_facts(boot_folder),
                           .last = read_update_record(storage_)};
}

Result<std::string> BoardSlots::public_key() {
  auto key = storage_.read_file(update_key_file, key_bytes_max);
  if (!key && key.error() == ErrorCode::not_found) {
    return fail(ErrorCode::not_found,
                "this board trusts no key for updates; put update.pub into pki/ on its first "
                "partition (`tripod pki update-key` makes one) and restart it");
  }
  return key;
}

Result<std::unique_ptr<update::SlotWriting>> BoardSlots::begin(
    const boards::UpdateManifest& manifest) {
  const boards::BootFacts boot = boards::boot_facts(boot_folder);
  if (boot.partition == 0) return fail(ErrorCode::unsupported, "the running slot is unknown");
  auto device = boards::slot_device(boot_label, boards::other_slot(boot.partition));
  if (!device) return std::unexpected(device.error());
  auto writer = boards::SlotWriter::open(*device, manifest.image_bytes);
  if (!writer) return std::unexpected(writer.error());
  return std::make_unique<DeviceWriting>(std::move(*writer));
}

Result<> BoardSlots::try_once(const boards::UpdateManifest& manifest) {
  const boards::BootFacts boot = boards::boot_facts(boot_folder);
  if (boot.partition == 0) return fail(ErrorCode::unsupported, "the running slot is unknown");
  boards::UpdateRecord record{.phase = boards::UpdatePhase::trying,
                              .partition = boards::other_slot(boot.partition),
                              .version = manifest.version,
                              .build = manifest.build,
                              .reason = ""};
  if (auto kept = write_update_record(storage_, record); !kept) return kept;
  boards::signal_child(process_1, signal_user_1);
  return {};
}

}  // namespace tripod::appliance
