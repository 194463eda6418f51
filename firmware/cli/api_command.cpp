#include "firmware/cli/api_command.h"

#include <algorithm>
#include <format>
#include <functional>

#include "firmware/cli/admin.h"
#include "firmware/cli/arguments.h"
#include "firmware/cli/init_command.h"
#include "firmware/cli/loop_task.h"
#include "firmware/cli/pki_command.h"
#include "firmware/kube/client/cluster_info.h"
#include "firmware/node/provisioning/requests.h"
#include "platform/ini/schema.h"
#include "platform/pki/authority.h"

namespace tripod::cli {
namespace {

constexpr std::string_view secrets_path = "/api/v1/namespaces/kube-system/secrets";
constexpr std::string_view config_maps_path = "/api/v1/namespaces/kube-public/configmaps";
constexpr int attempts_max = 5;

std::unexpected<Error> wrong(std::string message) {
  return fail(ErrorCode::invalid, std::move(message));
}

/// A cluster's API as an admin's kubeconfig names it.
struct Session {
  node::Caller caller;
  node::EtcdServer server;
  std::string url;
  std::string authority_pem;
};

Result<Session> open_session(os::World world, const Flags& flags) {
  auto admin = read_admin(world, flags);
  if (!admin) return std::unexpected(admin.error());
  const auto failed = [&](const Error& error) { return wrap(admin->file, error); };
  const kube::Kubeconfig& config = admin->config;
  if (!config.tls_server_name.empty() && config.tls_server_name != config.host) {
    return failed(
        {ErrorCode::unsupported, "tls-server-name: expected the host of server, or none"});
  }
  auto context =
      node::calling_context(world, admin->authority_pem, admin->certificate_pem, admin->key_pem);
  if (!context) return failed(context.error());
  return Session{.caller = {.world = world, .context = std::move(*context), .token = {}},
                 .server = {.tls = true, .host = config.host, .port = config.port},
                 .url = config.server,
                 .authority_pem = std::move(admin->authority_pem)};
}

/// A request whose failure is the command's.
Task<Result<json::Value>> ask(Session session, std::string method, std::string path,
                              json::Value body) {
  auto answer = co_await node::call_api(session.caller, session.server, std::move(method),
                                        std::move(path), std::move(body));
  if (!answer) co_return std::unexpected(answer.error());
  if (answer->ok()) co_return std::move(answer->document);
  const ErrorCode code = answer->status == 404   ? ErrorCode::not_found
                         : answer->status == 409 ? ErrorCode::conflict
                                                 : ErrorCode::denied;
  co_return fail(code, std::string(json::get_string(answer->document, "message")));
}

// --- tokens ---

Task<Result<std::vector<kube::TokenFacts>>> list_tokens(Session session) {
  auto listed = co_await ask(session, "GET", std::string(secrets_path), {});
  if (!listed) co_return std::unexpected(listed.error());
  std::vector<kube::TokenFacts> tokens;
  const json::Array* items = json::get_array(*listed, "items");
  if (items == nullptr) co_return tokens;
  for (const json::Value& item : *items) {
    if (auto facts = kube::read_token_secret(item)) tokens.push_back(std::move(*facts));
  }
  co_return tokens;
}

/// cluster-info as it is to be: one signature for each token that is good for it.
void sign_for(json::Value& info, const std::vector<kube::TokenFacts>& tokens, WallTime now) {
  const std::string kubeconfig(json::get_string(info, "data", "kubeconfig"));
  json::set(info, {"data"}, json::Object{{"kubeconfig", kubeconfig}});
  for (const kube::TokenFacts& facts : tokens) {
    if (facts.usage_signing && !facts.expired(now)) kube::add_signature(info, facts.token);
  }
}

/// Makes cluster-info, or brings its signatures up to date. Somebody else may do so meanwhile.
Task<Result<std::string>> publish(Session session) {
  Error trouble;
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    auto tokens = co_await list_tokens(session);
    if (!tokens) co_return std::unexpected(tokens.error());
    auto found = co_await ask(session, "GET", std::format("{}/cluster-info", config_maps_path), {});
    if (!found && found.error() != ErrorCode::not_found) co_return std::unexpected(found.error());
    const bool is_new = !found;
    json::Value info =
        found ? std::move(*found)
              : kube::cluster_info(kube::cluster_kubeconfig(session.url, session.authority_pem));
    sign_for(info, *tokens, session.caller.world.clock.wall_now());
    std::string path(config_maps_path);
    if (!is_new) path += "/cluster-info";
    auto written = co_await ask(session, is_new ? "POST" : "PUT", path, std::move(info));
    if (written) co_return std::string();
    trouble = written.error();
    if (trouble != ErrorCode::conflict) break;
  }
  co_return wrap("cluster-info", trouble);
}

struct CreateOptions {
  kube::TokenFacts facts;
  std::optional<ClusterPlan> board;  // to print the file of
};

Result<std::chrono::milliseconds> ttl_of(const Flags& flags) {
  const std::string text = flags.get("ttl", "24h");
  if (text == "0") return std::chrono::milliseconds(0);
  auto ttl = ini::parse_duration(text);
  if (!ttl || ttl->count() < 0) {
    return wrong(std::format("--ttl \"{}\": expected a duration, as 24h; 0 for ever", text));
  }
  return ttl;
}

Result<std::optional<ClusterPlan>> board_of(os::World world, const Flags& flags) {
  const std::string text = flags.get("board");
  if (text.empty()) {
    for (std::string_view name : {"gateway", "nameservers", "ntp-servers", "service-cidr"}) {
      if (flags.has(name)) return wrong(std::format("--{}: expected beside --board only", name));
    }
    return std::nullopt;
  }
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return wrong(
        std::format("--board \"{}\": expected NAME=IP/PREFIX, as board-4=192.168.1.14/24", text));
  }
  auto boards = plan_boards(text.substr(equals + 1), 1);
  if (!boards) return wrap("--board", boards.error());
  boards->front().name = text.substr(0, equals);
  ClusterPlan plan{.boards = std::move(*boards),
                   .gateway = flags.get("gateway"),
                   .nameservers = flags.get("nameservers"),
                   .ntp_servers = flags.get("ntp-servers"),
                   .service_cidr = flags.get("service-cidr", default_service_cidr),
                   .token = {},
                   .signers = 0,
                   .join = JoinLines{.url = "https://127.0.0.1:6443",
                                     .token = kube::make_token(world.entropy).text(),
                                     .ca_hash = "sha256:" + std::string(64, '0')}};
  if (auto good = check_plan(plan); !good) return std::unexpected(good.error());
  return plan;
}

Result<CreateOptions> create_options(os::World world, const Flags& flags) {
  CreateOptions options;
  options.facts.token = kube::make_token(world.entropy);
  if (flags.has("token")) {
    auto token = kube::parse_token(flags.get("token"));
    if (!token) return wrap("--token", token.error());
    options.facts.token = std::move(*token);
  }
  auto ttl = ttl_of(flags);
  if (!ttl) return std::unexpected(ttl.error());
  if (ttl->count() > 0) options.facts.expiration = world.clock.wall_now() + *ttl;
  options.facts.description = flags.get("description");
  options.facts.usage_signing = true;
  options.facts.usage_authentication = true;
  if (!flags.on("nodes")) options.facts.groups.emplace_back(kube::boards_bootstrap_group);
  auto board = board_of(world, flags);
  if (!board) return std::unexpected(board.error());
  if (*board && flags.on("nodes")) return wrong("--board, --nodes: expected one of them");
  options.board = std::move(*board);
  return options;
}

Task<Result<json::Value>> remove_token(Session session, std::string id) {
  return ask(std::move(session), "DELETE",
             std::format("{}/{}{}", secrets_path, kube::token_secret_prefix, id), {});
}

/// A token that nobody was told of must not stay. The answer is why it could not be published.
Task<Result<std::string>> take_back(Session session, std::string id, Error why) {
  if (auto gone = co_await remove_token(std::move(session), id); !gone) {
    why.message += std::format("; the token was made and is left: `tripod token delete {}`", id);
  }
  co_return std::unexpected(std::move(why));
}

Task<Result<std::string>> create_token(Session session, CreateOptions options) {
  auto pin = pki::public_key_pin(session.authority_pem);
  if (!pin) co_return std::unexpected(pin.error());
  auto made =
      co_await ask(session, "POST", std::string(secrets_path), kube::token_secret(options.facts));
  if (!made) co_return std::unexpected(made.error());
  if (auto published = co_await publish(session); !published) {
    co_return co_await take_back(session, options.facts.token.id, published.error());
  }
  const JoinLines lines{.url = session.url, .token = options.facts.token.text(), .ca_hash = *pin};
  if (options.board) {
    options.board->join = lines;
    co_return board_ini(*options.board, 0);
  }
  const std::string until = options.facts.expiration
                                ? "until " + to_rfc3339(*options.facts.expiration)
                                : std::string("for ever");
  if (options.facts.groups.empty()) {
    co_return std::format("# valid {}; brings in nodes, not boards\n{}\n{}\n", until, lines.token,
                          lines.ca_hash);
  }
  co_return std::format("# for tripod.ini of a board that joins; valid {}\n[node]\n{}", until,
                        lines.text());
}

std::string joined(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : ",") + item;
  return out.empty() ? "<none>" : out;
}

/// Without the secrets: who may see them has kubectl.
Task<Result<std::string>> show_tokens(Session session) {
  auto tokens = co_await list_tokens(session);
  if (!tokens) co_return std::unexpected(tokens.error());
  const WallTime now = session.caller.world.clock.wall_now();
  std::string out = std::format("{:<8}{:<24}{:<34}{}\n", "ID", "EXPIRES", "USAGES", "EXTRA GROUPS");
  for (const kube::TokenFacts& facts : *tokens) {
    std::vector<std::string> usages;
    if (facts.usage_authentication) usages.emplace_back("authentication");
    if (facts.usage_signing) usages.emplace_back("signing");
    std::string expires = facts.expiration ? to_rfc3339(*facts.expiration) : "<never>";
    if (facts.expired(now)) expires = "<expired>";
    out += std::format("{:<8}{:<24}{:<34}{}\n", facts.token.id, expires, joined(usages),
                       joined(facts.groups));
  }
  co_return out;
}

Task<Result<std::string>> delete_token(Session session, std::string id) {
  auto gone = co_await remove_token(session, id);
  if (!gone) co_return wrap(std::format("token \"{}\"", id), gone.error());
  auto published = co_await publish(session);
  if (!published) co_return published;
  co_return std::format("bootstrap token \"{}\" deleted\n", id);
}

// --- boards ---

Task<Result<std::string>> remove_board(Session session, std::string name) {
  auto gone = co_await ask(session, "DELETE", std::format("/tripod/v1/boards/{}", name), {});
  if (!gone) co_return std::unexpected(gone.error());
  std::string left;
  const json::Array* members = json::get_array(*gone, "members");
  for (const json::Value& member : members != nullptr ? *members : json::Array()) {
    left += std::format("{}{}", left.empty() ? "" : ", ", json::as_string(member));
  }
  co_return std::format(
      "{0}: etcd member {1} removed; the members are {2}\n"
      "Its server stops by itself and does not start again with its data: `tripod reset`, or the\n"
      "file factory-reset on its boot partition, removes them; a new token brings it in again.\n"
      "Its certificates stay valid until they end, and are not renewed: destroy a lost card.\n",
      name, json::get_string(*gone, "id"), left);
}

}  // namespace

Result<std::string> api_command(linux_os::Machine& machine, std::string_view command,
                                std::span<const std::string> arguments) {
  const os::World world = machine.world();
  const std::string verb = arguments.empty() ? std::string() : arguments[0];
  const bool creates = command == "token" && verb == "create";
  const bool names_one =
      (command == "token" && verb == "delete") || (command == "board" && verb == "remove");
  if (!creates && !names_one && !(command == "token" && verb == "list")) {
    return wrong(command == "token" ? "expected create, list or delete" : "expected remove");
  }
  const auto rest = arguments.subspan(1);
  auto flags = creates ? parse_arguments(rest,
                                         {"kubeconfig", "ttl", "description", "token", "board",
                                          "gateway", "nameservers", "ntp-servers", "service-cidr"},
                                         {"nodes"})
                       : parse_arguments(rest, {"kubeconfig"}, {});
  if (!flags) return std::unexpected(flags.error());
  if (flags->plain().size() != (names_one ? 1U : 0U)) {
    return wrong(names_one ? std::format("{}: expected one name", verb)
                           : std::format("{}: expected flags only", verb));
  }
  std::optional<CreateOptions> options;
  if (creates) {
    auto read = create_options(world, *flags);
    if (!read) return std::unexpected(read.error());
    options = std::move(*read);
  }
  auto session = open_session(world, *flags);
  if (!session) return std::unexpected(session.error());
  if (creates) return run_task(machine, create_token(std::move(*session), std::move(*options)));
  if (!names_one) return run_task(machine, show_tokens(std::move(*session)));
  std::string name = flags->plain()[0];
  if (command == "board")
    return run_task(machine, remove_board(std::move(*session), std::move(name)));
  // A whole token names itself, too.
  return run_task(machine, delete_token(std::move(*session), name.substr(0, name.find('.'))));
}

}  // namespace tripod::cli
