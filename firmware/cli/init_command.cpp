#include "firmware/cli/init_command.h"

#include <algorithm>
#include <charconv>
#include <format>
#include <optional>

#include "firmware/cli/arguments.h"
#include "firmware/cli/pki_command.h"
#include "firmware/node/config.h"
#include "firmware/node/plausible.h"
#include "firmware/node/provisioning/certificates.h"
#include "platform/boards/net/network_plan.h"
#include "platform/ini/schema.h"

namespace tripod::cli {
namespace {

constexpr std::size_t boards_max = 7;  // etcd's advice: more members only cost
constexpr std::size_t pem_file_bytes_max = 64 * 1024;
constexpr unsigned public_mode = 0644;
constexpr unsigned private_mode = 0600;
constexpr std::string_view address_form = "expected an address with its prefix, as 192.168.1.11/24";

bool is_v6(std::string_view ip) {
  return ip.contains(':');
}

/// As a URL and "host:port" write it.
std::string host(std::string_view ip) {
  return is_v6(ip) ? std::format("[{}]", ip) : std::string(ip);
}

std::optional<unsigned> number_of(std::string_view text) {
  unsigned value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

Result<PlannedBoard> parse_cidr(std::string_view text) {
  auto prefix = boards::parse_prefix(text);
  if (!prefix) return fail(ErrorCode::invalid, std::format("\"{}\": {}", text, address_form));
  return PlannedBoard{.name = "",
                      .ip = std::string(text.substr(0, text.find('/'))),
                      .prefix_length = static_cast<unsigned>(prefix->bits)};
}

/// 192.168.1.11 and 2 -> 192.168.1.13. The last number must not run over.
Result<std::string> later_address(const std::string& ip, unsigned steps) {
  const std::size_t dot = ip.rfind('.');
  const auto last = number_of(std::string_view(ip).substr(dot + 1));
  if (is_v6(ip) || !last || *last + steps > 254) {
    return fail(ErrorCode::invalid, std::format("\"{}\": {} more cannot be counted from "
                                                "it; give a list, one address for each board",
                                                ip, steps));
  }
  return std::format("{}.{}", ip.substr(0, dot), *last + steps);
}

std::string section_board(const ClusterPlan& plan, const PlannedBoard& board) {
  std::string text = std::format("[board]\nhostname = {}\naddress = {}/{}\n", board.name, board.ip,
                                 board.prefix_length);
  if (!plan.gateway.empty()) text += std::format("gateway = {}\n", plan.gateway);
  if (!plan.nameservers.empty()) text += std::format("nameservers = {}\n", plan.nameservers);
  if (!plan.ntp_servers.empty()) text += std::format("ntp-servers = {}\n", plan.ntp_servers);
  return text;
}

std::string section_etcd(const ClusterPlan& plan, const PlannedBoard& board) {
  std::string members;
  for (const PlannedBoard& other : plan.boards) {
    members +=
        std::format("{}{}=https://{}:2380", members.empty() ? "" : ",", other.name, host(other.ip));
  }
  const std::string pki = "/var/lib/tripod/pki";
  // Whoever joins hears from the cluster who is in it.
  const std::string cluster = plan.join ? ""
                                        : std::format(
                                              "initial-cluster = {}\ninitial-cluster-state = new\n"
                                              "initial-cluster-token = {}\n",
                                              members, plan.token);
  return std::format(
      "[etcd]\nname = {0}\n"
      "listen-client-urls = https://{1}:2379\nadvertise-client-urls = https://{1}:2379\n"
      "listen-peer-urls = https://{1}:2380\ninitial-advertise-peer-urls = https://{1}:2380\n"
      "{2}"
      "cert-file = {3}/{0}/etcd-server.crt\nkey-file = {3}/{0}/etcd-server.key\n"
      "trusted-ca-file = {3}/etcd-ca.crt\nclient-cert-auth = true\n"
      "peer-cert-file = {3}/{0}/etcd-peer.crt\npeer-key-file = {3}/{0}/etcd-peer.key\n"
      "peer-trusted-ca-file = {3}/etcd-ca.crt\n",
      board.name, host(board.ip), cluster, pki);
}

/// Who signs certificates, or where they come from.
std::string section_node_end(const ClusterPlan& plan, std::size_t index) {
  if (plan.join) return plan.join->text();
  if (index >= plan.signers) return "";
  return "ca-key-file = /var/lib/tripod/pki/ca.key\n"
         "etcd-ca-key-file = /var/lib/tripod/pki/etcd-ca.key\n";
}

std::string section_balancer(const ClusterPlan& plan, const PlannedBoard& board) {
  std::string backends;
  for (const PlannedBoard& other : plan.boards) {
    backends += std::format("{}{}:6444", backends.empty() ? "" : ", ", host(other.ip));
  }
  return std::format(
      "[balancer]\nlisten = {0}:6443\nbackends = {1}\n"
      "health-check-ca-file = /var/lib/tripod/pki/ca.crt\n"
      "health-check-cert-file = /var/lib/tripod/pki/{2}/balancer.crt\n"
      "health-check-key-file = /var/lib/tripod/pki/{2}/balancer.key\n",
      host(board.ip), backends, board.name);
}

/// Reads pairs below the plan's pki/ and writes copies.
class Copies {
 public:
  Copies(os::World world, std::string folder) : world_(world), folder_(std::move(folder)) {}

  Result<std::string> read(const std::string& name) {
    auto text = world_.storage.read_file(folder_ + "/pki/" + name, pem_file_bytes_max);
    if (!text) return wrap(folder_ + "/pki/" + name, text.error());
    return text;
  }

  Result<> copy(const std::string& name, const std::string& board) {
    auto text = read(name);
    if (!text) return std::unexpected(text.error());
    return write(std::format("{}/pki/{}", board, name), *text,
                 name.ends_with(".key") ? private_mode : public_mode);
  }

  Result<> write(const std::string& name, std::string_view text, unsigned mode) {
    return world_.storage.replace_file(folder_ + "/" + name, text, mode);
  }

  /// What stands there and is another is kept beside it: somebody may have edited it.
  Result<> replace(const std::string& name, std::string_view text) {
    const std::string path = folder_ + "/" + name;
    auto before = world_.storage.read_file(path, ini::file_bytes_max);
    if (!before && before.error() != ErrorCode::not_found) {
      return std::unexpected(before.error());
    }
    if (before && *before != text) {
      std::string old = name + ".old";
      for (int n = 2; world_.storage.exists(folder_ + "/" + old); ++n) {
        old = std::format("{}.old-{}", name, n);
      }
      if (auto kept = write(old, *before, public_mode); !kept) return kept;
      replaced_.push_back(std::format("{} was another: it is {}/{} now", path, folder_, old));
    }
    return write(name, text, public_mode);
  }
  /// For people: what was replaced, and where it is.
  const std::vector<std::string>& replaced() const { return replaced_; }

  Result<> make(const std::string& name) {
    return world_.storage.make_directories(folder_ + "/" + name, 0755);
  }

 private:
  os::World world_;
  std::string folder_;
  std::vector<std::string> replaced_;
};

Result<> write_board(Copies& files, const ClusterPlan& plan, std::size_t index) {
  const std::string& name = plan.boards[index].name;
  if (auto made = files.make(std::format("{0}/pki/{0}", name)); !made) return made;
  std::vector<std::string> pairs = {"ca.crt", "etcd-ca.crt", "update.pub"};
  if (index < plan.signers) pairs.insert(pairs.end(), {"ca.key", "etcd-ca.key"});
  for (const node::CertificateUse& use : node::certificate_uses()) {
    for (const char* half : {"crt", "key"}) {
      pairs.push_back(std::format("{}/{}.{}", name, use.name, half));
    }
  }
  for (const std::string& pair : pairs) {
    if (auto copied = files.copy(pair, name); !copied) return copied;
  }
  return files.replace(name + "/tripod.ini", board_ini(plan, index));
}

Result<> write_kubeconfig(Copies& files, const ClusterPlan& plan) {
  auto authority = files.read("ca.crt");
  if (!authority) return std::unexpected(authority.error());
  auto certificate = files.read("admin.crt");
  if (!certificate) return std::unexpected(certificate.error());
  auto key = files.read("admin.key");
  if (!key) return std::unexpected(key.error());
  return files.write("admin.conf",
                     std::format("apiVersion: v1\nkind: Config\nclusters:\n- name: tripod\n"
                                 "  cluster:\n    certificate-authority-data: {}\n"
                                 "    server: https://{}:6443\n"
                                 "contexts:\n- name: admin@tripod\n  context:\n"
                                 "    cluster: tripod\n    user: admin\n"
                                 "current-context: admin@tripod\nusers:\n- name: admin\n"
                                 "  user:\n    client-certificate-data: {}\n"
                                 "    client-key-data: {}\n",
                                 to_base64(*authority), host(plan.boards[0].ip),
                                 to_base64(*certificate), to_base64(*key)),
                     private_mode);
}

Result<ClusterPlan> plan_of(const Flags& flags) {
  std::size_t count = 0;
  if (flags.has("boards")) {
    auto number = number_of(flags.get("boards"));
    if (!number || *number == 0 || *number > boards_max) {
      return fail(ErrorCode::invalid, std::format("--boards \"{}\": expected 1 to {}",
                                                  flags.get("boards"), boards_max));
    }
    count = *number;
  }
  auto boards = plan_boards(flags.get("address"), count);
  if (!boards) return wrap("--address", boards.error());
  const auto signers = number_of(flags.get("signers", std::to_string(boards->size())));
  if (!signers || *signers > boards->size()) {
    return fail(ErrorCode::invalid,
                std::format("--signers \"{}\": expected 0 to {}, how many boards hold the keys "
                            "of the authorities",
                            flags.get("signers"), boards->size()));
  }
  return ClusterPlan{.boards = std::move(*boards),
                     .gateway = flags.get("gateway"),
                     .nameservers = flags.get("nameservers"),
                     .ntp_servers = flags.get("ntp-servers"),
                     .service_cidr = flags.get("service-cidr", default_service_cidr),
                     .token = flags.get("token", "tripod"),
                     .signers = *signers,
                     .join = {}};
}

/// Folders of boards that this run did not plan; said, and left alone.
std::string about_leftovers(os::Storage& storage, const std::string& folder,
                            const ClusterPlan& plan) {
  auto names = storage.list(folder);
  std::string text;
  for (const std::string& name : names ? *names : std::vector<std::string>()) {
    if (!name.starts_with("board-")) continue;
    if (std::ranges::contains(plan.boards, name, &PlannedBoard::name)) continue;
    auto files = storage.list(folder + "/" + name);
    if (!files || !std::ranges::contains(*files, "tripod.ini")) continue;
    text += std::format("  {}/{} is not of this run: no board for this cluster\n", folder, name);
  }
  return text;
}

}  // namespace

std::string JoinLines::text() const {
  return std::format("join = {}\njoin-token = {}\njoin-ca-hash = {}\n", url, token, ca_hash);
}

Result<std::vector<PlannedBoard>> plan_boards(std::string_view addresses, std::size_t count) {
  std::vector<PlannedBoard> boards;
  for (const std::string& item : ini::split_list(addresses)) {
    auto board = parse_cidr(item);
    if (!board) return std::unexpected(board.error());
    for (const PlannedBoard& other : boards) {
      if (other.ip == board->ip) {
        return fail(ErrorCode::invalid, std::format("{} is there twice", other.ip));
      }
    }
    boards.push_back(std::move(*board));
  }
  if (boards.empty()) return fail(ErrorCode::invalid, std::string(address_form));
  if (boards.size() == 1) {
    for (unsigned step = 1; step < count; ++step) {
      auto ip = later_address(boards[0].ip, step);
      if (!ip) return std::unexpected(ip.error());
      boards.push_back({.name = "", .ip = *ip, .prefix_length = boards[0].prefix_length});
    }
  }
  if ((count != 0 && boards.size() != count) || boards.size() > boards_max) {
    return fail(ErrorCode::invalid,
                std::format("{} addresses for {} boards; expected one for each, or the "
                            "first alone",
                            boards.size(), count == 0 ? boards_max : count));
  }
  for (std::size_t i = 0; i < boards.size(); ++i) {
    const std::string text = std::format("{}/{}", boards[i].ip, boards[i].prefix_length);
    if (auto good = boards::check_host(*boards::parse_prefix(text)); !good) {
      return std::unexpected(good.error());
    }
    boards[i].name = std::format("board-{}", i + 1);
  }
  return boards;
}

std::string board_ini(const ClusterPlan& plan, std::size_t index) {
  const PlannedBoard& board = plan.boards[index];
  const bool balances = index == 0 && !plan.join;
  std::string text = plan.join ? std::format(
                                     "# tripod, {}, which joins a cluster that runs: "
                                     "tripod.ini on its boot partition.\n\n",
                                     board.name)
                               : std::format(
                                     "# tripod, {} of {}: tripod.ini on its boot "
                                     "partition.\n\n",
                                     board.name, plan.boards.size());
  text += section_board(plan, board);
  text += std::format(
      "\n[node]\nname = {}\ndata-dir = /var/lib/tripod\n"
      "roles = etcd, apiserver, controller-manager, scheduler{}\n"
      "client-cert-file = /var/lib/tripod/pki/{}/board.crt\n"
      "client-key-file = /var/lib/tripod/pki/{}/board.key\n{}\n",
      board.name, balances ? ", balancer" : "", board.name, board.name,
      section_node_end(plan, index));
  text += section_etcd(plan, board);
  text += std::format(
      "\n[apiserver]\nbind-address = {0}\n"
      "tls-cert-file = /var/lib/tripod/pki/{1}/apiserver.crt\n"
      "tls-private-key-file = /var/lib/tripod/pki/{1}/apiserver.key\n"
      "client-ca-file = /var/lib/tripod/pki/ca.crt\nservice-cluster-ip-range = {2}\n",
      board.ip, board.name, plan.service_cidr);
  if (balances) text += "\n" + section_balancer(plan, board);
  return text;
}

Result<> check_plan(const ClusterPlan& plan) {
  for (std::size_t i = 0; i < plan.boards.size(); ++i) {
    const std::string file = std::format("tripod.ini of {}", plan.boards[i].name);
    auto config = node::load_config(board_ini(plan, i), file, {});
    if (!config) return std::unexpected(config.error());
    if (auto good = node::check_plausible(*config); !good) return good;
  }
  return {};
}

Result<std::string> init_cluster(os::World world, std::span<const std::string> arguments) {
  auto flags = parse_flags(arguments, {"dir", "boards", "address", "gateway", "nameservers",
                                       "ntp-servers", "names", "service-cidr", "token", "signers"});
  if (!flags) return std::unexpected(flags.error());
  if (flags->get("dir").empty())
    return fail(ErrorCode::invalid, "--dir: expected the folder to write to");
  auto plan = plan_of(*flags);
  if (!plan) return std::unexpected(plan.error());
  if (auto good = check_plan(*plan); !good) return std::unexpected(good.error());

  const std::string folder = flags->get("dir");
  PkiPlan pki{.folder = folder + "/pki",
              .boards = {},
              .service_cidr = plan->service_cidr,
              .names = ini::split_list(flags->get("names"))};
  for (const PlannedBoard& board : plan->boards) pki.boards.push_back({board.name, board.ip});
  auto made = make_pki(world, pki);
  if (!made) return std::unexpected(made.error());
  auto key = make_update_key(world, pki.folder);
  if (!key) return std::unexpected(key.error());
  Copies files(world, folder);
  for (std::size_t i = 0; i < plan->boards.size(); ++i) {
    if (auto written = write_board(files, *plan, i); !written) {
      return std::unexpected(written.error());
    }
  }
  if (auto written = write_kubeconfig(files, *plan); !written) {
    return std::unexpected(written.error());
  }
  std::string text = std::format("{}: {} board{}, {} certificates made\n", folder,
                                 plan->boards.size(), plan->boards.size() == 1 ? "" : "s", *made);
  for (const std::string& line : files.replaced()) text += "  " + line + "\n";
  text += std::format(
      "  board-N/tripod.ini and board-N/pki/ go onto the boot partition of board N's card, or:\n"
      "  tools/image --board raspberry-pi-4 --config {0}/board-1/tripod.ini"
      " --pki {0}/board-1/pki -o board-1.img\n",
      folder);
  text +=
      "  admin.conf is for kubectl, pki/update.key for `tools/image --update-key`;"
      " keep both, and pki/, off the boards\n";
  text += std::format(
      "  {} of the boards hold the authorities' keys and sign: renewals, and boards that join\n",
      plan->signers);
  if (plan->ntp_servers.empty()) {
    text +=
        "  no time server is named, and a board's clock stops without power: name one by "
        "--ntp-servers, as the router's address\n";
  }
  return text + about_leftovers(world.storage, folder, *plan);
}

}  // namespace tripod::cli
