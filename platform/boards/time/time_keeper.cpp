#include "platform/boards/time/time_keeper.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "platform/async/sync.h"
#include "platform/boards/net/ip.h"
#include "platform/boards/time/clock_setting.h"

namespace tripod::boards {
namespace {

constexpr Duration answer_patience = std::chrono::milliseconds(1500);
constexpr Duration interval_good = std::chrono::minutes(17);
constexpr Duration interval_bad_first = std::chrono::seconds(4);
constexpr Duration interval_bad_max = std::chrono::seconds(64);
constexpr std::uint16_t ntp_port = 123;
constexpr std::size_t servers_max = 8;

Result<Descriptor> connect_to(const Ip& server) {
  Descriptor socket(
      ::socket(server.v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return os_failure("opening a socket");
  sockaddr_storage address{};
  socklen_t size = 0;
  if (server.v6) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(ntp_port);
    std::memcpy(&v6.sin6_addr, server.octets.data(), sizeof(v6.sin6_addr));
    std::memcpy(&address, &v6, size = sizeof(v6));
  } else {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(ntp_port);
    std::memcpy(&v4.sin_addr, server.octets.data(), sizeof(v4.sin_addr));
    std::memcpy(&address, &v4, size = sizeof(v4));
  }
  // A connected socket takes packets of this server only.
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) {
    return os_failure(std::format("reaching {}", server.to_string()));
  }
  return socket;
}

}  // namespace

/// One server that was asked.
struct TimeKeeper::Exchange {
  std::string server;
  std::uint64_t cookie = 0;
  WallTime sent;
  MonotonicTime sent_at;
  Descriptor socket;
  std::unique_ptr<os::Operation> watch;
  std::optional<Result<TimeSample>> answer;
};

TimeKeeper::TimeKeeper(Options options, os::World world, linux_os::Loop& loop, const Logger& log)
    : options_(std::move(options)), world_(world), loop_(loop), log_(log.named("time")) {}

Task<void> TimeKeeper::run() {
  Duration pause = interval_bad_first;
  std::string problem;
  while (true) {
    auto sample = co_await ask_all(options_.servers());
    auto applied = sample ? apply(*sample) : std::unexpected(sample.error());
    if (applied) {
      pause = interval_good;
      problem.clear();
    } else {
      if (applied.error() == ErrorCode::cancelled) co_return;
      if (applied.error().message != problem) {
        problem = applied.error().message;
        log_.warn("clock not compared", LogField("reason", problem));
        status_ = std::format("{}synchronized: {}", synchronized_ ? "was " : "not ", problem);
        options_.changed();
      }
      pause = pause == interval_good ? interval_bad_first : std::min(2 * pause, interval_bad_max);
    }
    if (auto slept = co_await async::sleep_for(loop_, pause); !slept) co_return;
  }
}

Task<std::vector<std::string>> TimeKeeper::addresses_of(std::vector<std::string> servers) {
  std::vector<std::string> out;
  for (const std::string& server : servers) {
    if (parse_ip(server)) {
      out.push_back(server);
      continue;
    }
    auto found = co_await async::resolve(world_.network, server);
    if (!found) continue;
    for (const std::string& address : *found) {
      if (out.size() < servers_max) out.push_back(address);
    }
  }
  co_return out;
}

Task<Result<TimeSample>> TimeKeeper::ask_all(std::vector<std::string> servers) {
  if (servers.empty()) {
    co_return fail(ErrorCode::unavailable,
                   "no time server is known; expected [board] ntp-servers or DHCP to name one");
  }
  std::vector<std::string> addresses = co_await addresses_of(servers);
  std::vector<std::unique_ptr<Exchange>> exchanges;
  for (const std::string& address : addresses) {
    auto ip = parse_ip(address);
    auto socket = ip ? connect_to(*ip) : fail(ErrorCode::invalid, "no address");
    if (!socket) continue;
    auto exchange = std::make_unique<Exchange>();
    exchange->server = address;
    exchange->cookie = world_.entropy.next();
    exchange->socket = std::move(*socket);
    Exchange* raw = exchange.get();
    exchange->watch = loop_.on_readable(raw->socket.get(), [this, raw] {
      Bytes packet(sntp_bytes, '\0');
      ssize_t size = ::recv(raw->socket.get(), packet.data(), packet.size(), 0);
      if (size < 0) return;  // refused; nobody answers then
      // Our clock may be set in between; what passed is taken from the one that is not.
      auto passed =
          std::chrono::duration_cast<std::chrono::microseconds>(loop_.now() - raw->sent_at);
      packet.resize(static_cast<std::size_t>(size));
      raw->answer =
          decode_sntp_answer(packet, raw->cookie, raw->sent, raw->sent + passed, options_.floor);
      raw->watch.reset();
    });
    const Bytes request = encode_sntp_request(exchange->cookie);
    exchange->sent = read_clock();
    exchange->sent_at = loop_.now();
    std::ignore = ::send(exchange->socket.get(), request.data(), request.size(), 0);
    exchanges.push_back(std::move(exchange));
  }
  if (auto slept = co_await async::sleep_for(loop_, answer_patience); !slept) {
    co_return std::unexpected(slept.error());
  }
  std::vector<TimeSample> samples;
  for (const auto& each : exchanges) {
    if (!each->answer || !*each->answer) continue;
    samples.push_back(**each->answer);
    samples.back().server = each->server;
  }
  co_return choose_time(samples);
}

Result<> TimeKeeper::apply(const TimeSample& sample) {
  const WallTime now = read_clock();
  const WallTime right = now + std::chrono::duration_cast<std::chrono::microseconds>(sample.offset);
  if (right < options_.floor) {
    return fail(ErrorCode::invalid,
                std::format("{} says {}, which is long past", sample.server, to_rfc3339(right)));
  }
  const ClockChange change = decide_change(sample.offset, !synchronized_);
  Result<> changed;
  if (change == ClockChange::step) changed = step_clock(right);
  if (change == ClockChange::slew) changed = slew_clock(sample.offset);
  if (!changed) return changed;
  if (change == ClockChange::step || !synchronized_) {
    log_.info(
        "clock compared", LogField("server", sample.server),
        LogField("offset_ms", std::chrono::duration_cast<Milliseconds>(sample.offset).count()),
        LogField("change", change == ClockChange::step ? "set" : "none"));
    std::ignore = save_to_rtc(right);
  }
  const bool news = !synchronized_;
  synchronized_ = true;
  status_ = std::format("synchronized with {}", sample.server);
  if (news) options_.changed();
  return {};
}

}  // namespace tripod::boards
