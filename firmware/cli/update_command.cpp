#include "firmware/cli/update_command.h"

#include <charconv>
#include <cstdio>
#include <format>
#include <list>

#include "firmware/cli/admin.h"
#include "firmware/cli/arguments.h"
#include "firmware/cli/version.h"
#include "firmware/update/rollout.h"
#include "platform/async/sync.h"
#include "platform/base/sha256.h"
#include "platform/http/network_transport.h"
#include "platform/ini/schema.h"
#include "platform/json/json.h"
#include "platform/pki/signature.h"
#include "platform/tls/stream.h"

namespace tripod::cli {
namespace {

constexpr std::size_t pem_bytes_max = 64 * 1024;
constexpr std::size_t answer_bytes_max = 1 << 20;
constexpr std::uint16_t board_port = 6444;
constexpr std::size_t sector_bytes = 512;
constexpr std::chrono::seconds ask_timeout{30};
constexpr std::size_t file_bytes_max =
    boards::update_image_bytes_max + boards::update_head_bytes_max;
constexpr std::string_view endpoints_path = "/api/v1/namespaces/default/endpoints/kubernetes";

std::unexpected<Error> wrong(std::string message) {
  return fail(ErrorCode::invalid, std::move(message));
}

// --- the cluster ---

struct Access {
  kube::Kubeconfig config;
  std::shared_ptr<const tls::Context> context;
};

Result<Access> open_access(os::World world, const Flags& flags) {
  auto admin = read_admin(world, flags);
  if (!admin) return std::unexpected(admin.error());
  tls::Options options{.alpn = {"h2", "http/1.1"},
                       .prefer_chacha20 = !linux_os::Machine::has_aes_instructions()};
  options.authority_pem = std::move(admin->authority_pem);
  options.certificate_pem = std::move(admin->certificate_pem);
  options.key_pem = std::move(admin->key_pem);
  auto context = tls::Context::open(tls::Context::Side::client, std::move(options), world.entropy);
  if (!context) return wrap(admin->file, context.error());
  return Access{std::move(admin->config), std::move(*context)};
}

/// Connections to whoever is asked; to be drained before it dies.
class Connections {
 public:
  Connections(linux_os::Machine& machine, Access access)
      : machine_(machine), access_(std::move(access)) {}

  http::Transport& to(const std::string& host, std::uint16_t port, const std::string& name) {
    http::NetworkOptions options{.host = host, .port = port};
    options.connect_timeout = ask_timeout;
    options.tls = [world = machine_.world(), context = access_.context,
                   name](std::unique_ptr<os::Stream> lower) {
      return tls::connect(world, context, std::move(lower), name);
    };
    return transports_.emplace_back(machine_.loop(), machine_.loop(), machine_.world().network,
                                    std::move(options));
  }
  http::Transport& to_server() {
    const kube::Kubeconfig& config = access_.config;
    return to(config.host, config.port,
              config.tls_server_name.empty() ? config.host : config.tls_server_name);
  }
  const std::string& server() const { return access_.config.server; }
  Task<void> drain() {
    for (http::NetworkTransport& each : transports_) co_await each.drain();
  }

 private:
  linux_os::Machine& machine_;
  Access access_;
  std::list<http::NetworkTransport> transports_;
};

/// "192.168.1.11", "192.168.1.11:6444", "[fd00::1]:6444".
Result<os::Address> parse_board(const std::string& text) {
  for (const std::string& form :
       {text, std::format("{}:{}", text, board_port), std::format("[{}]:{}", text, board_port)}) {
    if (auto address = os::parse_address(form)) return *address;
  }
  return wrong(
      std::format("--boards \"{}\": expected an IP address, as 192.168.1.11 or "
                  "192.168.1.11:6444",
                  text));
}

/// Every API server that the cluster publishes.
Task<Result<std::vector<os::Address>>> discover(http::Transport* server, std::string whom,
                                                os::Clock* clock) {
  http::RequestHead head{.method = "GET", .path = std::string(endpoints_path)};
  auto answer = co_await async::with_timeout(
      *clock, ask_timeout, http::fetch(*server, std::move(head), {}, answer_bytes_max));
  if (!answer) {
    co_return fail(answer.error().code,
                   std::format("asking {} which boards there are: {}; name them by --boards", whom,
                               answer.error().message));
  }
  auto document = json::parse(answer->body);
  std::vector<os::Address> found;
  const json::Array* subsets = document ? json::get_array(*document, "subsets") : nullptr;
  for (std::size_t i = 0; subsets != nullptr && i < subsets->size(); ++i) {
    const json::Array* ports = json::get_array((*subsets)[i], "ports");
    const json::Array* addresses = json::get_array((*subsets)[i], "addresses");
    if (ports == nullptr || addresses == nullptr || ports->empty()) continue;
    const auto port = json::get_int((*ports)[0], "port").value_or(board_port);
    for (const json::Value& each : *addresses) {
      found.push_back(
          {std::string(json::get_string(each, "ip")), static_cast<std::uint16_t>(port)});
    }
  }
  if (found.empty()) {
    const std::string reason(document ? json::get_string(*document, "message") : "");
    co_return fail(
        ErrorCode::not_found,
        std::format("{} names no boards (status {}{}{}); name them by --boards", endpoints_path,
                    answer->head.status, reason.empty() ? "" : ": ", reason));
  }
  co_return found;
}

Task<Result<std::vector<os::Address>>> choose_boards(linux_os::Machine* machine,
                                                     Connections* connections, std::string given) {
  if (given.empty()) {
    co_return co_await discover(&connections->to_server(), connections->server(), &machine->loop());
  }
  std::vector<os::Address> boards;
  for (const std::string& text : ini::split_list(given)) {
    auto address = parse_board(text);
    if (!address) co_return std::unexpected(address.error());
    boards.push_back(std::move(*address));
  }
  co_return boards;
}

void say(std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fwrite("\n", 1, 1, stdout);
  std::fflush(stdout);
}

Task<Result<std::string>> work(linux_os::Machine* machine, Connections* connections,
                               std::string given, Bytes file) {
  auto boards = co_await choose_boards(machine, connections, std::move(given));
  if (!boards) co_return std::unexpected(boards.error());
  const bool only_status = file.empty();
  update::RolloutOptions options{.boards = {}, .file = std::move(file), .say = say};
  for (const os::Address& address : *boards) {
    options.boards.push_back(
        {address.to_string(), &connections->to(address.ip, address.port, address.ip)});
  }
  update::Rollout rollout(std::move(options), machine->loop());
  if (!only_status) {
    auto done = co_await rollout.run();
    if (!done) co_return std::unexpected(done.error());
    co_return "";
  }
  const auto found = co_await rollout.statuses();
  std::size_t unknown = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!found[i]) ++unknown;
    say(found[i] ? update::describe(*found[i])
                 : std::format("{}: {}", (*boards)[i].to_string(), found[i].error().message));
  }
  if (unknown == 0) co_return "";
  co_return fail(ErrorCode::unavailable,
                 std::format("{} of {} boards did not say how they are", unknown, found.size()));
}

Task<void> work_and_stop(linux_os::Machine* machine, Connections* connections, std::string given,
                         Bytes file, Result<std::string>* out) {
  *out = co_await work(machine, connections, std::move(given), std::move(file));
  co_await connections->drain();
  machine->loop().stop();
}

// --- files ---

Result<std::string> pack(linux_os::Machine& machine, std::span<const std::string> arguments) {
  auto flags = parse_flags(arguments, {"board", "build", "image", "key", "output", "version"});
  if (!flags) return std::unexpected(flags.error());
  std::string missing;
  for (std::string_view needed : {"board", "build", "image", "key", "output"}) {
    if (!flags->has(needed)) missing += std::format("{}--{}", missing.empty() ? "" : ", ", needed);
  }
  if (!missing.empty()) return wrong(std::format("{}: missing; expected with a value", missing));
  const os::World world = machine.world();
  auto key = world.storage.read_file(flags->get("key"), pem_bytes_max);
  if (!key) return wrap("--key", key.error());
  auto image = world.storage.read_file(flags->get("image"), file_bytes_max);
  if (!image) return wrap("--image", image.error());
  if (image->empty() || image->size() % sector_bytes != 0) {
    return wrong(
        std::format("--image {}: {} bytes; expected the file system of a boot slot, in "
                    "whole sectors of {} bytes",
                    flags->get("image"), image->size(), sector_bytes));
  }
  boards::UpdateManifest manifest{
      .board = flags->get("board"),
      .version = flags->has("version") ? flags->get("version") : std::string(version),
      .image_bytes = image->size()};
  const std::string build = flags->get("build");
  auto [end, error] = std::from_chars(build.data(), build.data() + build.size(), manifest.build);
  if (error != std::errc() || end != build.data() + build.size()) {
    return wrong(std::format("--build {}: expected seconds since 1970", build));
  }
  if (auto fine = boards::check_update_fits(manifest, manifest.board, manifest.version); !fine) {
    return wrong("--version: " + fine.error().message);
  }
  Sha256 hash;
  hash.update(*image);
  manifest.image_sha256 = to_hex(hash.finish());
  auto signature = pki::sign(*key, boards::signed_text(manifest), world.entropy);
  if (!signature) {
    return wrong(std::format("--key {}: {}; expected update.key of `tripod init`, in PEM",
                             flags->get("key"), signature.error().message));
  }
  Bytes file = boards::encode_update_head(manifest, *signature) + *image;
  if (auto whole = update::check_update_file(file); !whole) return wrong(whole.error().message);
  auto kept = world.storage.replace_file(flags->get("output"), file, 0644);
  if (!kept) return std::unexpected(kept.error());
  return std::format("{}: tripod {} for {}, {} bytes\n", flags->get("output"), manifest.version,
                     manifest.board, file.size());
}

Result<std::string> show(linux_os::Machine& machine, std::span<const std::string> arguments) {
  auto flags = parse_arguments(arguments, {"key"}, {});
  if (!flags) return std::unexpected(flags.error());
  if (flags->plain().size() != 1) return wrong("expected one FILE");
  os::Storage& storage = machine.world().storage;
  auto file = storage.read_file(flags->plain()[0], file_bytes_max);
  if (!file) return std::unexpected(file.error());
  auto head = update::check_update_file(*file);
  if (!head) return std::unexpected(head.error());
  std::string text = std::format("board {}\nversion {}\nbuild {}\nbytes {}\nsha256 {}\n",
                                 head->manifest.board, head->manifest.version, head->manifest.build,
                                 head->manifest.image_bytes, head->manifest.image_sha256);
  if (!flags->has("key")) return text + "signature not checked; name the public key by --key\n";
  auto key = storage.read_file(flags->get("key"), pem_bytes_max);
  if (!key) return wrap("--key", key.error());
  auto ours = pki::verify(*key, head->signed_text, head->signature);
  if (!ours) {
    return wrong(
        std::format("--key {}: {}; expected the update.pub beside the update.key that signed",
                    flags->get("key"), ours.error().message));
  }
  return text + "signature by this key\n";
}

}  // namespace

Result<std::string> update_command(linux_os::Machine& machine,
                                   std::span<const std::string> arguments) {
  auto flags = parse_arguments(arguments, {"kubeconfig", "boards"}, {});
  if (!flags) return std::unexpected(flags.error());
  if (flags->plain().size() != 1) return wrong("expected one FILE, or \"status\"");
  const os::World world = machine.world();
  Bytes file;
  if (flags->plain()[0] != "status") {
    auto read = world.storage.read_file(flags->plain()[0], file_bytes_max);
    if (!read) return std::unexpected(read.error());
    // What is no update file is said before anybody is asked.
    if (auto whole = update::check_update_file(*read); !whole) {
      return fail(whole.error().code,
                  std::format("{}: {}", flags->plain()[0], whole.error().message));
    }
    file = std::move(*read);
  }
  auto access = open_access(world, *flags);
  if (!access) return std::unexpected(access.error());
  Result<std::string> result = fail(ErrorCode::cancelled, "interrupted");
  Connections connections(machine, std::move(*access));
  {
    Scope scope(machine.loop());
    scope.spawn(
        work_and_stop(&machine, &connections, flags->get("boards"), std::move(file), &result));
    machine.loop().run();
  }
  return result;
}

Result<std::string> update_file_command(linux_os::Machine& machine,
                                        std::span<const std::string> arguments) {
  if (!arguments.empty() && arguments[0] == "pack") return pack(machine, arguments.subspan(1));
  if (!arguments.empty() && arguments[0] == "show") return show(machine, arguments.subspan(1));
  return wrong("expected pack or show");
}

}  // namespace tripod::cli
