#pragma once
// InProcessTransport: calls that reach a Handler without a byte of HTTP. Both ends see the
// semantics of a network peer: bounded bodies with backpressure, a reset when one side goes away.
// The handler sees Peer::in_process with the identity given here.
//
// Lives on the loop thread.

#include <list>
#include <memory>

#include "platform/http/limits.h"
#include "platform/http/message.h"

namespace tripod::http {

class InProcessTransport final : public Transport {
 public:
  InProcessTransport(os::Executor& executor, Handler& handler, std::string user,
                     std::vector<std::string> groups, Limits limits = {});
  /// CHECKs that nothing is under way: destroy the calls, then await drain().
  ~InProcessTransport() override;

  Task<Result<std::unique_ptr<Call>>> open(RequestHead head, std::optional<Bytes> body) override;
  /// Cancels the handlers of what is under way and waits for them; calls fail with `closed`.
  Task<void> drain();

 private:
  class Pipe;
  class PipeExchange;
  class PipeCall;

  void remove(Pipe& pipe);

  os::Executor& executor_;
  Handler& handler_;
  Limits limits_;
  Peer peer_;
  std::list<std::unique_ptr<Pipe>> pipes_;
  std::vector<os::Callback> when_empty_;
  bool draining_ = false;
};

}  // namespace tripod::http
