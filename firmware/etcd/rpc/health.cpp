#include "firmware/etcd/rpc/health.h"

#include <algorithm>
#include <format>

#include "firmware/etcd/version.h"

namespace tripod::etcd::rpc {
namespace {

using Query = std::vector<std::pair<std::string, std::string>>;

Query read_query(const std::string& text) {
  return http::parse_query(text).value_or(Query{});
}

bool says(const Query& query, std::string_view name, std::string_view value) {
  return std::ranges::any_of(
      query, [&](const auto& pair) { return pair.first == name && pair.second == value; });
}
bool names(const Query& query, std::string_view name) {
  return std::ranges::any_of(query, [&](const auto& pair) { return pair.first == name; });
}

/// etcd answers other methods only where it shows metrics or has nothing to show.
bool only_to_get(std::string_view path) {
  return path == "/health" || path == "/version" || path.starts_with("/livez") ||
         path.starts_with("/readyz");
}

/// Go's error texts of an RPC, as they appear in etcd's reasons.
std::string rpc_error(const grpc::Status& status) {
  return status.message;
}

}  // namespace

Task<void> HealthHandler::handle(std::unique_ptr<http::Exchange> exchange) {
  const std::string method = exchange->request().method;
  const std::string path = exchange->request().path;
  Answer result = {.status = 405, .body = "Method Not Allowed\n"};
  if (method == "GET" || !only_to_get(path)) {
    result = co_await answer(path, exchange->request().query);
  }
  http::ResponseHead head{result.status, {{"content-type", result.type}}};
  if (result.not_to_sniff) head.headers.add("x-content-type-options", "nosniff");
  if (result.status == 405) head.headers.add("allow", "GET");
  co_await http::send(*exchange, std::move(head),
                      method == "HEAD" ? nullptr : share(std::move(result.body)));
}

Task<HealthHandler::Answer> HealthHandler::answer(std::string path, std::string query) {
  static constexpr std::string_view live[] = {"serializable_read"};
  static constexpr std::string_view ready[] = {"data_corruption", "linearizable_read",
                                               "non_learner", "serializable_read"};
  if (path == "/health") {
    Answer found = co_await health(std::move(query));
    metrics_.count_health(found.status == 200);
    co_return found;
  }
  if (path == "/version") {
    co_return Answer{
        .type = "application/json",
        .not_to_sniff = false,
        .body = std::format(R"({{"etcdserver":"{}","etcdcluster":"{}","storage":"{}"}})",
                            server_version, cluster_version, storage_version)};
  }
  if (path == "/metrics") {
    co_return Answer{.type = "text/plain; version=0.0.4; charset=utf-8",
                     .not_to_sniff = false,
                     .body = member_.metrics().expose()};
  }
  for (const bool is_live : {true, false}) {
    const std::string root = is_live ? "/livez" : "/readyz";
    const std::span<const std::string_view> all = is_live
                                                      ? std::span<const std::string_view>(live)
                                                      : std::span<const std::string_view>(ready);
    if (path == root) {
      co_return co_await checks(root.substr(1), std::vector<std::string>(all.begin(), all.end()),
                                std::move(query));
    }
    for (const std::string_view name : all) {
      if (path == std::format("{}/{}", root, name)) {
        co_return co_await checks(root.substr(1), {std::string(name)}, std::move(query));
      }
    }
  }
  co_return Answer{.status = 404, .body = "404 page not found\n"};
}

Task<HealthHandler::Answer> HealthHandler::health(std::string query) {
  const Query asked = read_query(query);
  const bool serializable = says(asked, "serializable", "true");
  std::string reason;
  for (const AlarmMember& alarm : member_.alarms()) {
    const std::string_view name = alarm.alarm == AlarmType::corrupt ? "CORRUPT" : "NOSPACE";
    if (!says(asked, "exclude", name)) reason = std::format("ALARM {}", name);
  }
  if (!reason.empty()) {
    // Said already.
  } else if (!serializable && member_.leader() == 0) {
    reason = "RAFT NO LEADER";
  } else if (!serializable) {
    auto read = co_await member_.read_revision();
    if (!read) reason = "RANGE ERROR:" + rpc_error(read.error());
  }
  const std::string body =
      std::format(R"({{"health":"{}","reason":"{}"}})", reason.empty() ? "true" : "false", reason);
  if (reason.empty()) co_return Answer{.not_to_sniff = false, .body = body};
  co_return Answer{.status = 503, .body = body + "\n"};
}

Task<std::string> HealthHandler::failure_of(std::string check) {
  if (check == "linearizable_read") {
    auto read = co_await member_.read_revision();
    if (!read) co_return "range error: " + rpc_error(read.error());
  }
  if (check == "data_corruption" && !member_.alarms(AlarmType::corrupt).empty()) {
    co_return "alarm activated: CORRUPT";
  }
  if (check == "non_learner" && member_.is_learner()) co_return "the local member is a learner";
  // Local reads answer as long as this process runs.
  co_return std::string();
}

Task<HealthHandler::Answer> HealthHandler::checks(std::string type, std::vector<std::string> all,
                                                  std::string query) {
  const Query asked = read_query(query);
  std::string lines;
  bool good = true;
  for (const std::string& name : all) {
    if (all.size() > 1 && says(asked, "exclude", name)) continue;
    const std::string failure = co_await failure_of(name);
    lines += failure.empty() ? std::format("[+]{} ok\n", name)
                             : std::format("[-]{} failed: {}\n", name, failure);
    metrics_.count_check(type, name, failure.empty());
    good = good && failure.empty();
  }
  if (!good) co_return Answer{.status = 503, .body = lines + "\n"};
  co_return Answer{.body = (names(asked, "verbose") ? lines : std::string()) + "ok\n"};
}

}  // namespace tripod::etcd::rpc
