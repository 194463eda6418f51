// etcd-load: one load on any server of etcd's v3 API, over the product's own gRPC client. Prints
// {"begin": true} when the measured part starts and a line of results when it has ended. An error
// of any operation is a failed run: exit code 1.

#include <cstdio>

#include "platform/async/sync.h"
#include "platform/linux/machine.h"
#include "platform/tls/stream.h"
#include "tools/etcd-load/loads.h"

namespace tripod::load {
namespace {

constexpr std::size_t pem_bytes_max = 256 * 1024;
constexpr std::chrono::seconds preparation_max{120};

void print_line(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

Result<TlsConnect> make_tls(linux_os::Machine& machine, const Options& options) {
  if (options.authority_file.empty()) return TlsConnect();
  const os::World world = machine.world();
  std::vector<Bytes> pem;
  for (const auto& path : {options.authority_file, options.certificate_file, options.key_file}) {
    auto text = world.storage.read_file(path, pem_bytes_max);
    if (!text) return wrap(path, text.error());
    pem.push_back(std::move(*text));
  }
  auto context = tls::Context::open(tls::Context::Side::client,
                                    {.certificate_pem = pem[1],
                                     .key_pem = pem[2],
                                     .authority_pem = pem[0],
                                     .alpn = {"h2"},
                                     .prefer_chacha20 = !linux_os::Machine::has_aes_instructions()},
                                    world.entropy);
  if (!context) return std::unexpected(context.error());
  return [world, context = *context](std::unique_ptr<os::Stream> stream, std::string host) {
    return tls::connect(world, context, std::move(stream), std::move(host));
  };
}

Task<void> run_load(Bench* bench) {
  if (auto connected = co_await bench->fleet.connect(); !connected) {
    bench->report.failed("connecting", connected.error());
    co_return;
  }
  switch (bench->options.kind) {
    case Kind::put:
    case Kind::get:
    case Kind::list:
    case Kind::mix: co_await run_unary(bench); break;
    case Kind::watch: co_await run_watch(bench); break;
    case Kind::lease: co_await run_lease(bench); break;
  }
}

Result<bool> run(linux_os::Machine& machine, const Options& options) {
  auto tls = make_tls(machine, options);
  if (!tls) return std::unexpected(tls.error());
  const os::World world = machine.world();
  Fleet fleet(world, options, *tls);
  Report report;
  Bench bench{options, world, fleet, report, [&] {
                print_line(R"({"begin":true})");
                report.begin(world.clock.now());
              }};
  Scope running(machine.loop());
  Scope closing(machine.loop());
  const Duration limit = 3 * std::chrono::seconds(options.seconds) + preparation_max;
  auto guard = world.clock.call_at(world.clock.now() + limit, [&] {
    report.failed("the run", {grpc::StatusCode::deadline_exceeded, "no end in sight"});
    running.cancel();
  });
  running.spawn(run_load(&bench));
  running.when_idle([&] {
    closing.spawn(fleet.drain());
    closing.when_idle([&] { machine.loop().stop(); });
  });
  machine.loop().run();
  print_line(report.to_json(name_of(options.kind)));
  return report.errors() == 0 && report.operations() > 0;
}

}  // namespace
}  // namespace tripod::load

int main(int count, char** values) {
  using namespace tripod;
  auto options = load::parse_options(std::vector<std::string>(values + 1, values + count));
  if (!options) {
    std::fprintf(stderr, "etcd-load: %s\n%s", options.error().message.c_str(),
                 std::string(load::usage()).c_str());
    return 2;
  }
  if (options->help) {
    std::fputs(std::string(load::usage()).c_str(), stdout);
    return 0;
  }
  auto machine = linux_os::Machine::create(LogLevel::warn);
  auto good = load::run(*machine, *options);
  if (!good) {
    std::fprintf(stderr, "etcd-load: %s\n", good.error().to_string().c_str());
    return 2;
  }
  return *good ? 0 : 1;
}
