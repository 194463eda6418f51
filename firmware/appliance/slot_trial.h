#pragma once
// The trial of the running boot slot, in process 1: watches the server's health, and either makes
// the slot the one that is booted as a rule, or says why the board goes back. Loop thread.

#include <functional>
#include <memory>
#include <string>

#include "platform/base/log.h"
#include "platform/boards/update/trial.h"
#include "platform/boards/update/update_record.h"
#include "platform/os/clock.h"
#include "platform/os/storage.h"

namespace tripod::appliance {

class SlotTrial {
 public:
  struct Options {
    boards::TrialLimits limits;
    bool writable = false;                          // the data partition is
    std::function<void()> changed;                  // what text() says
    std::function<void(std::string_view)> give_up;  // restart: the firmware boots the old slot
  };

  SlotTrial(Options options, os::Storage& storage, os::Clock& clock, const Logger& log);

  /// Looks where the board woke up, and begins a trial if it has to. Once, before anything else.
  void begin();
  void health(bool healthy, std::string_view why);
  /// From begin() on, until the slot is kept: the old one may be the next to run.
  bool on_trial() const { return on_trial_; }
  /// The board ends: a slot on trial has not proved itself, and this is why.
  void ends(std::string_view why);
  /// The slot that was just written is to be tried: what the board ends for.
  bool asked_to_try() const;
  /// For the status screen; empty when there is nothing to say.
  std::string text() const;

 private:
  void look();
  void keep();
  void give_up();
  void record(const boards::UpdateRecord& record);

  Options options_;
  os::Storage& storage_;
  os::Clock& clock_;
  const Logger& log_;
  boards::UpdateRecord record_;
  boards::BootFacts facts_;
  std::optional<boards::Trial> trial_;
  bool on_trial_ = false;
  std::unique_ptr<os::Operation> looking_;
};

}  // namespace tripod::appliance
