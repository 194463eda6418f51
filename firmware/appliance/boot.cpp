#include "firmware/appliance/boot.h"

#include <format>

#include "firmware/appliance/clock_floor.h"
#include "firmware/appliance/drop_ins.h"
#include "platform/base/check.h"
#include "platform/boards/disk/block_devices.h"
#include "platform/boards/system/files.h"
#include "platform/boards/system/machine_state.h"
#include "platform/boards/system/mounts.h"
#include "platform/boards/time/clock_setting.h"

namespace tripod::appliance {
namespace {

constexpr std::string_view data_label = "tripod-data";
constexpr std::chrono::seconds disk_patience{30};

void add_problem(Booted& booted, std::string_view text) {
  if (!booted.problem.empty()) booted.problem += '\n';
  booted.problem += text;
}

void mount_boot(Booted& booted) {
  auto device = boards::find_labelled(boards::FileSystemKind::vfat, boot_label, disk_patience);
  if (!device) {
    add_problem(booted, std::format("boot partition: {}", device.error().message));
    return;
  }
  auto mounted = boards::mount({.device = device->node(),
                                .point = boot_folder,
                                .type = "vfat",
                                .read_only = true,
                                .options = "fmask=0177,dmask=0077"});
  if (!mounted) add_problem(booted, std::format("boot partition: {}", mounted.error().message));
}

/// The file "factory-reset" on the boot partition: everything the board keeps goes, then the file.
/// In this order, so that a power cut in between only means that it is done again.
void reset_if_asked(Booted& booted, os::Storage& storage, const Logger& log) {
  const std::string asked = std::string(boot_folder) + "/factory-reset";
  if (booted.data != DataState::writable || !storage.exists(asked)) return;
  log.warn("factory reset: everything on the data partition goes");
  Result<> done = boards::remove_contents(data_folder);
  if (done) done = boards::make_writable(boot_folder);
  if (done) done = storage.remove_file(asked);
  std::ignore = boards::make_read_only(boot_folder);
  if (!done) add_problem(booted, std::format("factory reset: {}", done.error().message));
}

/// The journal is replayed by the mount. What cannot be written is still mounted, for a look at it.
void mount_data(Booted& booted, const Logger& log) {
  auto device = boards::find_labelled(boards::FileSystemKind::ext4, data_label, disk_patience);
  if (!device) {
    add_problem(booted, std::format("data partition: {}", device.error().message));
    return;
  }
  if (auto found = boards::probe(*device); found && found->has_errors) {
    log.error("the data partition has known damage; replace the card soon");
  }
  if (auto grown = boards::grow_partition(*device); !grown) {
    log.warn("data partition keeps its size", LogField("error", grown.error().to_string()));
  } else if (*grown) {
    log.info("data partition grown to the end of the disk", LogField("disk", device->disk));
  }
  boards::Mount wanted{.device = device->node(),
                       .point = data_folder,
                       .type = "ext4",
                       .read_only = false,
                       .options = "errors=remount-ro"};
  auto mounted = boards::mount(wanted);
  if (mounted) {
    booted.data = DataState::writable;
    auto filled = boards::grow_ext4(data_folder, *device);
    if (!filled)
      log.warn("file system keeps its size", LogField("error", filled.error().to_string()));
    return;
  }
  add_problem(booted,
              std::format("data partition: {}; it is read-only now, and the server does not "
                          "run. Another card or a factory reset helps",
                          mounted.error().message));
  wanted.read_only = true;
  wanted.options = "noload";  // a journal that cannot be replayed
  if (boards::mount(wanted)) booted.data = DataState::read_only;
}

void read_configuration(Booted& booted, os::Storage& storage) {
  auto text = storage.read_file(configuration_file, ini::file_bytes_max);
  if (!text) {
    add_problem(booted,
                std::format("configuration: {}; expected the file tripod.ini on the partition "
                            "{}",
                            text.error().message, boot_label));
    return;
  }
  auto config = node::load_config(*text, configuration_file, {});
  if (!config) {
    add_problem(booted, config.error().message);
    return;
  }
  auto settings = node::read_board_settings(config->values);
  CHECK(settings.has_value());  // load_config has checked them
  booted.settings = std::move(*settings);
  booted.config = std::move(*config);
}

/// What the kernel said when it died last, where the board keeps that in memory over a reset.
void keep_panics(os::Storage& storage, const Logger& log) {
  const std::string from = "/sys/fs/pstore";
  const std::string to = std::string(state_folder) + "/crashes";
  for (const std::string& name : boards::names_in(from)) {
    const std::string record = std::format("{}/{}", from, name);
    auto text = boards::read_text(record);
    if (!text || !storage.make_directories(to, 0700)) continue;
    if (!storage.replace_file(std::format("{}/kernel-{}", to, name), *text, 0600)) continue;
    log.error("the kernel had panicked", LogField("record", "crashes/kernel-" + name));
    std::ignore = storage.remove_file(record);
  }
}

void prepare_data(Booted& booted, os::Storage& storage, const Logger& log) {
  if (booted.data != DataState::writable) return;
  const std::string state = state_folder;
  if (auto made = storage.make_directories(state, 0700); !made) {
    add_problem(booted, std::format("data partition: {}", made.error().message));
    return;
  }
  keep_panics(storage, log);
  auto seeded = boards::seed_randomness(storage, state + "/random-seed");
  if (!seeded) log.warn("no seed kept", LogField("error", seeded.error().to_string()));
  auto copied = copy_drop_ins(storage, {.from = std::string(boot_folder) + "/pki",
                                        .to = std::string(data_folder) + "/pki",
                                        .record = state + "/dropped-in"});
  if (!copied) {
    add_problem(booted, std::format("copying pki/: {}", copied.error().message));
    return;
  }
  for (const std::string& name : *copied) log.info("dropped in", LogField("file", "pki/" + name));
}

void set_clock(Booted& booted, os::Storage& storage, const Logger& log) {
  const FloorSources sources{.board_file = "/board.ini",
                             .saved_file = saved_time_file,
                             .certificates = std::string(data_folder) + "/pki"};
  booted.clock_floor = clock_floor(storage, sources);
  const WallTime start = clock_start(storage, sources);
  if (boards::read_clock() >= start) return;
  auto set = boards::step_clock(start);
  if (set) {
    log.info("the clock begins at the last time that is known",
             LogField("time", to_rfc3339(start)));
  } else {
    log.warn("the clock stays wrong", LogField("error", set.error().to_string()));
  }
}

}  // namespace

void say_phase(std::string_view name) {
  const double seconds = static_cast<double>(boards::uptime().count()) / 1000;
  say(std::format("tripod: phase {} {:.3f}\n", name, seconds));
}

void say(std::string_view text) {
  boards::write_console(text);
}

Result<> open_console() {
  Result<> mounted = boards::mount_kernel_file_systems();
  boards::use_console();
  return mounted;
}

Booted boot(os::Storage& storage, Result<> mounted, const Logger& log) {
  Booted booted;
  say_phase("init");
  boards::take_control_alt_delete();
  boards::reboot_on_panic();
  if (!mounted) add_problem(booted, mounted.error().message);
  booted.board = boards::kernel_argument("tripod.board");
  for (const std::string& problem : boards::load_modules("/modules")) log.warn(problem);
  say_phase("modules");
  mount_boot(booted);
  mount_data(booted, log);
  say_phase("data");
  reset_if_asked(booted, storage, log);
  read_configuration(booted, storage);
  prepare_data(booted, storage, log);
  set_clock(booted, storage, log);
  if (!boards::wait_for_randomness(std::chrono::seconds(30))) {
    add_problem(booted, "the kernel has no random numbers, so no keys can be made");
  }
  return booted;
}

}  // namespace tripod::appliance
