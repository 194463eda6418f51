#include "firmware/cli/reset_command.h"

#include <algorithm>
#include <cstdio>
#include <format>

#include "firmware/cli/arguments.h"
#include "firmware/cli/loop_task.h"
#include "firmware/node/config.h"
#include "firmware/node/provisioning/certificates.h"
#include "firmware/node/provisioning/requests.h"
#include "platform/async/sync.h"
#include "platform/boards/system/mounts.h"

namespace tripod::cli {
namespace {

constexpr std::size_t pem_bytes_max = 64 * 1024;
constexpr Duration connect_limit = std::chrono::seconds(2);

/// Folders of its own that are there: nothing else of the data directory is touched.
std::vector<std::string> folders_of(os::World world, const node::Config& config, bool keep_pki) {
  std::vector<std::string> folders = {node::etcd_data_dir(config)};
  const std::string& snapshots = config.values.text("etcd", "snapshot-dir");
  folders.push_back(snapshots.empty() ? config.data_dir + "/snapshots" : snapshots);
  folders.push_back(config.data_dir + "/board");
  if (!keep_pki) folders.push_back(config.data_dir + "/pki");
  std::erase_if(folders, [&](const std::string& each) { return !world.storage.exists(each); });
  return folders;
}

/// Other boards' API servers, as far as the configuration names them.
std::vector<node::EtcdServer> others(const node::Config& config) {
  std::vector<node::EtcdServer> servers;
  if (auto joined = node::parse_api_url(config.values.text("node", "join"))) {
    servers.push_back(std::move(*joined));
  }
  const auto port = static_cast<std::uint16_t>(config.values.integer("apiserver", "secure-port"));
  for (const std::string& item : config.values.list("etcd", "initial-cluster")) {
    const std::size_t equals = item.find('=');
    auto url = ini::parse_url(item.substr(equals + 1));
    if (!url || item.substr(0, equals) == config.values.text("etcd", "name")) continue;
    servers.push_back({.tls = true, .host = url->address.ip, .port = port});
  }
  return servers;
}

Result<node::Caller> own_caller(os::World world, const node::Config& config) {
  const std::vector<std::string> authorities =
      node::authority_files(config, node::Signer::kubernetes);
  const std::string* paths[] = {authorities.empty() ? nullptr : &authorities.front(),
                                &config.values.text("node", "client-cert-file"),
                                &config.values.text("node", "client-key-file")};
  std::string pems[3];
  for (std::size_t i = 0; i < 3; ++i) {
    if (paths[i] == nullptr || paths[i]->empty()) {
      return fail(ErrorCode::not_found,
                  "[node] client-cert-file: this board has no certificate of "
                  "its own to ask with");
    }
    auto pem = world.storage.read_file(*paths[i], pem_bytes_max);
    if (!pem) return std::unexpected(pem.error());
    pems[i] = std::move(*pem);
  }
  auto context = node::calling_context(world, pems[0], pems[1], pems[2]);
  if (!context) return std::unexpected(context.error());
  return node::Caller{.world = world, .context = std::move(*context), .token = {}};
}

/// Asks the others to remove the member of this board.
Task<Result<std::string>> leave(node::Caller caller, std::vector<node::EtcdServer> servers,
                                std::string name) {
  auto gone = co_await node::ask_boards(std::move(caller), std::move(servers), "DELETE",
                                        std::format("/tripod/v1/boards/{}", name), {});
  if (gone) {
    co_return std::format("left the cluster: etcd member {} removed\n",
                          json::get_string(*gone, "id"));
  }
  if (gone.error().message.contains("no board \"")) {
    co_return std::string("the cluster does not have this board (any more)\n");
  }
  co_return std::unexpected(gone.error());
}

Task<Result<std::string>> look_for_server(os::World world, os::Address address) {
  auto connected = co_await async::with_timeout(world.clock, connect_limit,
                                                async::connect(world.network, address));
  co_return connected ? Result<std::string>("")
                      : Result<std::string>(std::unexpected(connected.error()));
}

bool person_agrees() {
  std::fputs("Type yes to go on: ", stdout);
  std::fflush(stdout);
  char line[16] = {};
  return std::fgets(line, sizeof(line), stdin) != nullptr && std::string_view(line) == "yes\n";
}

Result<std::string> leave_cluster(linux_os::Machine& machine, const node::Config& config) {
  std::vector<node::EtcdServer> servers = others(config);
  const bool has_data = machine.world().storage.exists(node::etcd_data_dir(config) + "/raft.db");
  if (!config.has(node::Role::etcd) || !has_data || servers.empty()) return std::string();
  auto caller = own_caller(machine.world(), config);
  if (!caller) return std::unexpected(caller.error());
  return run_task(machine, leave(std::move(*caller), std::move(servers), config.name));
}

}  // namespace

Result<std::string> reset_command(linux_os::Machine& machine,
                                  std::span<const std::string> arguments) {
  auto flags = parse_arguments(arguments, {"config"}, {"yes", "force", "keep-pki"});
  if (!flags) return std::unexpected(flags.error());
  if (!flags->plain().empty()) return fail(ErrorCode::invalid, "expected flags only");
  const os::World world = machine.world();
  const std::string file = flags->get("config", "/etc/tripod/tripod.ini");
  auto text = world.storage.read_file(file, ini::file_bytes_max);
  if (!text) return wrap("--config " + file, text.error());
  auto config = node::load_config(*text, file, {});
  if (!config) return std::unexpected(config.error());
  const os::Address metrics = config->values.address("metrics", "listen");
  if (run_task(machine, look_for_server(world, metrics))) {
    return fail(ErrorCode::conflict, std::format("{} runs: {} answers; stop it first", config->name,
                                                 metrics.to_string()));
  }
  const std::vector<std::string> folders = folders_of(world, *config, flags->on("keep-pki"));
  if (folders.empty()) return std::format("{}: has no data; nothing to do\n", config->name);
  std::string list;
  for (const std::string& folder : folders) list += "  " + folder + "\n";
  std::fputs(
      std::format("{}: leaves its cluster; everything goes in\n{}", config->name, list).c_str(),
      stdout);
  if (!flags->on("yes") && !person_agrees()) {
    return fail(ErrorCode::cancelled, "nothing was removed; expected yes, or --yes");
  }
  auto left = leave_cluster(machine, *config);
  if (!left && !flags->on("force")) {
    return fail(
        left.error().code,
        std::format("could not leave the cluster: {}; nothing was removed. Expected --force "
                    "to remove the data all the same, and later `tripod board remove {}`",
                    left.error().message, config->name));
  }
  std::string said = left ? *left : std::format("still in the cluster: {}\n", left.error().message);
  for (const std::string& folder : folders) {
    if (auto removed = boards::remove_contents(folder); !removed)
      return wrap(folder, removed.error());
    said += std::format("removed: {}\n", folder);
  }
  return said;
}

}  // namespace tripod::cli
