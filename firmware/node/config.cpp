#include "firmware/node/config.h"

#include <algorithm>
#include <charconv>
#include <format>
#include <initializer_list>

#include "firmware/kube/bootstrap/token.h"
#include "firmware/node/board_settings.h"
#include "platform/ini/problems.h"

namespace tripod::node {
namespace {

using ini::Kind;

constexpr std::int64_t hour_ms = 3'600'000;
constexpr std::string_view pin_prefix = "sha256:";
constexpr std::string_view role_names = "etcd|apiserver|controller-manager|scheduler|balancer";

constexpr ini::Key keys[] = {
    {"node", "name", Kind::name, ""},
    {"node", "data-dir", Kind::path, "/var/lib/tripod"},
    {"node", "roles", Kind::list, "etcd, apiserver, controller-manager, scheduler", 0, 0,
     role_names},
    {"node", "join", Kind::text, ""},
    {"node", "join-token", Kind::text, ""},
    {"node", "join-ca-hash", Kind::text, ""},
    {"node", "client-cert-file", Kind::path, ""},
    {"node", "client-key-file", Kind::path, ""},
    {"node", "ca-key-file", Kind::path, ""},
    {"node", "etcd-ca-key-file", Kind::path, ""},
    {"node", "certificate-lifetime", Kind::duration, "8760h", 10'000, 87'600 * hour_ms},
    {"node", "log-level", Kind::text, "info", 0, 0, "error|warning|info|debug"},

    {"etcd", "name", Kind::name, ""},
    {"etcd", "data-dir", Kind::path, ""},
    {"etcd", "listen-client-urls", Kind::urls, "http://127.0.0.1:2379"},
    {"etcd", "listen-metrics-urls", Kind::urls, ""},
    {"etcd", "advertise-client-urls", Kind::urls, ""},
    {"etcd", "listen-peer-urls", Kind::urls, "http://127.0.0.1:2380"},
    {"etcd", "initial-advertise-peer-urls", Kind::urls, ""},
    {"etcd", "initial-cluster", Kind::text, ""},
    {"etcd", "initial-cluster-state", Kind::text, "new", 0, 0, "new|existing"},
    {"etcd", "initial-cluster-token", Kind::text, "tripod"},
    {"etcd", "force-new-cluster", Kind::boolean, "false"},
    {"etcd", "strict-reconfig-check", Kind::boolean, "true"},
    {"etcd", "max-learners", Kind::integer, "1", 1, 32},
    {"etcd", "snapshot-catchup-entries", Kind::integer, "10000", 100, 10'000'000},
    {"etcd", "heartbeat-interval", Kind::integer, "100", 10, 10'000},
    {"etcd", "election-timeout", Kind::integer, "1000", 50, 50'000},
    {"etcd", "quota-backend-bytes", Kind::integer, "0", -1, std::int64_t{1} << 40},
    {"etcd", "auto-compaction-mode", Kind::text, "periodic", 0, 0, "periodic|revision"},
    {"etcd", "auto-compaction-retention", Kind::text, "0"},
    {"etcd", "corrupt-check-time", Kind::duration, "0s", 0, 24 * hour_ms},
    {"etcd", "experimental-corrupt-check-time", Kind::duration, "0s", 0, 24 * hour_ms},
    {"etcd", "experimental-initial-corrupt-check", Kind::boolean, "false"},
    {"etcd", "snapshot-interval", Kind::duration, "0s", 0, 366 * 24 * hour_ms},
    {"etcd", "snapshot-retention", Kind::integer, "5", 1, 1'000},
    {"etcd", "snapshot-dir", Kind::path, ""},
    {"etcd", "watch-progress-notify-interval", Kind::duration, "10m", 100, hour_ms},
    {"etcd", "cert-file", Kind::path, ""},
    {"etcd", "key-file", Kind::path, ""},
    {"etcd", "trusted-ca-file", Kind::path, ""},
    {"etcd", "client-cert-auth", Kind::boolean, "false"},
    {"etcd", "auth-token", Kind::text, "simple", 0, 0, "simple"},
    {"etcd", "auth-token-ttl", Kind::integer, "300", 1, 31'536'000},
    {"etcd", "bcrypt-cost", Kind::integer, "10", 4, 20},
    {"etcd", "peer-cert-file", Kind::path, ""},
    {"etcd", "peer-key-file", Kind::path, ""},
    {"etcd", "peer-trusted-ca-file", Kind::path, ""},

    {"apiserver", "bind-address", Kind::ip, "127.0.0.1"},
    {"apiserver", "secure-port", Kind::integer, "6444", 1, 65'535},
    {"apiserver", "tls-cert-file", Kind::path, ""},
    {"apiserver", "tls-private-key-file", Kind::path, ""},
    {"apiserver", "client-ca-file", Kind::path, ""},
    {"apiserver", "service-cluster-ip-range", Kind::cidr, "10.96.0.0/16"},
    {"apiserver", "etcd-servers", Kind::list, ""},
    {"apiserver", "etcd-cafile", Kind::path, ""},
    {"apiserver", "etcd-certfile", Kind::path, ""},
    {"apiserver", "etcd-keyfile", Kind::path, ""},
    {"apiserver", "etcd-prefix", Kind::text, "/registry"},
    {"apiserver", "etcd-compaction-interval", Kind::duration, "5m", 1'000, 24 * hour_ms},

    {"controller-manager", "leader-elect", Kind::boolean, "true"},
    {"controller-manager", "leader-elect-lease-duration", Kind::duration, "15s", 1'000, hour_ms},
    {"controller-manager", "leader-elect-renew-deadline", Kind::duration, "10s", 500, hour_ms},
    {"controller-manager", "leader-elect-retry-period", Kind::duration, "2s", 100, hour_ms},
    {"controller-manager", "leader-elect-resource-lock", Kind::text, "leases", 0, 0,
     "leases|endpoints"},
    {"controller-manager", "leader-elect-resource-namespace", Kind::name, "kube-system"},
    {"controller-manager", "leader-elect-resource-name", Kind::name, "kube-controller-manager"},
    {"controller-manager", "node-monitor-period", Kind::duration, "5s", 100, hour_ms},
    {"controller-manager", "node-monitor-grace-period", Kind::duration, "50s", 1'000, hour_ms},

    {"scheduler", "leader-elect", Kind::boolean, "true"},
    {"scheduler", "leader-elect-lease-duration", Kind::duration, "15s", 1'000, hour_ms},
    {"scheduler", "leader-elect-renew-deadline", Kind::duration, "10s", 500, hour_ms},
    {"scheduler", "leader-elect-retry-period", Kind::duration, "2s", 100, hour_ms},
    {"scheduler", "leader-elect-resource-lock", Kind::text, "leases", 0, 0, "leases|endpoints"},
    {"scheduler", "leader-elect-resource-namespace", Kind::name, "kube-system"},
    {"scheduler", "leader-elect-resource-name", Kind::name, "kube-scheduler"},

    {"balancer", "listen", Kind::address, "127.0.0.1:6443"},
    {"balancer", "backends", Kind::addresses, ""},
    {"balancer", "health-check-path", Kind::text, "/readyz"},
    {"balancer", "health-check-interval", Kind::duration, "2s", 100, 60'000},
    {"balancer", "health-check-timeout", Kind::duration, "1s", 50, 60'000},
    {"balancer", "health-check-rise", Kind::integer, "2", 1, 100},
    {"balancer", "health-check-fall", Kind::integer, "2", 1, 100},
    {"balancer", "health-check-ca-file", Kind::path, ""},
    {"balancer", "health-check-cert-file", Kind::path, ""},
    {"balancer", "health-check-key-file", Kind::path, ""},
    {"balancer", "max-connections", Kind::integer, "1024", 1, 100'000},
    {"balancer", "drain-timeout", Kind::duration, "5s", 0, 60'000},

    {"metrics", "listen", Kind::address, "127.0.0.1:10249"},

    {"board", "hostname", Kind::name, ""},
    {"board", "address", Kind::list, ""},
    {"board", "interface", Kind::text, ""},
    {"board", "gateway", Kind::list, ""},
    {"board", "nameservers", Kind::list, ""},
    {"board", "ntp-servers", Kind::list, ""},
    {"board", "hosts", Kind::list, ""},
    {"board", "memory-max", Kind::text, ""},
    {"board", "watchdog-timeout", Kind::duration, "15s", 0, 120'000},
    {"board", "update-patience", Kind::duration, "5m", 30'000, 3'600'000},
};

Role role_of(std::string_view name) {
  if (name == "etcd") return Role::etcd;
  if (name == "apiserver") return Role::apiserver;
  if (name == "controller-manager") return Role::controller_manager;
  if (name == "scheduler") return Role::scheduler;
  return Role::balancer;
}

/// Collects what is wrong with the file as a whole.
class Checker {
 public:
  explicit Checker(const Config& config) : config_(config), values_(config.values) {}

  std::string check() {
    check_node();
    check_join();
    check_signing();
    check_sections();
    if (config_.has(Role::etcd)) check_etcd();
    if (config_.has(Role::apiserver)) check_apiserver();
    for (std::string_view section : {"controller-manager", "scheduler"}) check_election(section);
    if (config_.has(Role::balancer)) check_balancer();
    if (auto board = read_board_settings(values_); !board) problems_.add(board.error().message);
    if (!values_.address("metrics", "listen").ip.starts_with("127.")) {
      wrong("metrics", "listen", "expected a loopback address, as 127.0.0.1:10249");
    }
    return problems_.text();
  }

 private:
  void wrong(std::string_view section, std::string_view key, std::string_view what) {
    problems_.add(std::format("{}: {}", values_.where(section, key), what));
  }

  void need(std::string_view section, std::initializer_list<std::string_view> wanted) {
    for (std::string_view key : wanted) {
      if (values_.text(section, key).empty()) {
        wrong(section, key, "expected a value, for this board has the role");
      }
    }
  }

  void check_node() {
    if (config_.name.empty()) wrong("node", "name", "expected the board's name");
    if (config_.roles.empty()) wrong("node", "roles", "expected at least one role");
    for (auto [role, name] : {std::pair(Role::controller_manager, "controller-manager"),
                              std::pair(Role::scheduler, "scheduler")}) {
      if (config_.has(role) && !config_.has(Role::apiserver)) {
        wrong("node", "roles", std::format("{} needs the role apiserver on the same board", name));
      }
    }
    if (config_.has(Role::apiserver) && !config_.has(Role::etcd) &&
        values_.list("apiserver", "etcd-servers").empty()) {
      wrong("node", "roles",
            "apiserver needs the role etcd on the same board, or [apiserver] etcd-servers, as "
            "https://192.168.1.21:2379");
    }
  }

  /// The board's certificates and its place come from a cluster that runs.
  void check_join() {
    const bool joins = config_.joins();
    for (std::string_view key : {"join-token", "join-ca-hash"}) {
      if (!joins && !values_.text("node", key).empty()) {
        wrong("node", key, "is for [node] join, and there is none");
      }
    }
    if (!joins) return;
    if (!parse_https(values_.text("node", "join"))) {
      wrong("node", "join",
            "expected the API server of a cluster that runs, as https://192.168.1.11:6443");
    }
    if (auto token = kube::parse_token(values_.text("node", "join-token")); !token) {
      wrong("node", "join-token", token.error().message);
    }
    const std::string_view pin = values_.text("node", "join-ca-hash");
    const bool hexadecimal = std::ranges::all_of(
        pin.substr(std::min<std::size_t>(pin.size(), pin_prefix.size())),
        [](char c) { return std::string_view("0123456789abcdef").contains(c); });
    if (!pin.starts_with(pin_prefix) || pin.size() != pin_prefix.size() + 64 || !hexadecimal) {
      wrong("node", "join-ca-hash",
            "expected sha256: and 64 hexadecimal digits, as `tripod token create` prints it");
    }
    if (!config_.has(Role::etcd) || !config_.has(Role::apiserver)) {
      wrong("node", "join", "is for boards with the roles etcd and apiserver");
    }
    need_for_join({"client-cert-file", "client-key-file"});
    if (!values_.text("etcd", "initial-cluster").empty()) {
      wrong("etcd", "initial-cluster",
            std::format("contradicts {}: the cluster says who is in it; expected none",
                        values_.where("node", "join")));
    }
  }

  void need_for_join(std::initializer_list<std::string_view> wanted) {
    for (std::string_view key : wanted) {
      if (values_.text("node", key).empty()) {
        wrong("node", key, "expected a file to keep, for this board joins");
      }
    }
  }

  static bool parse_https(std::string_view text) {
    auto endpoint = parse_endpoint(text);
    return endpoint && endpoint->tls;
  }

  /// Pairs that make sense together only.
  void check_signing() {
    for (auto [one, other] : {std::pair("client-cert-file", "client-key-file"),
                              std::pair("ca-key-file", "etcd-ca-key-file")}) {
      for (auto [has, lacks] : {std::pair(one, other), std::pair(other, one)}) {
        if (!values_.text("node", has).empty() && values_.text("node", lacks).empty()) {
          wrong("node", lacks, std::format("expected a file, as for {}", has));
        }
      }
    }
  }

  /// A section for a role that this board does not have says two things at once.
  void check_sections() {
    for (auto [role, name, key] : {std::tuple(Role::etcd, "etcd", "name"),
                                   std::tuple(Role::apiserver, "apiserver", "bind-address"),
                                   std::tuple(Role::balancer, "balancer", "listen")}) {
      if (!config_.has(role) && values_.has_section(name)) {
        wrong("node", "roles",
              std::format("section [{}] is there ({}), but not the role; "
                          "expected the role, or no such section",
                          name, values_.where(name, key)));
      }
    }
  }

  void check_certificates(std::string_view urls, std::string_view cert, std::string_view key,
                          std::string_view ca) {
    bool tls =
        std::ranges::any_of(values_.urls("etcd", urls), [](const ini::Url& u) { return u.tls; });
    if (tls) need("etcd", {cert, key, ca});
  }

  /// Others come with the scheme that is advertised, and only that one is served.
  void check_schemes(std::string_view listen, std::string_view advertise) {
    const std::vector<ini::Url> served = values_.urls("etcd", listen);
    for (const ini::Url& url : values_.urls("etcd", advertise)) {
      if (std::ranges::any_of(served, [&](const ini::Url& each) { return each.tls == url.tls; })) {
        continue;
      }
      wrong("etcd", advertise,
            std::format("contradicts {}; expected http:// in both or https:// in both",
                        values_.where("etcd", listen)));
      return;
    }
  }

  /// What the API server gives to Services: an IPv4 range that it can keep a table of.
  void check_service_range() {
    constexpr int bits_min = 12;
    constexpr int bits_max = 28;
    const std::string_view range = values_.text("apiserver", "service-cluster-ip-range");
    const std::string_view length = range.substr(range.find('/') + 1);
    int bits = 0;
    std::from_chars(length.data(), length.data() + length.size(), bits);
    if (range.contains(':') || bits < bits_min || bits > bits_max) {
      wrong(
          "apiserver", "service-cluster-ip-range",
          std::format("expected an IPv4 range of /{} to /{}, as 10.96.0.0/16", bits_min, bits_max));
    }
  }

  void check_etcd() {
    need("etcd", {"advertise-client-urls", "initial-advertise-peer-urls"});
    if (!config_.joins()) need("etcd", {"initial-cluster"});
    check_schemes("listen-client-urls", "advertise-client-urls");
    check_schemes("listen-peer-urls", "initial-advertise-peer-urls");
    check_certificates("listen-client-urls", "cert-file", "key-file", "trusted-ca-file");
    check_certificates("listen-metrics-urls", "cert-file", "key-file", "trusted-ca-file");
    check_certificates("listen-peer-urls", "peer-cert-file", "peer-key-file",
                       "peer-trusted-ca-file");
    if (values_.integer("etcd", "election-timeout") <
        5 * values_.integer("etcd", "heartbeat-interval")) {
      wrong("etcd", "election-timeout",
            std::format("expected at least five times heartbeat-interval, {}",
                        5 * values_.integer("etcd", "heartbeat-interval")));
    }
    if (!config_.joins()) check_initial_cluster();
    check_upkeep();
  }

  void check_upkeep() {
    auto compaction = parse_auto_compaction(values_.text("etcd", "auto-compaction-mode"),
                                            values_.text("etcd", "auto-compaction-retention"));
    if (!compaction) wrong("etcd", "auto-compaction-retention", compaction.error().message);
    const auto now = values_.duration("etcd", "corrupt-check-time");
    const auto before = values_.duration("etcd", "experimental-corrupt-check-time");
    if (now.count() > 0 && before.count() > 0 && now != before) {
      wrong("etcd", "experimental-corrupt-check-time",
            std::format("is corrupt-check-time under its former name, and contradicts {}; expected "
                        "one of them",
                        values_.where("etcd", "corrupt-check-time")));
    }
    for (std::string_view key : {"corrupt-check-time", "experimental-corrupt-check-time"}) {
      const auto time = values_.duration("etcd", key);
      if (time.count() > 0 && time < std::chrono::seconds(1)) {
        wrong("etcd", key, "expected 0 for never, or at least 1s, as 5m");
      }
    }
    const auto interval = values_.duration("etcd", "snapshot-interval");
    if (interval.count() > 0 && interval < std::chrono::seconds(1)) {
      wrong("etcd", "snapshot-interval", "expected 0 for never, or at least 1s, as 6h");
    }
    if (interval.count() == 0 && !values_.text("etcd", "snapshot-dir").empty()) {
      wrong("etcd", "snapshot-dir", "is for scheduled snapshots; expected snapshot-interval, too");
    }
  }

  void check_initial_cluster() {
    std::string_view advertised = values_.text("etcd", "initial-advertise-peer-urls");
    std::string own;
    for (const std::string& item : values_.list("etcd", "initial-cluster")) {
      std::size_t equals = item.find('=');
      if (equals == std::string::npos || !ini::parse_url(item.substr(equals + 1))) {
        wrong("etcd", "initial-cluster",
              std::format("\"{}\": expected name=url, as board-1=https://192.168.1.11:2380", item));
        return;
      }
      if (item.substr(0, equals) == values_.text("etcd", "name")) own = item.substr(equals + 1);
    }
    if (own.empty()) {
      wrong("etcd", "initial-cluster",
            std::format("expected a member named \"{}\", as [etcd] name says",
                        values_.text("etcd", "name")));
    } else if (!advertised.empty() && own != advertised) {
      wrong("etcd", "initial-cluster",
            std::format("has {} for this member, but initial-advertise-peer-urls is {}", own,
                        advertised));
    }
  }

  void check_apiserver() {
    need("apiserver", {"tls-cert-file", "tls-private-key-file", "client-ca-file"});
    check_etcd_servers();
    check_service_range();
    std::string_view prefix = values_.text("apiserver", "etcd-prefix");
    if (!prefix.starts_with('/') || prefix.size() < 2 || prefix.ends_with('/')) {
      wrong("apiserver", "etcd-prefix", "expected a key that begins with '/', as /registry");
    }
  }

  /// Where the API server keeps its objects: the member of this board, or a cluster elsewhere.
  void check_etcd_servers() {
    const std::vector<std::string> servers = values_.list("apiserver", "etcd-servers");
    bool tls = false;
    for (const std::string& server : servers) {
      auto endpoint = parse_endpoint(server);
      if (!endpoint) {
        wrong("apiserver", "etcd-servers", endpoint.error().message);
        return;
      }
      tls = tls || endpoint->tls;
      if (config_.has(Role::etcd) && !is_own_client_url(server)) {
        wrong("apiserver", "etcd-servers",
              std::format("\"{}\" is not the member of this board; expected the role etcd or "
                          "servers elsewhere, not both",
                          server));
      }
    }
    if (tls && !config_.has(Role::etcd)) {
      need("apiserver", {"etcd-cafile", "etcd-certfile", "etcd-keyfile"});
    }
    for (std::string_view key : {"etcd-cafile", "etcd-certfile", "etcd-keyfile"}) {
      if (!tls && !values_.text("apiserver", key).empty()) {
        wrong("apiserver", key, "is for etcd-servers with https, and there are none");
      }
    }
  }

  bool is_own_client_url(const std::string& server) const {
    for (std::string_view key : {"listen-client-urls", "advertise-client-urls"}) {
      for (const ini::Url& url : values_.urls("etcd", key)) {
        if (url.to_string() == server) return true;
      }
    }
    return false;
  }

  void check_election(std::string_view section) {
    auto lease = values_.duration(section, "leader-elect-lease-duration");
    auto deadline = values_.duration(section, "leader-elect-renew-deadline");
    auto retry = values_.duration(section, "leader-elect-retry-period");
    if (lease <= deadline) {
      wrong(section, "leader-elect-lease-duration",
            "expected more than leader-elect-renew-deadline");
    }
    if (deadline.count() * 10 <= retry.count() * 12) {
      wrong(section, "leader-elect-renew-deadline",
            "expected more than 1.2 times leader-elect-retry-period");
    }
  }

  void check_balancer() {
    need("balancer",
         {"backends", "health-check-ca-file", "health-check-cert-file", "health-check-key-file"});
    os::Address listen = values_.address("balancer", "listen");
    for (const os::Address& backend : values_.addresses("balancer", "backends")) {
      if (backend == listen) wrong("balancer", "backends", "holds the balancer's own address");
    }
    if (config_.has(Role::apiserver) && listen.ip == values_.text("apiserver", "bind-address") &&
        listen.port == values_.integer("apiserver", "secure-port")) {
      wrong("balancer", "listen",
            "is the API server's address and port too; expected another port");
    }
  }

  const Config& config_;
  const ini::Values& values_;
  ini::Problems problems_;
};

}  // namespace

std::string etcd_data_dir(const Config& config) {
  const std::string& given = config.values.text("etcd", "data-dir");
  return given.empty() ? config.data_dir + "/etcd" : given;
}

Result<EtcdServer> parse_endpoint(std::string_view text) {
  const auto wrong = [&] {
    return fail(ErrorCode::invalid,
                std::format("\"{}\": expected http:// or https:// with a host and a port, as "
                            "https://192.168.1.21:2379",
                            text));
  };
  EtcdServer server;
  if (auto url = ini::parse_url(text)) {
    if (url->address.port == 0) return wrong();
    return EtcdServer{.tls = url->tls, .host = url->address.ip, .port = url->address.port};
  }
  server.tls = text.starts_with("https://");
  if (!server.tls && !text.starts_with("http://")) return wrong();
  text.remove_prefix(server.tls ? 8 : 7);
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon > 253) return wrong();
  server.host = text.substr(0, colon);
  const bool named = std::ranges::all_of(server.host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.';
  });
  text.remove_prefix(colon + 1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), server.port);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!named || !whole || server.port == 0) return wrong();
  return server;
}

Result<AutoCompaction> parse_auto_compaction(std::string_view mode, std::string_view retention) {
  constexpr std::int64_t hours_max = std::int64_t{24} * 366 * 10;
  AutoCompaction setting{.by_revision = mode == "revision"};
  std::int64_t number = -1;
  const char* end = retention.data() + retention.size();
  const auto [stop, error] = std::from_chars(retention.data(), end, number);
  const bool bare = error == std::errc() && stop == end && number >= 0;
  if (setting.by_revision) {
    setting.revisions = number;
    if (bare) return setting;
    return fail(ErrorCode::invalid, "expected a number of revisions, as 10000; 0 for never");
  }
  if (bare && number <= hours_max) {
    setting.period = std::chrono::hours(number);
    return setting;
  }
  auto period = ini::parse_duration(retention);
  if (bare || !period || *period > std::chrono::hours(hours_max) ||
      (period->count() != 0 && *period < std::chrono::seconds(1))) {
    return fail(ErrorCode::invalid,
                "expected a duration of at least 1s, as 10m, or a number of hours; 0 for never");
  }
  setting.period = *period;
  return setting;
}

std::span<const ini::Key> config_keys() {
  return keys;
}

bool Config::has(Role role) const {
  return std::ranges::find(roles, role) != roles.end();
}

Result<Config> load_config(BytesView text, const std::string& file,
                           std::span<const std::string> arguments) {
  auto entries = ini::parse(text, file);
  if (!entries) return std::unexpected(entries.error());
  for (const std::string& argument : arguments) {
    auto entry = ini::parse_argument(argument);
    if (!entry) return std::unexpected(entry.error());
    entries->push_back(std::move(*entry));
  }
  auto values = ini::read(keys, *entries);
  if (!values) return std::unexpected(values.error());
  Config config;
  config.values = std::move(*values);
  config.name = config.values.text("node", "name");
  config.data_dir = config.values.text("node", "data-dir");
  for (const std::string& role : config.values.list("node", "roles"))
    config.roles.push_back(role_of(role));
  std::string problems = Checker(config).check();
  if (!problems.empty()) return fail(ErrorCode::invalid, std::move(problems));
  return config;
}

}  // namespace tripod::node
