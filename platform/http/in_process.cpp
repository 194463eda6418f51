#include "platform/http/in_process.h"

#include "platform/http/body.h"

namespace tripod::http {
namespace {

Task<Result<>> put(BodyQueue* body, std::size_t bytes_max) {
  while (body->size() > bytes_max && !body->error()) {
    if (auto woken = co_await body->writable(); !woken) co_return woken;
  }
  if (body->error()) co_return std::unexpected(*body->error());
  co_return Result<>{};
}

}  // namespace

/// One request between its two ends; dies when the call is gone and the handler's task has ended.
class InProcessTransport::Pipe {
 public:
  Pipe(InProcessTransport& transport, RequestHead head)
      : owner(transport),
        request(std::move(head)),
        upward(transport.limits_.stream_queue_bytes_max / 2),
        downward(transport.limits_.stream_queue_bytes_max / 2),
        scope(transport.executor_) {}

  void start();
  void lose(const Error& reason) {
    upward.fail(reason);
    downward.fail(reason);
    head.fail(reason);
    scope.cancel();
  }
  void check_done() {
    if (call_gone && rested) owner.remove(*this);
  }

  InProcessTransport& owner;
  RequestHead request;
  BodyQueue upward;    // the request's body
  BodyQueue downward;  // the response's body
  async::Oneshot<ResponseHead> head;
  Scope scope;
  bool responded = false;
  bool call_gone = false;
  bool rested = false;
};

class InProcessTransport::PipeExchange final : public Exchange {
 public:
  explicit PipeExchange(Pipe& pipe)
      : pipe_(pipe), body_bytes_max_(pipe.owner.limits_.body_bytes_max) {}
  ~PipeExchange() override {
    if (pipe_.downward.finished()) {
      pipe_.upward.fail({ErrorCode::closed, "the handler has ended"});
    } else {
      pipe_.lose({ErrorCode::closed, "reset by the handler"});
    }
  }

  const RequestHead& request() const override { return pipe_.request; }
  const Peer& peer() const override { return pipe_.owner.peer_; }
  void set_body_limit(std::size_t bytes_max) override { body_bytes_max_ = bytes_max; }

  Task<Result<std::optional<Bytes>>> read() override {
    while (true) {
      if (auto piece = pipe_.upward.poll()) {
        if (*piece && **piece) body_bytes_ += (**piece)->size();
        if (body_bytes_ > body_bytes_max_) {
          co_return fail(ErrorCode::too_large,
                         std::format("request body above {} bytes", body_bytes_max_));
        }
        co_return std::move(*piece);
      }
      if (auto woken = co_await pipe_.upward.readable(); !woken) {
        co_return std::unexpected(std::move(woken.error()));
      }
    }
  }

  void respond(ResponseHead head) override {
    CHECK(!std::exchange(pipe_.responded, true), "respond() twice");
    pipe_.head.set(std::move(head));
  }

  Task<Result<>> write(SharedBytes data) override {
    CHECK(pipe_.responded, "write() before respond()");
    if (pipe_.downward.error()) co_return std::unexpected(*pipe_.downward.error());
    if (pipe_.request.method == "HEAD") co_return Result<>{};
    pipe_.downward.push(std::move(data));
    co_return co_await put(&pipe_.downward, pipe_.owner.limits_.stream_queue_bytes_max);
  }

  void finish(Headers trailers) override {
    CHECK(pipe_.responded, "finish() before respond()");
    pipe_.downward.finish(std::move(trailers));
  }

 private:
  Pipe& pipe_;
  std::size_t body_bytes_max_;
  std::size_t body_bytes_ = 0;
};

class InProcessTransport::PipeCall final : public Call {
 public:
  explicit PipeCall(Pipe& pipe) : pipe_(pipe) {}
  ~PipeCall() override {
    pipe_.call_gone = true;
    if (!pipe_.downward.finished()) pipe_.lose({ErrorCode::closed, "the caller went away"});
    pipe_.check_done();
  }

  Task<Result<>> write(Bytes data) override {
    if (pipe_.upward.error()) co_return std::unexpected(*pipe_.upward.error());
    pipe_.upward.push(std::move(data));
    co_return co_await put(&pipe_.upward, pipe_.owner.limits_.stream_queue_bytes_max);
  }

  void finish() override {
    if (!pipe_.upward.finished()) pipe_.upward.finish();
  }

  Task<Result<ResponseHead>> head() override { co_return co_await pipe_.head; }

  Task<Result<std::optional<Bytes>>> read() override {
    while (true) {
      if (auto piece = pipe_.downward.poll()) co_return std::move(*piece);
      if (auto woken = co_await pipe_.downward.readable(); !woken) {
        co_return std::unexpected(std::move(woken.error()));
      }
    }
  }

  const Headers& trailers() const override { return pipe_.downward.trailers(); }

 private:
  Pipe& pipe_;
};

void InProcessTransport::Pipe::start() {
  scope.spawn(owner.handler_.handle(std::make_unique<PipeExchange>(*this)));
  scope.when_idle([this] {
    rested = true;
    check_done();
  });
}

InProcessTransport::InProcessTransport(os::Executor& executor, Handler& handler, std::string user,
                                       std::vector<std::string> groups, Limits limits)
    : executor_(executor), handler_(handler), limits_(limits) {
  peer_.in_process = true;
  peer_.in_process_user = std::move(user);
  peer_.in_process_groups = std::move(groups);
}

InProcessTransport::~InProcessTransport() {
  CHECK(pipes_.empty(), "drain() a transport before it dies");
}

Task<Result<std::unique_ptr<Call>>> InProcessTransport::open(RequestHead head,
                                                             std::optional<Bytes> body) {
  if (draining_) co_return fail(ErrorCode::closed, "the transport stops");
  pipes_.push_back(std::make_unique<Pipe>(*this, std::move(head)));
  Pipe& pipe = *pipes_.back();
  if (body) {
    pipe.upward.push(std::move(*body));
    pipe.upward.finish();
  }
  auto call = std::make_unique<PipeCall>(pipe);
  pipe.start();
  co_return call;
}

void InProcessTransport::remove(Pipe& pipe) {
  std::erase_if(pipes_, [&](const auto& kept) { return kept.get() == &pipe; });
  if (!pipes_.empty()) return;
  for (os::Callback& callback : std::exchange(when_empty_, {})) executor_.post(std::move(callback));
}

Task<void> InProcessTransport::drain() {
  draining_ = true;
  if (pipes_.empty()) co_return;
  for (const auto& pipe : pipes_) pipe->lose({ErrorCode::closed, "the transport stops"});
  async::Oneshot<void> emptied;
  when_empty_.push_back([emptied]() mutable { emptied.set(); });
  co_await emptied.uncancellable();
}

}  // namespace tripod::http
