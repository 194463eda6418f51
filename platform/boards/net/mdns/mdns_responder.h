#pragma once
// Answers for "<hostname>.local" on one interface, by multicast over IPv4, and tells when another
// board uses the same name. Loop thread only.

#include <functional>
#include <memory>

#include "platform/boards/net/mdns/mdns_message.h"
#include "platform/boards/system/files.h"
#include "platform/linux/loop.h"

namespace tripod::boards {

class MdnsResponder {
 public:
  struct Options {
    int link = 0;
    std::string interface;
    std::string hostname;
    std::function<void(const Ip&)> conflict;  // somebody else says that the name is theirs
  };

  static Result<std::unique_ptr<MdnsResponder>> open(Options options, linux_os::Loop& loop);

  /// What to answer from now on; tells everyone, twice, as RFC 6762 (8.3) asks.
  void announce(std::vector<Ip> addresses);

 private:
  MdnsResponder(Options options, linux_os::Loop& loop, Descriptor socket);
  void receive();
  void answer_everyone();
  void check(const MdnsMessage& message);

  Options options_;
  std::string name_;
  linux_os::Loop& loop_;
  Descriptor socket_;
  std::vector<Ip> addresses_;
  std::unique_ptr<os::Operation> watch_;
  std::unique_ptr<os::Operation> second_;
};

}  // namespace tripod::boards
