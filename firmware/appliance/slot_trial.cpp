#include "firmware/appliance/slot_trial.h"

#include <format>

#include "firmware/appliance/board_slots.h"
#include "firmware/appliance/boot.h"
#include "platform/boards/system/mounts.h"
#include "platform/boards/update/slot_device.h"

namespace tripod::appliance {
namespace {

constexpr Duration look_interval = std::chrono::seconds(1);

}  // namespace

SlotTrial::SlotTrial(Options options, os::Storage& storage, os::Clock& clock, const Logger& log)
    : options_(std::move(options)), storage_(storage), clock_(clock), log_(log) {}

void SlotTrial::begin() {
  facts_ = boards::boot_facts(boot_folder);
  record_ = read_update_record(storage_);
  boards::Awakening awake = boards::wake_up(record_, facts_);
  if (awake.record != record_) record(awake.record);
  if (record_.phase == boards::UpdatePhase::failed) {
    log_.error("the last update failed", LogField("version", record_.version),
               LogField("reason", record_.reason));
  }
  if (!awake.trial) return;
  log_.warn("this slot is on trial", LogField("slot", boards::slot_name(facts_.partition)),
            LogField("version", record_.version));
  trial_.emplace(options_.limits, clock_.now());
  on_trial_ = true;
  look();
}

void SlotTrial::health(bool healthy, std::string_view why) {
  if (trial_) trial_->health(healthy, why, clock_.now());
}

void SlotTrial::ends(std::string_view why) {
  if (!trial_) return;
  trial_.reset();
  looking_.reset();
  if (record_.phase != boards::UpdatePhase::trying) return;
  record_.reason = std::format("it ended before it had proved itself: {}", why);
  record(record_);
}

bool SlotTrial::asked_to_try() const {
  const boards::UpdateRecord now = read_update_record(storage_);
  return now.phase == boards::UpdatePhase::trying && now.partition != facts_.partition;
}

void SlotTrial::look() {
  looking_ = clock_.call_at(clock_.now() + look_interval, [this] { look(); });
  switch (trial_->verdict(clock_.now())) {
    case boards::Trial::Verdict::wait: return;
    case boards::Trial::Verdict::keep: return keep();
    case boards::Trial::Verdict::give_up: return give_up();
  }
}

void SlotTrial::keep() {
  // The choice first: a power cut behind it finds the record out of date and mends it.
  Result<> done = boards::make_writable(boot_folder);
  if (done) {
    done = boards::write_boot_choice(
        boot_folder, {.rule = facts_.partition, .once = boards::other_slot(facts_.partition)});
  }
  std::ignore = boards::make_read_only(boot_folder);
  if (!done) {
    log_.error("the new slot is healthy but cannot be kept",
               LogField("error", done.error().to_string()));
    return;  // the deadline decides, unless a later try succeeds
  }
  trial_.reset();
  on_trial_ = false;
  looking_.reset();
  record_.phase = boards::UpdatePhase::kept;
  record_.reason.clear();
  record(record_);
  log_.info("the new slot is kept", LogField("slot", boards::slot_name(facts_.partition)),
            LogField("version", record_.version));
  options_.changed();
}

void SlotTrial::give_up() {
  const std::string why = trial_->reason();
  trial_.reset();
  looking_.reset();
  if (record_.phase == boards::UpdatePhase::trying) {
    record_.reason = why;
    record(record_);
  }
  options_.give_up(why);
}

void SlotTrial::record(const boards::UpdateRecord& record) {
  record_ = record;
  if (!options_.writable) return;
  if (auto kept = write_update_record(storage_, record_); !kept) {
    log_.error("the update's end is not recorded", LogField("error", kept.error().to_string()));
  }
}

std::string SlotTrial::text() const {
  if (trial_) {
    return std::format("tries {} in slot {}", record_.version, boards::slot_name(facts_.partition));
  }
  if (record_.phase == boards::UpdatePhase::failed) {
    return std::format("{} failed: {}", record_.version, record_.reason);
  }
  return "";
}

}  // namespace tripod::appliance
