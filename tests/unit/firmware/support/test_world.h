#pragma once
// A World on a VirtualLoop for parts that reach the outside only through a Transport.

#include "platform/os/board.h"
#include "tests/unit/firmware/support/virtual_loop.h"

namespace tripod::test {

class NoNetwork final : public os::Network {
 public:
  Result<std::unique_ptr<os::Listener>> listen(const os::Address&, Accept) override {
    return fail(ErrorCode::unsupported, "no network");
  }
  std::unique_ptr<os::Operation> connect(const os::Address&, Connected) override { return nullptr; }
  std::unique_ptr<os::Operation> resolve(const std::string&, Resolved) override { return nullptr; }
};

class NoStorage final : public os::Storage {
 public:
  std::string vfs_name() const override { return {}; }
  Result<Bytes> read_file(const std::string&, std::size_t) override { return no(); }
  Result<> replace_file(const std::string&, BytesView, unsigned) override { return no(); }
  Result<std::unique_ptr<os::FileWriter>> create_file(const std::string&, unsigned) override {
    return no();
  }
  Result<> rename_file(const std::string&, const std::string&) override { return no(); }
  Result<> make_directories(const std::string&, unsigned) override { return no(); }
  Result<> remove_file(const std::string&) override { return no(); }
  bool exists(const std::string&) override { return false; }
  Result<std::vector<std::string>> list(const std::string&) override { return no(); }
  Result<std::uint64_t> free_bytes(const std::string&) override { return no(); }

 private:
  static std::unexpected<Error> no() { return fail(ErrorCode::unsupported, "no storage"); }
};

class InlineLane final : public os::Lane {
 public:
  explicit InlineLane(os::Executor& executor) : executor_(executor) {}
  void begin_now() override {}
  void run(os::Callback work, os::Callback done) override {
    work();
    executor_.post(std::move(done));
  }

 private:
  os::Executor& executor_;
};

class NamedBoard final : public os::Board {
 public:
  explicit NamedBoard(std::string name) : name_(std::move(name)) {}
  std::string hostname() const override { return name_; }
  os::ProcessUsage usage() const override { return {}; }
  std::string environment(const std::string&) const override { return ""; }
  void release_memory() override {}

 private:
  std::string name_;
};

struct TestWorld {
  TestWorld(VirtualLoop& loop, std::string name)
      : lane(loop),
        board(std::move(name)),
        world{loop, loop, network, storage, lane, lane, lane, entropy, board, log} {}

  NoNetwork network;
  NoStorage storage;
  InlineLane lane;
  CountingEntropy entropy;
  NamedBoard board;
  QuietLog log;
  os::World world;
};

}  // namespace tripod::test
