#include "firmware/node/local_http.h"

namespace tripod::node {

void register_process_metrics(metrics::Registry& registry, os::Board& board) {
  auto& cpu = registry.counter("process_cpu_seconds_total",
                               "Total user and system CPU time spent in seconds.");
  auto& resident =
      registry.gauge("process_resident_memory_bytes", "Resident memory size in bytes.");
  auto& virtual_memory =
      registry.gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.");
  auto& descriptors = registry.gauge("process_open_fds", "Number of open file descriptors.");
  auto& descriptors_max =
      registry.gauge("process_max_fds", "Maximum number of open file descriptors.");
  auto& start = registry.gauge("process_start_time_seconds",
                               "Start time of the process since unix epoch in seconds.");
  registry.on_collect([&] {
    os::ProcessUsage usage = board.usage();
    cpu.add(usage.cpu_seconds - cpu.value());
    resident.set(static_cast<double>(usage.resident_bytes));
    virtual_memory.set(static_cast<double>(usage.virtual_bytes));
    descriptors.set(static_cast<double>(usage.open_descriptors));
    descriptors_max.set(static_cast<double>(usage.descriptors_max));
    start.set(usage.start_unix_seconds);
  });
}

Task<void> LocalHttp::handle(std::unique_ptr<http::Exchange> exchange) {
  const http::RequestHead& request = exchange->request();
  http::ResponseHead head{.status = 200,
                          .headers = {{"content-type", "text/plain; charset=utf-8"}}};
  Bytes body;
  if (request.method != "GET" && request.method != "HEAD") {
    head.status = 405;
    head.headers.add("allow", "GET, HEAD");
    body = "expected GET\n";
  } else if (request.path == "/metrics") {
    head.headers.set("content-type", "text/plain; version=0.0.4; charset=utf-8");
    body = registry_.expose();
  } else if (request.path == "/healthz" || request.path == "/livez") {
    body = "ok";
  } else if (request.path == "/readyz") {
    Result<> ready = ready_();
    head.status = ready ? 200 : 503;
    body = ready ? "ok" : ready.error().message + "\n";
  } else {
    head.status = 404;
    body = "expected /metrics, /healthz, /livez or /readyz\n";
  }
  co_await http::send(*exchange, std::move(head), share(std::move(body)));
}

}  // namespace tripod::node
