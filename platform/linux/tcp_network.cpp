#include "platform/linux/tcp_network.h"

#include <algorithm>
#include <cstring>

#include "platform/base/check.h"
#include "platform/linux/tcp_stream.h"

namespace tripod::linux_os {
namespace {

constexpr int backlog = 512;

class TcpListener final : public os::Listener {
 public:
  TcpListener(Loop& loop, os::Network::Accept accept)
      : loop_(loop), tcp_(this), accept_(std::move(accept)) {
    CHECK(uv_tcp_init(loop.uv(), tcp_.get()) == 0);
  }

  int bind_and_listen(const sockaddr_storage& address) {
    int status = uv_tcp_bind(tcp_.get(), reinterpret_cast<const sockaddr*>(&address), 0);
    if (status != 0) return status;
    status = uv_listen(tcp_.stream(), backlog, [](uv_stream_t* stream, int result) {
      auto* listener = owner_of<TcpListener>(stream);
      if (listener != nullptr && result == 0) listener->accept_one();
    });
    if (status != 0) return status;
    sockaddr_storage bound{};
    int size = sizeof bound;
    status = uv_tcp_getsockname(tcp_.get(), reinterpret_cast<sockaddr*>(&bound), &size);
    if (status == 0) address_ = to_address(bound);
    return status;
  }

  os::Address address() const override { return address_; }

 private:
  void accept_one() {
    auto stream = std::make_unique<TcpStream>(loop_);
    if (uv_accept(tcp_.stream(), reinterpret_cast<uv_stream_t*>(stream->uv())) != 0) return;
    stream->connected();
    accept_(std::move(stream));
  }

  Loop& loop_;
  UvHandle<uv_tcp_t> tcp_;
  os::Network::Accept accept_;
  os::Address address_;
};

/// A connect under way. libuv's request outlives it when it is given up.
class Connecting final : public os::Operation {
 public:
  Connecting(Loop& loop, const os::Address& address, os::Network::Connected done)
      : loop_(loop),
        address_(address),
        done_(std::move(done)),
        stream_(std::make_unique<TcpStream>(loop)) {}
  ~Connecting() override {
    if (request_ != nullptr) request_->data = nullptr;
  }

  void begin() {
    auto target = to_sockaddr(address_);
    if (!target) return fail_soon(target.error());
    auto request = std::make_unique<uv_connect_t>();
    request->data = this;
    int status =
        uv_tcp_connect(request.get(), stream_->uv(), reinterpret_cast<const sockaddr*>(&*target),
                       [](uv_connect_t* done, int result) {
                         std::unique_ptr<uv_connect_t> ended(done);
                         if (auto* self = owner_of<Connecting>(done)) self->ended(result);
                       });
    if (status != 0) return fail_soon(uv_error(status, "connecting to " + address_.to_string()));
    request_ = request.release();  // the callback frees it
  }

 private:
  void ended(int status) {
    request_ = nullptr;
    if (status != 0)
      return deliver(std::unexpected(uv_error(status, "connecting to " + address_.to_string())));
    stream_->connected();
    deliver(std::move(stream_));
  }

  void fail_soon(Error error) {
    soon_ = loop_.call_at(loop_.now(), [this, error] { deliver(std::unexpected(error)); });
  }

  /// The receiver may destroy this operation.
  void deliver(Result<std::unique_ptr<os::Stream>> result) {
    auto done = std::move(done_);
    done(std::move(result));
  }

  Loop& loop_;
  os::Address address_;
  os::Network::Connected done_;
  std::unique_ptr<TcpStream> stream_;
  std::unique_ptr<os::Operation> soon_;
  uv_connect_t* request_ = nullptr;
};

class Resolving final : public os::Operation {
 public:
  Resolving(Loop& loop, std::string host, os::Network::Resolved done)
      : loop_(loop), host_(std::move(host)), done_(std::move(done)) {}
  ~Resolving() override {
    if (request_ == nullptr) return;
    request_->data = nullptr;
    uv_cancel(reinterpret_cast<uv_req_t*>(request_));
  }

  void begin() {
    if (to_sockaddr({host_, 0})) {  // numeric: nobody to ask
      soon_ = loop_.call_at(loop_.now(), [this] {
        auto done = std::move(done_);
        done(std::vector<std::string>{host_});
      });
      return;
    }
    auto request = std::make_unique<uv_getaddrinfo_t>();
    request->data = this;
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    int status = uv_getaddrinfo(
        loop_.uv(), request.get(),
        [](uv_getaddrinfo_t* ended, int result, addrinfo* found) {
          std::unique_ptr<uv_getaddrinfo_t> freed(ended);
          if (auto* self = owner_of<Resolving>(ended)) self->ended(result, found);
          uv_freeaddrinfo(found);
        },
        host_.c_str(), nullptr, &hints);
    if (status == 0) {
      request_ = request.release();
    } else {
      soon_ = loop_.call_at(loop_.now(), [this, status] { ended(status, nullptr); });
    }
  }

 private:
  void ended(int status, const addrinfo* found) {
    request_ = nullptr;
    auto done = std::move(done_);
    if (status != 0) {
      done(std::unexpected(uv_error(status, "resolving " + host_)));
      return;
    }
    std::vector<std::string> addresses;
    for (; found != nullptr; found = found->ai_next) {
      sockaddr_storage storage{};
      std::memcpy(&storage, found->ai_addr,
                  std::min<std::size_t>(found->ai_addrlen, sizeof storage));
      std::string ip = to_address(storage).ip;
      if (std::ranges::find(addresses, ip) == addresses.end()) addresses.push_back(std::move(ip));
    }
    done(std::move(addresses));
  }

  Loop& loop_;
  std::string host_;
  os::Network::Resolved done_;
  std::unique_ptr<os::Operation> soon_;
  uv_getaddrinfo_t* request_ = nullptr;
};

}  // namespace

Result<std::unique_ptr<os::Listener>> TcpNetwork::listen(const os::Address& address,
                                                         Accept accept) {
  auto target = to_sockaddr(address);
  if (!target) return std::unexpected(target.error());
  auto listener = std::make_unique<TcpListener>(loop_, std::move(accept));
  int status = listener->bind_and_listen(*target);
  if (status != 0) return std::unexpected(uv_error(status, "listening on " + address.to_string()));
  return listener;
}

std::unique_ptr<os::Operation> TcpNetwork::connect(const os::Address& address, Connected done) {
  auto connecting = std::make_unique<Connecting>(loop_, address, std::move(done));
  connecting->begin();
  return connecting;
}

std::unique_ptr<os::Operation> TcpNetwork::resolve(const std::string& host, Resolved done) {
  auto resolving = std::make_unique<Resolving>(loop_, host, std::move(done));
  resolving->begin();
  return resolving;
}

}  // namespace tripod::linux_os
