#include "firmware/appliance/appliance.h"

#include <format>

#include "firmware/appliance/boot.h"
#include "firmware/appliance/clock_floor.h"
#include "firmware/appliance/server.h"
#include "firmware/appliance/slot_trial.h"
#include "firmware/appliance/status_screen.h"
#include "platform/boards/net/mdns/mdns_responder.h"
#include "platform/boards/net/network_setup.h"
#include "platform/boards/supervise/watchdog.h"
#include "platform/boards/system/machine_state.h"
#include "platform/boards/system/mounts.h"
#include "platform/boards/system/power_button.h"
#include "platform/boards/system/signals_of_life.h"
#include "platform/boards/time/time_keeper.h"
#include "platform/linux/machine.h"

namespace tripod::appliance {
namespace {

constexpr int signal_interrupt = 2;
constexpr int signal_user_1 = 10;
constexpr int signal_user_2 = 12;
constexpr int signal_terminate = 15;
constexpr int signal_child_ended = 17;

constexpr const char* watchdog_device = "/dev/watchdog0";
constexpr Duration patience_to_stop = std::chrono::seconds(20);
constexpr Duration reminder_interval = std::chrono::seconds(60);
constexpr Duration save_interval = std::chrono::hours(1);  // of the time: one small write
constexpr Duration show_delay = std::chrono::milliseconds(700);
constexpr Duration show_interval = std::chrono::seconds(10);
constexpr std::size_t screen_columns = 80;
constexpr std::chrono::seconds shutdown_limit{120};

class Appliance {
 public:
  Appliance(linux_os::Machine& machine, std::string version)
      : machine_(machine),
        version_(std::move(version)),
        loop_(machine.loop()),
        log_(machine.log(), "board"),
        scope_(machine.loop()) {}

  /// Turns until the machine ends.
  void run(Result<> mounted);

 private:
  void start_network();
  void network_changed();
  void start_watchdog();
  void feed();
  void start_server();
  void reap();
  void wait_for_person();
  void start_trial();
  void start_clock();
  void announce_name();
  void name_taken(const boards::Ip& other);
  Task<void> keep_saving_time();
  void write_names();
  /// Shows the board's state soon, unless it shows already.
  void show();
  void show_now();
  StatusFacts facts() const;
  std::string memory() const;
  std::vector<std::string> address_conflicts() const;
  void heard(const boards::Heartbeat& heartbeat);
  void end(boards::Ending ending, std::string_view why);
  Task<void> shut_down(boards::Ending ending);

  linux_os::Machine& machine_;
  std::string version_;
  linux_os::Loop& loop_;
  Logger log_;
  Scope scope_;
  Booted booted_;
  std::unique_ptr<boards::NetworkSetup> network_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<SlotTrial> trial_;
  std::optional<boards::Watchdog> watchdog_;
  std::map<int, std::unique_ptr<boards::MdnsResponder>> responders_;  // by interface
  std::string name_taken_by_;
  std::unique_ptr<boards::TimeKeeper> time_;
  std::unique_ptr<boards::PowerButton> power_button_;
  boards::Heartbeat heartbeat_;
  std::string shown_;  // what the screen shows, but for what changes all the time
  std::unique_ptr<os::Operation> showing_;
  std::unique_ptr<os::Operation> feeding_;
  std::unique_ptr<os::Operation> reminder_;
  bool ready_ = false;
  bool network_was_ready_ = false;
  bool ending_ = false;
};

void Appliance::run(Result<> mounted) {
  boards::show_light("/sys", boards::Light::slow);
  booted_ = boot(machine_.world().storage, std::move(mounted), log_);
  std::ignore = boards::set_hostname(booted_.settings.hostname.empty() ? "tripod"
                                                                       : booted_.settings.hostname);
  write_names();
  loop_.on_signal(signal_child_ended, [this] { reap(); });
  loop_.on_signal(signal_terminate, [this] { end(boards::Ending::power_off, "asked by SIGTERM"); });
  loop_.on_signal(signal_user_2, [this] { end(boards::Ending::power_off, "asked by SIGUSR2"); });
  loop_.on_signal(signal_user_1, [this] {
    // The server has written the other slot.
    if (trial_->asked_to_try()) end(boards::Ending::try_other_slot, "an update is to be tried");
  });
  loop_.on_signal(signal_interrupt, [this] { end(boards::Ending::reboot, "asked by SIGINT"); });
  power_button_ = std::make_unique<boards::PowerButton>(
      loop_, [this] { end(boards::Ending::power_off, "power button"); });
  start_watchdog();
  start_trial();
  if (booted_.config) start_network();
  if (!booted_.problem.empty()) wait_for_person();
  show();  // also where no network ever comes
  loop_.run();
}

void Appliance::start_trial() {
  SlotTrial::Options options{.limits = {.patience = booted_.settings.update_patience},
                             .writable = booted_.data == DataState::writable,
                             .changed = [this] { show(); },
                             .give_up =
                                 [this](std::string_view why) {
                                   end(boards::Ending::reboot,
                                       std::format("back to the old slot: {}", why));
                                 }};
  trial_ = std::make_unique<SlotTrial>(std::move(options), machine_.world().storage, loop_, log_);
  trial_->begin();
  if (!booted_.problem.empty()) trial_->health(false, booted_.problem);
}

void Appliance::start_network() {
  network_ = std::make_unique<boards::NetworkSetup>(
      boards::NetworkSetup::Options{
          .plan = booted_.settings.network,
          .hostname = booted_.settings.hostname,
          .draw = [this] { return static_cast<std::uint32_t>(machine_.world().entropy.next()); },
          .changed = [this] { network_changed(); }},
      loop_, log_);
  if (auto started = network_->start(); !started) {
    booted_.problem += std::format("network: {}", started.error().message);
  }
}

void Appliance::network_changed() {
  write_names();  // DHCP may have named servers
  announce_name();
  show();
  if (network_was_ready_) return;
  if (!network_->ready()) {
    // Two boards with one address are two members with one name: this one does not begin.
    if (!address_conflicts().empty()) boards::show_light("/sys", boards::Light::fast);
    return;
  }
  if (booted_.problem.empty()) boards::show_light("/sys", boards::Light::slow);
  network_was_ready_ = true;
  say_phase("network");
  start_clock();
  if (booted_.problem.empty()) start_server();
}

/// "<hostname>.local" on each interface that has an address.
void Appliance::announce_name() {
  for (const boards::NetworkSetup::Interface& each : network_->interfaces()) {
    if (each.link == 0 || each.addresses.empty()) continue;
    auto& responder = responders_[each.link];
    if (!responder) {
      boards::MdnsResponder::Options options{.link = each.link,
                                             .interface = each.name,
                                             .hostname = booted_.settings.hostname,
                                             .conflict = {}};
      options.conflict = [this](const boards::Ip& other) { name_taken(other); };
      auto opened = boards::MdnsResponder::open(std::move(options), loop_);
      if (!opened) {
        log_.warn("no name in .local", LogField("error", opened.error().to_string()));
        continue;
      }
      responder = std::move(*opened);
    }
    std::vector<boards::Ip> addresses;
    for (const boards::IpPrefix& address : each.addresses) addresses.push_back(address.ip);
    responder->announce(std::move(addresses));
  }
}

void Appliance::name_taken(const boards::Ip& other) {
  // Our own address on another interface is no stranger.
  for (const boards::NetworkSetup::Interface& each : network_->interfaces()) {
    for (const boards::IpPrefix& address : each.addresses) {
      if (address.ip == other) return;
    }
  }
  if (!name_taken_by_.empty()) return;  // its other addresses are no news
  name_taken_by_ = other.to_string();
  log_.error("another board has this board's name; give one of them another [board] hostname",
             LogField("name", booted_.settings.hostname), LogField("other", name_taken_by_));
  show();
}

void Appliance::write_names() {
  std::vector<std::string> nameservers = booted_.settings.nameservers;
  if (nameservers.empty() && network_) nameservers = network_->nameservers();
  auto written =
      boards::write_name_files(booted_.settings.hostname, booted_.settings.hosts, nameservers);
  if (!written) log_.warn("no name files", LogField("error", written.error().to_string()));
}

void Appliance::start_clock() {
  time_ = std::make_unique<boards::TimeKeeper>(
      boards::TimeKeeper::Options{.floor = booted_.clock_floor,
                                  .servers =
                                      [this] {
                                        const auto& named = booted_.settings.ntp_servers;
                                        return named.empty() ? network_->ntp_servers() : named;
                                      },
                                  .changed = [this] { show(); }},
      machine_.world(), loop_, log_);
  scope_.spawn(time_->run());
  scope_.spawn(keep_saving_time());
}

/// Only a time that servers gave is worth keeping: a wrong one would become the floor of the next
/// boot.
Task<void> Appliance::keep_saving_time() {
  if (booted_.data != DataState::writable) co_return;
  os::World world = machine_.world();
  while (true) {
    if (time_->synchronized()) {
      auto saved = co_await async::run_on(world.storage_lane,
                                          [storage = &world.storage, now = loop_.wall_now()] {
                                            return save_time(*storage, saved_time_file, now);
                                          });
      if (!saved) log_.warn("time not saved", LogField("error", saved.error().to_string()));
    }
    const Duration pause =
        time_->synchronized() ? save_interval : Duration(std::chrono::seconds(10));
    if (auto slept = co_await async::sleep_for(loop_, pause); !slept) co_return;
  }
}

void Appliance::show() {
  if (!showing_) showing_ = loop_.call_at(loop_.now() + show_delay, [this] { show_now(); });
}

void Appliance::show_now() {
  StatusFacts now = facts();
  boards::write_screen(render_status(now, screen_columns));
  // The clock on the screen goes on, and so on; a serial line scrolls, and gets only what is news.
  now.time.clear();
  now.memory.clear();
  std::string news = render_status(now, screen_columns);
  if (news != shown_) say(render_status(facts(), screen_columns));
  shown_ = std::move(news);
  showing_ = loop_.call_at(loop_.now() + show_interval, [this] { show_now(); });
}

std::vector<std::string> Appliance::address_conflicts() const {
  std::vector<std::string> out;
  if (!network_) return out;
  for (const boards::NetworkSetup::Interface& each : network_->interfaces()) {
    out.insert(out.end(), each.conflicts.begin(), each.conflicts.end());
  }
  return out;
}

std::string Appliance::memory() const {
  const boards::MemoryUse use = boards::memory_use(server_ ? server_->pid() : 0);
  auto mib = [](std::uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); };
  return std::format("{:.1f} MiB server, {:.1f} MiB process 1, {:.0f} of {:.0f} MiB available",
                     mib(use.child_bytes), mib(use.own_bytes), mib(use.available_bytes),
                     mib(use.total_bytes));
}

StatusFacts Appliance::facts() const {
  StatusFacts out;
  out.version = version_;
  out.hostname = booted_.settings.hostname;
  out.board = booted_.board;
  if (network_) {
    for (const boards::NetworkSetup::Interface& each : network_->interfaces()) {
      StatusFacts::Interface shown{.name = each.name, .carrier = each.carrier, .addresses = {}};
      for (const boards::IpPrefix& address : each.addresses) {
        shown.addresses.push_back(address.to_string());
      }
      out.interfaces.push_back(std::move(shown));
    }
  }
  if (booted_.config) out.roles = booted_.config->values.list("node", "roles");
  out.health = "the server does not run";
  if (server_ && server_->state().running) {
    const std::string text = heartbeat_.text.empty() ? "starting" : heartbeat_.text;
    out.health = (ready_ ? "ready: " : "not ready: ") + text;
  }
  out.memory = memory();
  if (server_) {
    out.restarts = server_->restarts();
    out.last_end = server_->last_end();
  }
  out.clock = time_ ? time_->status() : "not synchronized";
  out.time = to_rfc3339(loop_.wall_now());
  out.update = trial_ ? trial_->text() : "";
  out.problem = booted_.problem;
  for (const std::string& conflict : address_conflicts()) {
    out.problem += std::format("{}{}", out.problem.empty() ? "" : "\n", conflict);
  }
  if (!name_taken_by_.empty()) {
    out.problem += std::format("{}{} has the same name; give one of them another [board] hostname",
                               out.problem.empty() ? "" : "\n", name_taken_by_);
  }
  return out;
}

void Appliance::start_server() {
  Server::Options options;
  options.child = [this] {
    boards::ChildSpec spec{
        .program = "/proc/self/exe",
        .arguments = {"run", "--config", configuration_file, "--heartbeat-fd",
                      std::to_string(boards::heartbeat_descriptor), "--board", booted_.board},
        .memory_bytes_max = booted_.settings.memory_bytes_max};
    // The old slot may have to go on with what this server writes.
    if (trial_->on_trial()) spec.arguments.emplace_back("--on-trial");
    return spec;
  };
  options.crash_folder = std::string(state_folder) + "/crashes";
  options.print = [](std::string_view line) { say(std::format("{}\n", line)); };
  options.heard = [this](const boards::Heartbeat& heartbeat) { heard(heartbeat); };
  server_ = std::make_unique<Server>(std::move(options), machine_.world(), loop_, scope_);
  server_->start();
  say_phase("server");
}

void Appliance::heard(const boards::Heartbeat& heartbeat) {
  const bool ready = heartbeat.health == boards::Health::ready;
  if (heartbeat != heartbeat_) show();
  heartbeat_ = heartbeat;
  trial_->health(ready, heartbeat.text);
  if (ready == ready_) return;
  ready_ = ready;
  if (ready) say_phase("ready");
  if (!ready) log_.warn("not ready", LogField("reason", heartbeat.text));
  boards::show_light("/sys", ready ? boards::Light::steady : boards::Light::slow);
}

void Appliance::reap() {
  for (const boards::ChildEnd& each : boards::reap_children()) {
    if (!server_) continue;
    server_->ended(each);
    if (server_->state().running) continue;
    ready_ = false;
    trial_->health(false, std::format("the server ended: {}", server_->last_end()));
    heartbeat_ = {};  // the next server's first one is news
    show();
  }
}

void Appliance::start_watchdog() {
  auto timeout = booted_.config ? booted_.settings.watchdog_timeout : std::chrono::seconds(15);
  if (timeout.count() == 0) return;
  auto watchdog = boards::Watchdog::open(watchdog_device, timeout);
  if (watchdog) {
    watchdog_ = std::move(*watchdog);
    log_.info("watchdog", LogField("device", watchdog_->name()),
              LogField("timeout_s", watchdog_->timeout().count()));
  } else {
    log_.warn("no watchdog; process 1 reboots by itself where it can",
              LogField("error", watchdog.error().to_string()));
  }
  feed();
}

void Appliance::feed() {
  if (ending_) return;  // the end has its own limit
  auto interval = watchdog_ ? watchdog_->timeout() / 3 : std::chrono::seconds(5);
  feeding_ = loop_.call_at(loop_.now() + interval, [this] { feed(); });
  std::optional<std::string> reason;
  if (server_) reason = boards::reason_to_reboot(server_->state(), {}, loop_.now());
  if (watchdog_) watchdog_->feed();
  if (reason) end(boards::Ending::reboot, *reason);
}

void Appliance::wait_for_person() {
  boards::show_light("/sys", boards::Light::fast);
  log_.error("this board waits for a person:");
  std::string_view rest = booted_.problem;
  while (!rest.empty()) {
    std::size_t end = rest.find('\n');
    log_.error(rest.substr(0, end));
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  }
  log_.error("mend it and switch the board off and on");
  show();
  reminder_ = loop_.call_at(loop_.now() + reminder_interval, [this] { wait_for_person(); });
}

void Appliance::end(boards::Ending ending, std::string_view why) {
  if (ending_) return;
  ending_ = true;
  log_.warn(ending == boards::Ending::power_off ? "switching off" : "rebooting",
            LogField("why", why));
  if (watchdog_) watchdog_->extend(shutdown_limit);
  if (trial_) trial_->ends(why);
  scope_.spawn(shut_down(ending));
}

Task<void> Appliance::shut_down(boards::Ending ending) {
  if (server_) co_await server_->stop(patience_to_stop);
  if (time_ && time_->synchronized() && booted_.data == DataState::writable) {
    std::ignore = save_time(machine_.world().storage, saved_time_file, loop_.wall_now());
  }
  for (const char* point : {data_folder, boot_folder}) {
    auto unmounted = boards::unmount(point);
    if (!unmounted) std::ignore = boards::make_read_only(point);
  }
  log_.info("bye");
  if (watchdog_ && ending == boards::Ending::power_off) watchdog_->disarm();
  boards::end_machine(ending);
  log_.error("the kernel refuses to end");  // the watchdog, or a person, may still
}

}  // namespace

bool is_board(std::string_view program) {
  return boards::is_init(program);
}

void run_board(std::string version) {
  Result<> mounted = open_console();
  auto machine = linux_os::Machine::create(LogLevel::info);
  Appliance(*machine, std::move(version)).run(std::move(mounted));
}

}  // namespace tripod::appliance
