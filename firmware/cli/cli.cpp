#include "firmware/cli/cli.h"

#include <signal.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <format>
#include <ranges>

#include "firmware/appliance/appliance.h"
#include "firmware/appliance/board_slots.h"
#include "firmware/cli/api_command.h"
#include "firmware/cli/arguments.h"
#include "firmware/cli/init_command.h"
#include "firmware/cli/pki_command.h"
#include "firmware/cli/reset_command.h"
#include "firmware/cli/snapshot_command.h"
#include "firmware/cli/update_command.h"
#include "firmware/cli/version.h"
#include "firmware/node/config.h"
#include "firmware/node/credentials.h"
#include "firmware/node/node.h"
#include "firmware/node/plausible.h"
#include "firmware/node/provisioning/authorities.h"
#include "firmware/node/provisioning/join.h"
#include "platform/async/sync.h"
#include "platform/boards/supervise/heartbeat.h"
#include "platform/ini/problems.h"
#include "platform/linux/machine.h"

namespace tripod::cli {
namespace {

constexpr int exit_failure = 1;
constexpr int exit_usage = 2;

constexpr std::string_view usage =
    "usage: tripod COMMAND\n"
    "  run --config FILE [--section.key=value ...]     run this board\n"
    "  check-config FILE [--no-files] [--section.key=value ...]\n"
    "                                                  say what is wrong with a configuration;\n"
    "                                                  --no-files: where its certificates are not\n"
    "  init --dir DIR --address IP/PREFIX[,IP/PREFIX...] [--boards N] [--gateway IP]\n"
    "       [--nameservers IP,...] [--ntp-servers NAME,...] [--names NAME,...]\n"
    "       [--service-cidr 10.96.0.0/16] [--token tripod] [--signers N]\n"
    "                                                  make what the cards of a new cluster need;\n"
    "                                                  the first N boards (all) hold the keys of\n"
    "                                                  the authorities, and sign\n"
    "  pki init --dir DIR --board NAME=IP[,NAME=IP...] [--service-cidr 10.96.0.0/16]\n"
    "           [--names NAME,...] [--lifetime 8760h]  make authorities and certificates\n"
    "  pki update-key --dir DIR                        make the key that signs updates\n";
constexpr std::string_view usage_end =
    "  version                                         print the version\n"
    "  help [COMMAND]                                  this, or what is about one command\n";

constexpr std::string_view about_kubeconfig =
    "Without --kubeconfig: the file that KUBECONFIG names, else admin.conf.\n";

std::string whole_usage() {
  return std::format("{}{}{}{}{}{}{}", usage, api_usage, reset_usage, snapshot_usage, update_usage,
                     usage_end, about_kubeconfig);
}

/// The commands of the usage, each once, and where to read on.
std::string hint_of_help() {
  const std::string whole = whole_usage();
  std::string names;
  std::string_view last;
  for (const auto part : std::views::split(whole, '\n')) {
    std::string_view line(part.begin(), part.end());
    if (!line.starts_with("  ") || line.starts_with("   ")) continue;
    line.remove_prefix(2);
    const std::string_view name = line.substr(0, line.find(' '));
    if (name != last) names += std::format("{}{}", names.empty() ? "" : ", ", name);
    last = name;
  }
  return std::format("commands: {}; `tripod help COMMAND` shows one, `tripod help` all\n", names);
}

/// Of one command: its entries, a line that begins with two blanks and those below it that are
/// indented further. Empty if there is none such.
std::string usage_of(std::string_view command) {
  const std::string whole = whole_usage();
  std::string out;
  bool inside = false;
  for (const auto part : std::views::split(whole, '\n')) {
    const std::string_view line(part.begin(), part.end());
    const bool goes_on = line.starts_with("   ");
    if (!goes_on) inside = line.starts_with(std::format("  {} ", command));
    if (inside) out += std::format("{}\n", line);
  }
  if (out.empty()) return "";
  return std::format("usage: tripod ...\n{}{}", out,
                     out.contains("--kubeconfig") ? about_kubeconfig : "");
}

void print(std::FILE* to, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), to);
}

int complain(std::string_view message) {
  print(stderr, std::format("tripod: {}\n", message));
  return exit_failure;
}

int wrong_usage(std::string_view message, std::string_view command = "") {
  const std::string of_command = usage_of(command);
  print(stderr,
        std::format("tripod: {}\n{}", message, of_command.empty() ? hint_of_help() : of_command));
  return exit_usage;
}

LogLevel level_of(std::string_view name) {
  if (name == "debug") return LogLevel::debug;
  if (name == "warning") return LogLevel::warn;
  return name == "error" ? LogLevel::error : LogLevel::info;
}

Result<node::Config> read_config(linux_os::Machine& machine, const std::string& file,
                                 std::span<const std::string> overrides) {
  auto text = machine.world().storage.read_file(file, ini::file_bytes_max);
  if (!text) return std::unexpected(text.error());
  return node::load_config(*text, file, overrides);
}

int check_config(std::span<const std::string> arguments) {
  std::vector<std::string> rest(arguments.begin(), arguments.end());
  const bool no_files = std::erase(rest, "--no-files") > 0;
  if (rest.empty() || rest[0].starts_with("--")) {
    return wrong_usage("check-config: expected a FILE first, then what is set over it",
                       "check-config");
  }
  auto machine = linux_os::Machine::create(LogLevel::error);
  auto config = read_config(*machine, rest[0], std::span(rest).subspan(1));
  if (!config) return complain(config.error().message);
  ini::Problems problems;
  if (auto plausible = node::check_plausible(*config); !plausible) {
    problems.add(plausible.error().message);
  }
  if (!no_files) {
    auto credentials = node::load_credentials(*config, machine->world(), false);
    if (!credentials) problems.add(credentials.error().message);
    auto authorities = node::Authorities::load(*config, machine->world());
    if (!authorities) problems.add(authorities.error().message);
    for (std::string_view key : {"client-cert-file", "client-key-file"}) {
      const std::string& named = config->values.text("node", key);
      if (named.empty() || config->joins() || machine->world().storage.exists(named)) continue;
      problems.add(std::format("{}: {}: no such file; expected a readable PEM file",
                               config->values.where("node", key), named));
    }
  }
  if (problems.any()) {
    std::string text = problems.text();
    if (text.contains("no such file")) text += "\n(--no-files checks the configuration alone)";
    return complain(text);
  }
  print(stdout, std::format("{}: ok\n", rest[0]));
  return 0;
}

/// A board on its way: what it waits for, then the node.
struct Running {
  linux_os::Machine* machine = nullptr;
  update::Slots* slots = nullptr;  // of a board that is updated over the network
  std::unique_ptr<node::Node> node;
  std::string waits_for;
  async::Signal stop;
  bool asked_to_stop = false;
  int exit_code = 0;

  boards::Heartbeat health() const {
    if (node) return node->health();
    if (waits_for.empty()) return {boards::Health::starting, "starting"};
    return {boards::Health::waiting, waits_for};
  }
};

/// Everything up to a node that serves.
Task<void> begin(Running* running, node::Config config, Result<>* done) {
  const os::World world = running->machine->world();
  *done = co_await node::prepare(world, &config,
                                 [running](std::string text) { running->waits_for = text; });
  if (!*done) co_return;
  auto created =
      node::Node::create(world, std::move(config), !linux_os::Machine::has_aes_instructions());
  if (!created) {
    *done = std::unexpected(created.error());
    co_return;
  }
  running->node = std::move(*created);
  if (running->slots != nullptr) running->node->use_slots(*running->slots);
  running->node->on_end([running](Error why) {
    running->exit_code = complain(why.message);
    running->stop.notify();
  });
  *done = co_await running->node->start();
}

/// Starts the node; when a signal came, or starting failed, stops it, its heartbeats and the loop.
Task<void> live(Running* running, node::Config config, Scope* starting, Scope* beats) {
  Result<> started;
  starting->spawn(begin(running, std::move(config), &started));
  co_await starting->join();
  if (started) {
    co_await running->stop.wait();
  } else if (!running->asked_to_stop) {
    running->exit_code = complain(started.error().message);
  }
  if (running->node) co_await running->node->stop();
  beats->cancel();
  co_await beats->join();
  running->machine->loop().stop();
}

/// Tells process 1 once a second, from the loop, that it turns and how the board is.
Task<void> beat(const Running* running, int descriptor) {
  while (boards::send_heartbeat(descriptor, running->health())) {
    auto slept = co_await async::sleep_for(running->machine->loop(), boards::heartbeat_interval);
    if (!slept) break;
  }
}

struct RunArguments {
  std::string file = "/etc/tripod/tripod.ini";
  int heartbeat_descriptor = -1;  // given by process 1
  std::string board;              // its kind; given by process 1
  bool on_trial = false;          // is its boot slot; given by process 1
  std::span<const std::string> overrides;
};

Result<RunArguments> parse_run(std::span<const std::string> arguments) {
  RunArguments out;
  constexpr std::array with_value{"--config", "--heartbeat-fd", "--board"};
  while (!arguments.empty()) {
    if (arguments[0] == "--on-trial") {
      out.on_trial = true;
      arguments = arguments.subspan(1);
      continue;
    }
    if (arguments.size() < 2 || !std::ranges::contains(with_value, arguments[0])) break;
    const std::string& value = arguments[1];
    if (arguments[0] == "--config") {
      out.file = value;
    } else if (arguments[0] == "--board") {
      out.board = value;
    } else if (auto [end, error] = std::from_chars(value.data(), value.data() + value.size(),
                                                   out.heartbeat_descriptor);
               error != std::errc() || end != value.data() + value.size()) {
      return fail(ErrorCode::invalid,
                  std::format("--heartbeat-fd {}: expected the number of a descriptor", value));
    }
    arguments = arguments.subspan(2);
  }
  out.overrides = arguments;
  return out;
}

int run(std::span<const std::string> arguments) {
  auto parsed = parse_run(arguments);
  if (!parsed) return wrong_usage(parsed.error().message, "run");
  const auto& [file, heartbeat_descriptor, board, on_trial, overrides] = *parsed;
  auto machine = linux_os::Machine::create(LogLevel::info);
  auto config = read_config(*machine, file, overrides);
  if (!config) return complain(config.error().message);
  config->on_trial = on_trial;
  machine->log().set_level(level_of(config->values.text("node", "log-level")));
  appliance::BoardSlots slots(machine->world().storage, board, std::string(version));
  Running running;
  running.machine = machine.get();
  if (!board.empty()) running.slots = &slots;
  {
    Scope beats(machine->loop());
    Scope starting(machine->loop());
    Scope scope(machine->loop());
    for (int number : {SIGTERM, SIGINT}) {
      machine->loop().on_signal(number, [&] {
        running.asked_to_stop = true;
        running.stop.notify();
        starting.cancel();
      });
    }
    if (heartbeat_descriptor >= 0) beats.spawn(beat(&running, heartbeat_descriptor));
    scope.spawn(live(&running, std::move(*config), &starting, &beats));
    machine->loop().run();
  }
  running.node.reset();
  return running.exit_code;
}

int init(std::span<const std::string> arguments) {
  auto machine = linux_os::Machine::create(LogLevel::error);
  auto done = init_cluster(machine->world(), arguments);
  if (!done) return complain(done.error().message);
  print(stdout, *done);
  return 0;
}

int pki(std::span<const std::string> arguments) {
  if (arguments.empty() || (arguments[0] != "init" && arguments[0] != "update-key")) {
    return wrong_usage("pki: expected \"init\" or \"update-key\"", "pki");
  }
  auto machine = linux_os::Machine::create(LogLevel::error);
  const auto rest = arguments.subspan(1);
  auto done = arguments[0] == "init" ? pki_init(machine->world(), rest)
                                     : pki_update_key(machine->world(), rest);
  if (!done) return complain(done.error().message);
  print(stdout, *done);
  return 0;
}

int api(std::string_view command, std::span<const std::string> arguments) {
  if (arguments.empty()) return wrong_usage(std::format("{}: expected a verb", command), command);
  auto machine = linux_os::Machine::create(LogLevel::error);
  auto done = api_command(*machine, command, arguments);
  if (!done) return complain(std::format("{}: {}", command, done.error().message));
  print(stdout, *done);
  return 0;
}

int reset(std::span<const std::string> arguments) {
  auto machine = linux_os::Machine::create(LogLevel::error);
  auto done = reset_command(*machine, arguments);
  if (!done) return complain("reset: " + done.error().message);
  print(stdout, *done);
  return 0;
}

int snapshot(std::span<const std::string> arguments) {
  auto machine = linux_os::Machine::create(LogLevel::error);
  auto done = snapshot_command(*machine, arguments);
  if (!done && done.error() == ErrorCode::invalid && arguments.empty()) {
    return wrong_usage("snapshot: " + done.error().message, "snapshot");
  }
  if (!done) return complain("snapshot: " + done.error().message);
  print(stdout, *done);
  return 0;
}

/// `arguments` with the command's name.
int update(std::span<const std::string> arguments) {
  auto machine = linux_os::Machine::create(LogLevel::error);
  const auto rest = arguments.subspan(1);
  auto done = arguments[0] == "update" ? update_command(*machine, rest)
                                       : update_file_command(*machine, rest);
  if (!done && done.error() == ErrorCode::invalid && rest.empty()) {
    return wrong_usage(std::format("{}: {}", arguments[0], done.error().message), arguments[0]);
  }
  if (!done) return complain(std::format("{}: {}", arguments[0], done.error().message));
  print(stdout, *done);
  return 0;
}

int help(const std::string& command) {
  const std::string text = command.empty() ? whole_usage() : usage_of(command);
  if (text.empty()) return wrong_usage(std::format("unknown command \"{}\"", command));
  print(stdout, text);
  return 0;
}

}  // namespace

int run_command(std::string_view program, std::span<const std::string> arguments) {
  // The kernel starts process 1 with arguments of its own.
  if (appliance::is_board(program)) appliance::run_board(std::string(version));
  if (arguments.empty()) return wrong_usage("expected a command");
  const std::string& command = arguments[0];
  if (std::ranges::any_of(arguments.subspan(1),
                          [](const std::string& a) { return a == "--help" || a == "-h"; })) {
    return help(command);
  }
  if (command == "run") return run(arguments.subspan(1));
  if (command == "check-config") return check_config(arguments.subspan(1));
  if (command == "init") return init(arguments.subspan(1));
  if (command == "token" || command == "board") return api(command, arguments.subspan(1));
  if (command == "reset") return reset(arguments.subspan(1));
  if (command == "pki") return pki(arguments.subspan(1));
  if (command == "snapshot") return snapshot(arguments.subspan(1));
  if (command == "update" || command == "update-file") return update(arguments);
  if (command == "version" || command == "--version") {
    print(stdout, std::format("tripod {}\n", version));
    return 0;
  }
  if (command == "help" || command == "--help" || command == "-h") {
    return help(arguments.size() > 1 ? arguments[1] : "");
  }
  return wrong_usage(std::format("unknown command \"{}\"", command));
}

}  // namespace tripod::cli
