// One etcd member and nothing else, without TLS: to drive it with etcdctl and to measure it beside
// the real etcd.
//   etcd_member NAME DATA_DIR INITIAL_CLUSTER CLIENT_ADDRESS     e.g. a /tmp/a
//   a=http://127.0.0.1:12380 127.0.0.1:12379
#include <csignal>
#include <cstdio>

#include "firmware/etcd/member.h"
#include "firmware/etcd/rpc/client_port.h"
#include "platform/async/sync.h"
#include "platform/http/server.h"
#include "platform/linux/machine.h"

namespace tripod {
namespace {

struct Program {
  std::unique_ptr<linux_os::Machine> machine;
  metrics::Registry metrics;
  std::unique_ptr<etcd::Member> member;
  std::unique_ptr<etcd::rpc::ClientPort> port;
  std::unique_ptr<http::Server> server;
  std::unique_ptr<Scope> scope;
};

Task<void> stop(Program* program) {
  co_await program->server->drain(program->machine->loop().now() + Milliseconds(500));
  co_await program->member->stop();
  program->machine->loop().stop();
}

int run(char** arguments) {
  Program program;
  program.machine = linux_os::Machine::create(LogLevel::info);
  etcd::Options options;
  options.name = arguments[1];
  options.data_dir = arguments[2];
  options.initial_cluster = arguments[3];
  options.advertise_client_urls = {std::string("http://") + arguments[4]};
  const os::World world = program.machine->world();
  auto member = etcd::Member::start(world, options, {}, program.metrics);
  if (!member) {
    std::fprintf(stderr, "%s\n", member.error().to_string().c_str());
    return 1;
  }
  program.member = std::move(*member);
  program.port = std::make_unique<etcd::rpc::ClientPort>(*program.member);
  program.server =
      std::make_unique<http::Server>(world.executor, world.clock, program.port->handler(),
                                     http::Limits{}, Logger(world.log, "etcd.http"));
  auto address = os::parse_address(arguments[4]);
  auto bound =
      address ? program.server->listen(world.network, *address) : std::unexpected(address.error());
  if (!bound) {
    std::fprintf(stderr, "%s\n", bound.error().to_string().c_str());
    return 1;
  }
  program.scope = std::make_unique<Scope>(world.executor);
  for (const int signal : {SIGTERM, SIGINT}) {
    program.machine->loop().on_signal(signal, [&program] { program.scope->spawn(stop(&program)); });
  }
  program.machine->loop().run();
  program.server.reset();
  program.port.reset();
  program.member.reset();
  return 0;
}

}  // namespace
}  // namespace tripod

int main(int count, char** arguments) {
  if (count != 5) {
    std::fprintf(stderr, "usage: etcd_member NAME DATA_DIR INITIAL_CLUSTER CLIENT_ADDRESS\n");
    return 2;
  }
  return tripod::run(arguments);
}
