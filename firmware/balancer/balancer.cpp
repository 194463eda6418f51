#include "firmware/balancer/balancer.h"

#include "platform/async/sync.h"

namespace tripod::balancer {

/// The series of one backend.
struct Balancer::Series {
  Series(metrics::Registry& registry, const std::string& backend)
      : up(registry.gauge("tripod_balancer_backend_up", "1 while the backend takes clients.",
                          {{"backend", backend}})),
        connections(registry.gauge("tripod_balancer_connections", "Clients connected now.",
                                   {{"backend", backend}})),
        sessions(registry.counter("tripod_balancer_sessions_total", "Clients served.",
                                  {{"backend", backend}})),
        connect_failures(registry.counter("tripod_balancer_connect_failures_total",
                                          "Connects to the backend that failed.",
                                          {{"backend", backend}})),
        probes_failed(registry.counter("tripod_balancer_health_checks_failed_total",
                                       "Health checks that failed.", {{"backend", backend}})),
        received(registry.counter("tripod_balancer_received_bytes_total", "Bytes from clients.",
                                  {{"backend", backend}})),
        sent(registry.counter("tripod_balancer_sent_bytes_total", "Bytes to clients.",
                              {{"backend", backend}})) {}

  metrics::Gauge& up;
  metrics::Gauge& connections;
  metrics::Counter& sessions;
  metrics::Counter& connect_failures;
  metrics::Counter& probes_failed;
  metrics::Counter& received;
  metrics::Counter& sent;
};

Balancer::Balancer(Options options, Probe probe, os::World world, metrics::Registry& metrics)
    : options_(std::move(options)),
      probe_(std::move(probe)),
      world_(world),
      logger_(world.log, "balancer"),
      backends_(options_.backends, options_.health),
      rejected_(metrics.counter("tripod_balancer_rejected_total",
                                "Clients turned away: too many, or no backend reached.")),
      sessions_(world.executor),
      probes_(world.executor) {
  for (const os::Address& backend : options_.backends)
    series_.emplace_back(metrics, backend.to_string());
}

Balancer::~Balancer() = default;

Result<> Balancer::start() {
  auto listener = world_.network.listen(
      options_.listen, [this](std::unique_ptr<os::Stream> client) { accept(std::move(client)); });
  if (!listener) return std::unexpected(listener.error());
  listener_ = std::move(*listener);
  for (Backends::Index i = 0; i < backends_.size(); ++i) probes_.spawn(watch_backend(i));
  logger_.info("listening", LogField("address", listener_->address().to_string()),
               LogField("backends", backends_.size()));
  return {};
}

Task<void> Balancer::stop() {
  listener_.reset();
  probes_.cancel();
  co_await probes_.join();
  MonotonicTime deadline = world_.clock.now() + options_.drain_timeout;
  while (!sessions_.idle() && world_.clock.now() < deadline) {
    if (!co_await async::sleep_for(world_.clock, Milliseconds(20))) break;
  }
  for (Pump* pump : pumps_) pump->abort();
  sessions_.cancel();
  co_await sessions_.join();
}

void Balancer::accept(std::unique_ptr<os::Stream> client) {
  if (connections_ >= options_.max_connections) {
    rejected_.add();
    return;
  }
  sessions_.spawn(serve(std::move(client)));
}

Task<Result<std::unique_ptr<os::Stream>>> Balancer::reach(Backends::Index index) {
  co_return co_await async::with_timeout(world_.clock, options_.connect_timeout,
                                         async::connect(world_.network, backends_.address(index)));
}

Task<void> Balancer::serve(std::unique_ptr<os::Stream> client) {
  ++connections_;
  std::vector<Backends::Index> tried;
  bool served = false;
  while (!served) {
    auto index = backends_.choose(tried);
    if (!index) break;
    tried.push_back(*index);
    backends_.opened(*index);
    auto backend = co_await reach(*index);
    if (backend) {
      served = true;
      co_await pump(std::move(client), std::move(*backend), *index);
    } else if (backend.error() == ErrorCode::cancelled) {
      served = true;
    } else {
      series_[*index].connect_failures.add();
      if (backends_.connect_failed(*index)) note(*index, false, backend.error().message);
    }
    backends_.closed(*index);
  }
  if (!served) rejected_.add();
  --connections_;
}

Task<void> Balancer::pump(std::unique_ptr<os::Stream> client, std::unique_ptr<os::Stream> backend,
                          Backends::Index index) {
  Series& series = series_[index];
  series.sessions.add();
  series.connections.add(1);
  async::Oneshot<void> ended;
  Pump pump(world_.executor, std::move(client), std::move(backend), {series.received, series.sent},
            [ended]() mutable { ended.set(); });
  auto place = pumps_.insert(pumps_.end(), &pump);
  pump.start();
  co_await ended.uncancellable();
  pumps_.erase(place);
  series.connections.add(-1);
}

Task<void> Balancer::watch_backend(Backends::Index index) {
  while (!probes_.cancelled()) {
    auto ready = co_await async::with_timeout(world_.clock, options_.health_check_timeout,
                                              probe_(backends_.address(index)));
    if (probes_.cancelled()) co_return;
    if (!ready) series_[index].probes_failed.add();
    if (backends_.probed(index, ready.has_value())) {
      note(index, ready.has_value(), ready ? "ready" : ready.error().message);
    }
    if (!co_await async::sleep_for(world_.clock, options_.health_check_interval)) co_return;
  }
}

void Balancer::note(Backends::Index index, bool good, std::string_view why) {
  series_[index].up.set(good ? 1 : 0);
  LogField backend("backend", backends_.address(index).to_string());
  if (good) {
    logger_.info("backend is up", backend);
  } else {
    logger_.warn("backend is down", backend, LogField("reason", why));
  }
}

}  // namespace tripod::balancer
