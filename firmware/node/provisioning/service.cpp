#include "firmware/node/provisioning/service.h"

#include <algorithm>
#include <format>

#include "firmware/apiserver/auth/authorizer.h"
#include "firmware/kube/bootstrap/token.h"
#include "firmware/node/provisioning/requests.h"
#include "platform/async/sync.h"

namespace tripod::node {
namespace {

using kube::errors::generic;

constexpr std::size_t names_max = 64;
constexpr std::size_t name_characters_max = 253;
constexpr std::size_t pem_file_bytes_max = 64 * 1024;
constexpr std::size_t request_characters_max = 8192;

std::unexpected<kube::StatusError> refuse(int code, std::string_view reason,
                                          std::string_view message) {
  return std::unexpected(generic(code, reason, message));
}

std::unexpected<kube::StatusError> bad(std::string_view message) {
  return refuse(400, "BadRequest", message);
}

bool good_name(std::string_view text) {
  return !text.empty() && text.size() <= name_characters_max &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '.' || c == ':';
         });
}

kube::Outcome<std::vector<std::string>> texts(const json::Value& body, std::string_view key) {
  const json::Array* items = json::get_array(body, key);
  if (items == nullptr || items->size() > names_max) {
    return bad(std::format("{}: expected a list of at most {} texts", key, names_max));
  }
  std::vector<std::string> out;
  for (const json::Value& item : *items) out.emplace_back(json::as_string(item));
  return out;
}

std::string hex(etcd::MemberId id) {
  return std::format("{:x}", id);
}

kube::StatusError from_etcd(const grpc::Status& status) {
  const bool later = status.code == grpc::StatusCode::unavailable ||
                     status.code == grpc::StatusCode::failed_precondition ||
                     status.code == grpc::StatusCode::resource_exhausted;
  return generic(later ? 503 : 500, later ? "ServiceUnavailable" : "InternalError", status.message);
}

bool in(const std::vector<std::string>& groups, std::string_view group) {
  return std::ranges::find(groups, group) != groups.end();
}

/// Whom a certificate of before does not bring back: the list of members is what says who belongs.
kube::Outcome<> require_member(const std::vector<etcd::MemberInfo>& members,
                               const std::string& board) {
  if (std::ranges::find(members, board, &etcd::MemberInfo::name) != members.end()) return {};
  return refuse(403, "Forbidden",
                std::format("board \"{}\" is no member of the cluster, and its own certificate "
                            "counts for members alone: expected a new token of `tripod token "
                            "create`, in [node] join-token",
                            board));
}

/// 409 when a member that has started has that name.
kube::Outcome<> refuse_taken(const std::vector<etcd::MemberInfo>& members,
                             const std::string& board) {
  const auto found = std::ranges::find(members, board, &etcd::MemberInfo::name);
  if (found == members.end()) return {};
  return refuse(
      409, "AlreadyExists",
      std::format("\"{}\" is a member of the cluster already ({}): expected another name, "
                  "or first `tripod board remove {}`",
                  board, hex(found->id), board));
}

bool same_urls(std::vector<std::string> left, std::vector<std::string> right) {
  std::ranges::sort(left);
  std::ranges::sort(right);
  return left == right;
}

/// As `etcdctl member add` prints it; who has no name yet goes by the one given or its id.
std::string initial_cluster(const std::vector<etcd::MemberInfo>& members, etcd::MemberId self,
                            const std::string& name) {
  std::string out;
  for (const etcd::MemberInfo& member : members) {
    std::string shown = member.name.empty() ? hex(member.id) : member.name;
    if (member.id == self) shown = name;
    for (const std::string& url : member.peer_urls) {
      out += std::format("{}{}={}", out.empty() ? "" : ",", shown, url);
    }
  }
  return out;
}

}  // namespace

ProvisioningService::ProvisioningService(const Config& config, const Authorities& authorities,
                                         etcd::Member* member, kube::Client& api, os::World world)
    : config_(config),
      authorities_(authorities),
      member_(member),
      api_(api),
      world_(world),
      log_(world.log, "provisioning") {}

Task<apiserver::Extension::Answer> ProvisioningService::answer(Request request) {
  auto asked = read(request);
  Document done = asked ? co_await dispatch(std::move(*asked), request.method)
                        : Document(std::unexpected(asked.error()));
  if (done) co_return Answer{.status = 200, .document = std::move(*done)};
  log_.warn("refused", LogField("user", request.user), LogField("path", request.path),
            LogField("why", done.error().message()));
  co_return Answer{.status = done.error().code, .document = done.error().status};
}

/// Who asks for what, and whether they may.
kube::Outcome<ProvisioningService::Asked> ProvisioningService::read(const Request& request) const {
  Asked asked;
  asked.user = request.user;
  std::string_view rest = request.path;
  rest.remove_prefix(apiserver::provisioning_prefix.size());
  constexpr std::string_view boards = "boards/";
  if (!rest.starts_with(boards)) return std::unexpected(kube::errors::unknown_path());
  rest.remove_prefix(boards.size());
  const std::size_t slash = rest.find('/');
  asked.board = rest.substr(0, slash);
  if (slash != std::string_view::npos) asked.what = rest.substr(slash + 1);
  if (!good_name(asked.board) || asked.board.contains(':')) {
    return bad("expected the name of a board: letters, digits, '-' and '.'");
  }
  asked.by_itself = in(request.groups, kube::boards_group) &&
                    request.user == std::string(kube::board_user_prefix) + asked.board;
  asked.by_token = in(request.groups, kube::boards_bootstrap_group);
  if (!asked.by_itself && !asked.by_token && !in(request.groups, "system:masters")) {
    return refuse(403, "Forbidden",
                  std::format("user \"{}\" may not ask for certificates or a place of board "
                              "\"{}\": expected a token of the group {}, as `tripod token create` "
                              "makes it, or that board's own certificate",
                              request.user, asked.board, kube::boards_bootstrap_group));
  }
  if (!request.body.empty()) {
    auto body = json::parse(request.body);
    if (!body) return bad(body.error().message);
    asked.body = std::move(*body);
  }
  return asked;
}

Task<ProvisioningService::Document> ProvisioningService::dispatch(Asked asked, std::string method) {
  if (asked.what == "certificates" && method == "POST") co_return co_await sign(std::move(asked));
  if (asked.what == "member" && method == "POST") co_return co_await add(std::move(asked));
  if (asked.what.empty() && method == "DELETE") {
    if (asked.by_token) {
      co_return refuse(403, "Forbidden", "a token brings boards in; it does not remove them");
    }
    co_return co_await remove(std::move(asked));
  }
  co_return std::unexpected(kube::errors::unknown_path());
}

Task<kube::Outcome<std::vector<etcd::MemberInfo>>> ProvisioningService::members() const {
  if (member_ == nullptr) co_return refuse(501, "NotImplemented", "the etcd is an external one");
  auto listed = co_await member_->member_list({.linearizable = true});
  if (!listed) co_return std::unexpected(from_etcd(listed.error()));
  co_return std::move(listed->members);
}

// --- certificates ---

/// Where clients may ask whose API server holds the keys.
Task<ProvisioningService::Document> ProvisioningService::elsewhere() {
  json::Array servers;
  for (const EtcdServer& server : co_await living_api_servers(&api_)) {
    servers.emplace_back(json::String(url_of(server)));
  }
  auto error = generic(503, "NoAuthority",
                       std::format("{} holds no authority's key ([node] ca-key-file and "
                                   "etcd-ca-key-file); expected another board to sign",
                                   config_.name));
  json::set(error.status, {"details", "servers"}, json::Value(std::move(servers)));
  co_return std::unexpected(std::move(error));
}

std::vector<std::string> ProvisioningService::own_api_names() const {
  auto pem = world_.storage.read_file(config_.values.text("apiserver", "tls-cert-file"),
                                      pem_file_bytes_max);
  if (!pem) return {};
  auto facts = pki::describe(*pem);
  return facts ? std::move(facts->names) : std::vector<std::string>();
}

/// The names that the certificates are to have. All that a token asks for are to be the board's
/// own. A member asks again for what its certificates had: others' are left out, for those of the
/// API server are added from this board's. Without `others` whatever was asked for.
kube::Outcome<std::vector<std::string>> ProvisioningService::names_for(
    const Asked& asked, const NamesOfOthers* others) const {
  auto names = texts(asked.body, "names");
  if (!names) return names;
  for (const std::string& name : *names) {
    if (!good_name(name)) return bad(std::format("names: \"{}\": expected a name or IP", name));
  }
  if (others == nullptr) return names;
  const auto of_others = [&](const std::string& name) { return others->contains(name); };
  if (!asked.by_token) {
    std::erase_if(*names, of_others);
    return names;
  }
  std::vector<std::string> all = *names;
  all.push_back(asked.board);  // certificates are made out to it
  const auto found = std::ranges::find_if(all, of_others);
  if (found == all.end()) return names;
  return refuse(403, "Forbidden",
                std::format("\"{}\" is a name or an address of another member, or of the API "
                            "service: expected those of board \"{}\" alone",
                            *found, asked.board));
}

kube::Outcome<std::vector<ProvisioningService::Order>> ProvisioningService::orders_of(
    const Asked& asked, const std::vector<std::string>& names) const {
  const json::Object* requests = json::get_object(asked.body, "requests");
  if (requests == nullptr) return bad("requests: expected an object of certificate requests");
  std::vector<Order> orders;
  for (const auto& [key, value] : *requests) {
    const CertificateUse* use = find_use(key);
    if (use == nullptr) return bad(std::format("requests: \"{}\" is no use", std::string(key)));
    const std::string_view pem = json::as_string(value);
    if (pem.size() > request_characters_max) {
      return bad(std::format("requests: {}: expected at most {} characters", use->name,
                             request_characters_max));
    }
    // Clients reach an API server by the names of all boards, through the balancer.
    std::vector<std::string> wanted = names;
    for (std::string& name :
         use->name == "apiserver" ? own_api_names() : std::vector<std::string>()) {
      if (!in(wanted, name)) wanted.push_back(std::move(name));
    }
    auto request = certificate_request(*use, asked.board, std::move(wanted));
    request.lifetime = std::chrono::duration_cast<std::chrono::seconds>(
        config_.values.duration("node", "certificate-lifetime"));
    request.since_authority = true;
    orders.push_back({std::string(use->name), authorities_.get(use->signer), std::string(pem),
                      std::move(request)});
  }
  return orders;
}

/// On the crypto lane: a signature takes a small board milliseconds, and so does checking the
/// stranger's.
Task<ProvisioningService::Document> ProvisioningService::sign_all(std::vector<Order> orders) {
  auto certificates = co_await async::run_on(
      world_.crypto_lane,
      [&orders, now = world_.clock.wall_now(),
       &entropy = world_.entropy]() -> Result<json::Object> {
        json::Object out;
        for (const Order& order : orders) {
          auto one = order.authority->sign(order.request_pem, order.request, now, entropy);
          if (!one) return wrap("requests: " + order.use, one.error());
          out[order.use] = std::move(*one);
        }
        return out;
      });
  if (!certificates) co_return bad(certificates.error().message);
  json::Object authorities;
  authorities["ca"] = authorities_.get(Signer::kubernetes)->pair().certificate_pem;
  authorities["etcd-ca"] = authorities_.get(Signer::etcd)->pair().certificate_pem;
  json::Object answer;
  answer["certificates"] = std::move(*certificates);
  answer["authorities"] = std::move(authorities);
  co_return json::Value(std::move(answer));
}

Task<ProvisioningService::Document> ProvisioningService::sign(Asked asked) {
  // Boards of an external etcd are no members; they renew what they have, and tokens bring in none.
  std::optional<NamesOfOthers> others;
  if (asked.by_token || (asked.by_itself && member_ != nullptr)) {
    auto listed = co_await members();
    if (!listed) co_return std::unexpected(listed.error());
    auto may =
        asked.by_token ? refuse_taken(*listed, asked.board) : require_member(*listed, asked.board);
    if (!may) co_return std::unexpected(may.error());
    others.emplace(*listed, asked.board,
                   config_.values.text("apiserver", "service-cluster-ip-range"));
  }
  if (!authorities_.holds_all()) co_return co_await elsewhere();
  auto names = names_for(asked, others ? &*others : nullptr);
  if (!names) co_return std::unexpected(names.error());
  auto orders = orders_of(asked, *names);
  if (!orders) co_return std::unexpected(orders.error());
  auto answer = co_await sign_all(std::move(*orders));
  if (answer) {
    log_.info("signed certificates", LogField("board", asked.board), LogField("user", asked.user));
  }
  co_return answer;
}

// --- members ---

Task<ProvisioningService::Document> ProvisioningService::add(Asked asked) {
  auto listed = co_await members();
  if (!listed) co_return std::unexpected(listed.error());
  if (asked.by_itself) {
    auto may = require_member(*listed, asked.board);
    if (!may) co_return std::unexpected(may.error());
  }
  auto urls = texts(asked.body, "peerURLs");
  if (!urls) co_return std::unexpected(urls.error());
  const auto taken = [&](const etcd::MemberInfo& member, std::string_view why) {
    return refuse(409, "AlreadyExists",
                  std::format("member {} ({}) {}: `tripod board remove {}`, then let it join again",
                              hex(member.id), member.name, why, member.name));
  };
  etcd::MemberId self = 0;
  for (const etcd::MemberInfo& member : *listed) {
    const bool same = same_urls(member.peer_urls, *urls);
    if (same && !member.name.empty()) co_return taken(member, "has started before there");
    if (!same && member.name == asked.board) co_return taken(member, "has this name elsewhere");
    if (same) self = member.id;
  }
  if (self == 0) {
    auto added = co_await member_->member_add({.peer_urls = *urls, .is_learner = true});
    if (!added) co_return std::unexpected(from_etcd(added.error()));
    self = added->member.id;
    *listed = std::move(added->members);
    log_.info("added a member", LogField("board", asked.board), LogField("member", hex(self)),
              LogField("user", asked.user));
  }
  json::Object answer;
  answer["id"] = hex(self);
  answer["initialCluster"] = initial_cluster(*listed, self, asked.board);
  co_return json::Value(std::move(answer));
}

Task<ProvisioningService::Document> ProvisioningService::remove(Asked asked) {
  auto listed = co_await members();
  if (!listed) co_return std::unexpected(listed.error());
  std::string names;
  const etcd::MemberInfo* found = nullptr;
  for (const etcd::MemberInfo& member : *listed) {
    // One that has not started yet has no name.
    const std::string& name = member.name.empty() ? hex(member.id) : member.name;
    names += std::format("{}{}", names.empty() ? "" : ", ", name);
    if (name == asked.board) found = &member;
  }
  if (found == nullptr) {
    co_return refuse(404, "NotFound",
                     std::format("no board \"{}\"; the members are {}", asked.board, names));
  }
  const etcd::MemberId id = found->id;
  auto removed = co_await member_->member_remove({.id = id});
  if (!removed) co_return std::unexpected(from_etcd(removed.error()));
  log_.info("removed a member", LogField("board", asked.board), LogField("member", hex(id)),
            LogField("user", asked.user));
  json::Array left;
  for (const etcd::MemberInfo& member : removed->members)
    left.emplace_back(json::String(member.name));
  json::Object answer;
  answer["id"] = hex(id);
  answer["members"] = std::move(left);
  co_return json::Value(std::move(answer));
}

}  // namespace tripod::node
