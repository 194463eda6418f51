#include "firmware/cli/snapshot_command.h"

#include <algorithm>
#include <charconv>
#include <format>

#include "firmware/cli/arguments.h"
#include "firmware/etcd/backup/import.h"
#include "firmware/etcd/backup/restore.h"
#include "firmware/etcd/backup/snapshot_file.h"
#include "firmware/etcd/remote/remote_client.h"
#include "firmware/node/config.h"
#include "platform/ini/schema.h"
#include "platform/linux/file_reader.h"
#include "platform/tls/stream.h"

namespace tripod::cli {
namespace {

constexpr std::size_t pem_bytes_max = 64 * 1024;

std::unexpected<Error> wrong(std::string message) {
  return fail(ErrorCode::invalid, std::move(message));
}

etcd::backup::Files files_of(linux_os::Machine& machine) {
  return {machine.world().storage, linux_os::open_file};
}

// --- the other side ---

Result<std::shared_ptr<const tls::Context>> tls_context(linux_os::Machine& machine,
                                                        const Flags& flags) {
  const os::World world = machine.world();
  tls::Options options{.alpn = {"h2"},
                       .prefer_chacha20 = !linux_os::Machine::has_aes_instructions()};
  for (const auto& [flag, out] :
       {std::pair("cacert", &options.authority_pem), std::pair("cert", &options.certificate_pem),
        std::pair("key", &options.key_pem)}) {
    if (!flags.has(flag)) continue;
    auto content = world.storage.read_file(flags.get(flag), pem_bytes_max);
    if (!content) return wrap(std::format("--{}", flag), content.error());
    *out = std::move(*content);
  }
  if (options.authority_pem.empty()) return wrong("--cacert: expected the file of the authority");
  if (options.certificate_pem.empty() != options.key_pem.empty()) {
    return wrong("--cert and --key: expected both or none");
  }
  return tls::Context::open(tls::Context::Side::client, std::move(options), world.entropy);
}

Result<etcd::RemoteOptions> remote_options(linux_os::Machine& machine, const Flags& flags,
                                           std::string_view flag) {
  etcd::RemoteOptions options;
  bool needs_tls = false;
  for (const std::string& text : ini::split_list(flags.get(flag))) {
    auto server = node::parse_endpoint(text);
    if (!server) return wrap(std::format("--{}", flag), server.error());
    needs_tls = needs_tls || server->tls;
    options.endpoints.push_back({server->host, server->port, server->tls});
  }
  if (options.endpoints.empty()) {
    return wrong(
        std::format("--{}: expected where etcd listens, as https://192.168.1.21:2379", flag));
  }
  if (!needs_tls) return options;
  auto context = tls_context(machine, flags);
  if (!context) return std::unexpected(context.error());
  options.tls = [world = machine.world(), context = *context](std::unique_ptr<os::Stream> lower,
                                                              std::string host) {
    return tls::connect(world, context, std::move(lower), std::move(host));
  };
  return options;
}

bool any_plain(const etcd::RemoteOptions& options) {
  return std::ranges::any_of(options.endpoints, [](const auto& each) { return !each.tls; });
}

/// A port of TLS closes a connection that speaks plainly, without a word. (The status of a call
/// keeps no more of the error than its text.)
std::unexpected<Error> not_answered(Error error, bool plain) {
  if (plain && error.message.contains("closed the connection")) {
    error.message +=
        "; it was asked over http://, and a member with certificates answers https:// only";
  }
  return std::unexpected(std::move(error));
}

template <typename T>
Task<void> ask(etcd::RemoteClient* client, Task<Result<T>> task, Result<T>* out,
               linux_os::Loop* loop) {
  *out = co_await std::move(task);
  co_await client->stop();
  loop->stop();
}

/// Runs the loop until the task has ended.
template <typename T>
Result<T> wait(linux_os::Machine& machine, etcd::RemoteClient& client, Task<Result<T>> task) {
  Result<T> result = fail(ErrorCode::cancelled, "interrupted");
  {
    Scope scope(machine.loop());
    scope.spawn(ask(&client, std::move(task), &result, &machine.loop()));
    machine.loop().run();
  }
  return result;
}

// --- save and import ---

Result<std::string> the_file(const Flags& flags) {
  if (flags.plain().size() != 1) return wrong("expected one FILE");
  return flags.plain()[0];
}

Result<std::string> save(linux_os::Machine& machine, const Flags& flags) {
  auto file = the_file(flags);
  if (!file) return file;
  auto options = remote_options(machine, flags, "endpoints");
  if (!options) return std::unexpected(options.error());
  if (options->endpoints.size() != 1) {
    return wrong("--endpoints: a snapshot is of one member; expected one endpoint");
  }
  os::Storage& storage = machine.world().storage;
  const std::string part = *file + ".part";
  auto writer = storage.create_file(part, 0600);
  if (!writer) return std::unexpected(writer.error());
  const bool plain = any_plain(*options);
  etcd::RemoteClient client(machine.world(), std::move(*options));
  auto size = wait(machine, client,
                   client.snapshot([&](BytesView piece) { return (*writer)->append(piece); }));
  Result<> done;
  if (!size) done = not_answered(size.error(), plain);
  if (done) done = (*writer)->sync();
  if (done)
    done = etcd::backup::read_snapshot(files_of(machine), part, etcd::backup::HashCheck::required,
                                       nullptr);
  if (done) done = storage.rename_file(part, *file);
  if (!done) {
    (void)storage.remove_file(part);
    return std::unexpected(done.error());
  }
  return std::format("Snapshot saved at {} ({} bytes)\n", *file, *size);
}

Result<std::string> import_etcd(linux_os::Machine& machine, const Flags& flags) {
  auto file = the_file(flags);
  if (!file) return file;
  auto options = remote_options(machine, flags, "from");
  if (!options) return std::unexpected(options.error());
  const bool plain = any_plain(*options);
  etcd::RemoteClient client(machine.world(), std::move(*options));
  auto report =
      wait(machine, client, etcd::backup::import_snapshot(machine.world(), &client, *file));
  if (!report) return not_answered(report.error(), plain);
  return std::format(
      "{}: {} keys and {} leases at revision {}; `tripod snapshot restore` makes members of it\n",
      *file, report->keys, report->leases, report->revision);
}

// --- status ---

/// "94 MB", as etcdutl prints sizes.
std::string human_size(std::int64_t bytes) {
  constexpr std::string_view units[] = {"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1000 && unit + 1 < std::size(units)) {
    value /= 1000;
    ++unit;
  }
  return unit > 0 && value < 10 ? std::format("{:.1f} {}", value, units[unit])
                                : std::format("{:.0f} {}", value, units[unit]);
}

std::string table_of(const std::vector<std::pair<std::string, std::string>>& columns) {
  std::string line = "+";
  std::string head = "|";
  std::string row = "|";
  for (const auto& [name, value] : columns) {
    const std::size_t width = std::max(name.size(), value.size());
    line += std::string(width + 2, '-') + "+";
    head += std::format(" {:^{}} |", name, width);
    row += std::format(" {:>{}} |", value, width);
  }
  return line + "\n" + head + "\n" + line + "\n" + row + "\n" + line + "\n";
}

Result<std::string> status(linux_os::Machine& machine, const Flags& flags) {
  auto file = the_file(flags);
  if (!file) return file;
  const std::string form = flags.get("write-out", "simple");
  if (form != "simple" && form != "json" && form != "table") {
    return wrong(std::format("--write-out {}: expected simple, json or table", form));
  }
  auto found = etcd::backup::snapshot_status(files_of(machine), *file);
  if (!found) return std::unexpected(found.error());
  const std::string hash = std::format("{:x}", found->hash);
  const std::string size = human_size(found->total_size);
  if (form == "json") {
    return std::format(
        "{{\"hash\":{},\"revision\":{},\"totalKey\":{},\"totalSize\":{},\"version\":\"{}\"}}\n",
        found->hash, found->revision, found->total_keys, found->total_size, found->version);
  }
  if (form == "table") {
    return table_of({{"HASH", hash},
                     {"REVISION", std::to_string(found->revision)},
                     {"TOTAL KEYS", std::to_string(found->total_keys)},
                     {"TOTAL SIZE", size},
                     {"VERSION", found->version}});
  }
  return std::format("{}, {}, {}, {}, {}\n", hash, found->revision, found->total_keys, size,
                     found->version);
}

// --- restore ---

Result<std::string> restore(linux_os::Machine& machine, const Flags& flags) {
  auto file = the_file(flags);
  if (!file) return file;
  etcd::backup::RestoreOptions options;
  options.snapshot = *file;
  options.name = flags.get("name", options.name);
  options.data_dir = flags.get("data-dir", options.name + ".etcd");
  options.initial_cluster = flags.get("initial-cluster", options.name + "=http://127.0.0.1:2380");
  // As of [etcd] initial-cluster-token.
  options.initial_cluster_token = flags.get("initial-cluster-token", "tripod");
  options.initial_advertise_peer_urls = ini::split_list(flags.get("initial-advertise-peer-urls"));
  options.skip_hash_check = flags.on("skip-hash-check");
  options.mark_compacted = flags.on("mark-compacted");
  const std::string bump = flags.get("bump-revision", "0");
  const auto [end, error] =
      std::from_chars(bump.data(), bump.data() + bump.size(), options.bump_revision);
  if (error != std::errc() || end != bump.data() + bump.size()) {
    return wrong(std::format("--bump-revision {}: expected a number of revisions", bump));
  }
  auto report = etcd::backup::restore_snapshot(files_of(machine), options);
  if (!report) return std::unexpected(report.error());
  return std::format("{}: member {:x} ({}) of cluster {:x}, {} members, revision {}\n",
                     options.data_dir, report->member, options.name, report->cluster,
                     report->members, report->revision);
}

}  // namespace

Result<std::string> snapshot_command(linux_os::Machine& machine,
                                     std::span<const std::string> arguments) {
  using Do = Result<std::string> (*)(linux_os::Machine&, const Flags&);
  const auto run = [&](Do act, std::initializer_list<std::string_view> known,
                       std::initializer_list<std::string_view> switches) -> Result<std::string> {
    std::vector<std::string> given(arguments.begin() + 1, arguments.end());
    for (std::string& argument : given) {
      if (argument == "-w") argument = "--write-out";
    }
    auto flags = parse_arguments(given, known, switches);
    if (!flags) return std::unexpected(flags.error());
    return act(machine, *flags);
  };
  const std::string_view verb = arguments.empty() ? std::string_view() : arguments[0];
  if (verb == "save") return run(save, {"endpoints", "cacert", "cert", "key"}, {});
  if (verb == "status") return run(status, {"write-out"}, {});
  if (verb == "import") return run(import_etcd, {"from", "cacert", "cert", "key"}, {});
  if (verb == "restore") {
    return run(restore,
               {"data-dir", "name", "initial-cluster", "initial-cluster-token",
                "initial-advertise-peer-urls", "bump-revision"},
               {"skip-hash-check", "mark-compacted"});
  }
  return wrong("expected save, status, restore or import");
}

}  // namespace tripod::cli
