#include "firmware/cli/pki_command.h"

#include <algorithm>
#include <format>
#include <vector>

#include "firmware/cli/arguments.h"
#include "firmware/node/provisioning/certificates.h"
#include "platform/ini/schema.h"
#include "platform/pki/authority.h"
#include "platform/pki/signature.h"

namespace tripod::cli {
namespace {

constexpr std::chrono::days authority_lifetime{3650};
constexpr unsigned public_mode = 0644;
constexpr unsigned private_mode = 0600;
constexpr std::size_t pem_file_bytes_max = 64 * 1024;

/// "board-1=192.168.1.11,board-2=192.168.1.12".
Result<std::vector<BoardName>> parse_boards(std::string_view text) {
  std::vector<BoardName> boards;
  for (const std::string& item : ini::split_list(text)) {
    std::size_t equals = item.find('=');
    std::string ip = equals == std::string::npos ? "" : item.substr(equals + 1);
    std::string port_form = ip.contains(':') ? std::format("[{}]:1", ip) : ip + ":1";
    if (equals == 0 || !os::parse_address(port_form)) {
      return fail(ErrorCode::invalid,
                  std::format("--board \"{}\": expected name=IP, as board-1=192.168.1.11", item));
    }
    boards.push_back({item.substr(0, equals), ip});
  }
  if (boards.empty()) return fail(ErrorCode::invalid, "--board: expected at least one name=IP");
  return boards;
}

/// "10.96.0.0/16" -> "10.96.0.1", the address of the service `kubernetes`.
Result<std::string> first_service_address(std::string_view cidr) {
  std::size_t slash = cidr.find('/');
  std::string_view ip = cidr.substr(0, slash);
  std::size_t dot = ip.rfind('.');
  if (slash == std::string_view::npos || dot == std::string_view::npos || !ip.ends_with(".0") ||
      !os::parse_address(std::format("{}:1", ip))) {
    return fail(
        ErrorCode::invalid,
        std::format("--service-cidr \"{}\": expected an IPv4 range, as 10.96.0.0/16", cidr));
  }
  return std::format("{}.1", ip.substr(0, dot));
}

/// Writes pairs below one folder, each only when it is not there yet, or lacks a name.
class Folder {
 public:
  Folder(os::World world, std::string path, std::chrono::seconds lifetime)
      : world_(world), path_(std::move(path)), lifetime_(lifetime) {}

  Result<pki::Authority> authority(const std::string& name, const std::string& common_name) {
    if (has(name)) {
      auto pair = read(name);
      if (!pair) return std::unexpected(pair.error());
      auto opened = pki::Authority::open(std::move(*pair), world_.entropy);
      if (!opened) return wrap(path_ + "/" + name, opened.error());
      return opened;
    }
    auto made = pki::Authority::create(common_name, authority_lifetime, world_.clock.wall_now(),
                                       world_.entropy);
    if (!made) return made;
    if (auto kept = keep(name, made->pair()); !kept) return std::unexpected(kept.error());
    return made;
  }

  Result<> issue(const pki::Authority& authority, const std::string& name,
                 pki::CertificateRequest request) {
    if (has(name)) {
      auto fits = names_all(name, request.names);
      if (!fits) return std::unexpected(fits.error());
      if (*fits) return {};
    }
    request.lifetime = lifetime_;
    auto pair = authority.issue(request, world_.clock.wall_now(), world_.entropy);
    if (!pair) return wrap(name, pair.error());
    return keep(name, *pair);
  }

  Result<> make(const std::string& subfolder) {
    return world_.storage.make_directories(subfolder.empty() ? path_ : path_ + "/" + subfolder,
                                           0755);
  }
  int made() const { return made_; }

 private:
  bool has(const std::string& name) {
    return world_.storage.exists(path_ + "/" + name + ".crt") &&
           world_.storage.exists(path_ + "/" + name + ".key");
  }

  /// Whether the certificate that is there has all these names.
  Result<bool> names_all(const std::string& name, const std::vector<std::string>& wanted) {
    auto pair = read(name);
    if (!pair) return std::unexpected(pair.error());
    auto facts = pki::describe(pair->certificate_pem);
    if (!facts) return wrap(path_ + "/" + name + ".crt", facts.error());
    std::vector<std::string> there;
    for (const std::string& each : facts->names) there.push_back(pki::comparable(each));
    return std::ranges::all_of(wanted, [&](const std::string& each) {
      return std::ranges::contains(there, pki::comparable(each));
    });
  }

  Result<pki::KeyPair> read(const std::string& name) {
    auto certificate = world_.storage.read_file(path_ + "/" + name + ".crt", pem_file_bytes_max);
    if (!certificate) return std::unexpected(certificate.error());
    auto key = world_.storage.read_file(path_ + "/" + name + ".key", pem_file_bytes_max);
    if (!key) return std::unexpected(key.error());
    return pki::KeyPair{std::move(*certificate), std::move(*key)};
  }

  Result<> keep(const std::string& name, const pki::KeyPair& pair) {
    ++made_;
    // The key first: a certificate without its key would be taken for a whole pair by a person.
    auto key = world_.storage.replace_file(path_ + "/" + name + ".key", pair.key_pem, private_mode);
    if (!key) return key;
    return world_.storage.replace_file(path_ + "/" + name + ".crt", pair.certificate_pem,
                                       public_mode);
  }

  os::World world_;
  std::string path_;
  std::chrono::seconds lifetime_;
  int made_ = 0;
};

/// A certificate to issue: file name below the folder, and what it says.
struct Wanted {
  std::string name;
  pki::CertificateRequest request;
};

/// Everything that one authority signs.
std::vector<Wanted> wanted_of(node::Signer signer, const PkiPlan& plan,
                              const std::string& service_ip) {
  std::vector<std::string> api_names = {"localhost",
                                        "127.0.0.1",
                                        service_ip,
                                        "kubernetes",
                                        "kubernetes.default",
                                        "kubernetes.default.svc",
                                        "kubernetes.default.svc.cluster.local"};
  for (const BoardName& board : plan.boards) {
    api_names.push_back(board.name);
    api_names.push_back(board.ip);
  }
  api_names.insert(api_names.end(), plan.names.begin(), plan.names.end());
  std::vector<Wanted> wanted;
  if (signer == node::Signer::etcd) {
    wanted.push_back({"etcd-client", {.common_name = "root", .client = true}});
  } else {
    wanted.push_back(
        {"admin",
         {.common_name = "kubernetes-admin", .organization = "system:masters", .client = true}});
  }
  for (const BoardName& board : plan.boards) {
    std::vector<std::string> names = {board.name, board.ip, "localhost", "127.0.0.1"};
    names.insert(names.end(), plan.names.begin(), plan.names.end());
    for (const node::CertificateUse& use : node::certificate_uses()) {
      if (use.signer != signer) continue;
      wanted.push_back({std::format("{}/{}", board.name, use.name),
                        node::certificate_request(use, board.name,
                                                  use.name == "apiserver" ? api_names : names)});
    }
  }
  return wanted;
}

}  // namespace

Result<int> make_pki(os::World world, const PkiPlan& plan) {
  auto service_ip = first_service_address(plan.service_cidr);
  if (!service_ip) return std::unexpected(service_ip.error());
  Folder folder(world, plan.folder, plan.lifetime);
  if (auto made = folder.make(""); !made) return std::unexpected(made.error());
  for (const BoardName& board : plan.boards) {
    if (auto made = folder.make(board.name); !made) return std::unexpected(made.error());
  }
  auto kubernetes = folder.authority("ca", "tripod");
  if (!kubernetes) return std::unexpected(kubernetes.error());
  auto etcd = folder.authority("etcd-ca", "tripod-etcd");
  if (!etcd) return std::unexpected(etcd.error());
  for (const auto& [signer, authority] :
       {std::pair(node::Signer::kubernetes, &*kubernetes), std::pair(node::Signer::etcd, &*etcd)}) {
    for (Wanted& wanted : wanted_of(signer, plan, *service_ip)) {
      if (auto done = folder.issue(*authority, wanted.name, std::move(wanted.request)); !done) {
        return std::unexpected(done.error());
      }
    }
  }
  return folder.made();
}

Result<std::string> pki_init(os::World world, std::span<const std::string> arguments) {
  auto flags = parse_flags(arguments, {"dir", "board", "service-cidr", "names", "lifetime"});
  if (!flags) return std::unexpected(flags.error());
  auto boards = parse_boards(flags->get("board"));
  if (!boards) return std::unexpected(boards.error());
  if (flags->get("dir").empty())
    return fail(ErrorCode::invalid, "--dir: expected the folder to write to");
  auto lifetime = ini::parse_duration(flags->get("lifetime", "8760h"));
  if (!lifetime || *lifetime < std::chrono::seconds(10)) {
    return fail(ErrorCode::invalid,
                std::format("--lifetime \"{}\": expected a duration of at least "
                            "10s, as 8760h",
                            flags->get("lifetime")));
  }
  PkiPlan plan{.folder = flags->get("dir"),
               .boards = std::move(*boards),
               .service_cidr = flags->get("service-cidr", default_service_cidr),
               .names = ini::split_list(flags->get("names")),
               .lifetime = std::chrono::duration_cast<std::chrono::seconds>(*lifetime)};
  auto made = make_pki(world, plan);
  if (!made) return std::unexpected(made.error());
  return std::format("{}: {} certificates made\n", plan.folder, *made);
}

Result<bool> make_update_key(os::World world, const std::string& folder) {
  const std::string key = folder + "/update.key";
  const std::string pub = folder + "/update.pub";
  const bool half = world.storage.exists(key) != world.storage.exists(pub);
  if (half) {
    return fail(ErrorCode::conflict,
                std::format("{}: update.key and update.pub belong together, and one is missing; "
                            "put it back, or remove the other for a new pair",
                            folder));
  }
  if (world.storage.exists(key)) return false;
  auto keys = pki::make_signing_keys(world.entropy);
  if (!keys) return std::unexpected(keys.error());
  if (auto made = world.storage.make_directories(folder, 0755); !made) {
    return std::unexpected(made.error());
  }
  auto kept = world.storage.replace_file(key, keys->private_pem, private_mode);
  if (kept) kept = world.storage.replace_file(pub, keys->public_pem, public_mode);
  if (!kept) return std::unexpected(kept.error());
  return true;
}

Result<std::string> pki_update_key(os::World world, std::span<const std::string> arguments) {
  auto flags = parse_flags(arguments, {"dir"});
  if (!flags) return std::unexpected(flags.error());
  if (flags->get("dir").empty())
    return fail(ErrorCode::invalid, "--dir: expected the folder to write to");
  const std::string folder = flags->get("dir");
  auto made = make_update_key(world, folder);
  if (!made) return std::unexpected(made.error());
  return std::format("{0}/update.key {1}; {0}/update.pub goes into pki/ of each board\n", folder,
                     *made ? "made" : "was there");
}

}  // namespace tripod::cli
