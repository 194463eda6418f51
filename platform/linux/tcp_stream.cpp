#include "platform/linux/tcp_stream.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "platform/base/check.h"

namespace tripod::linux_os {
namespace {

constexpr std::size_t buffers_per_write_max = 64;
// A board that lost power answers nothing: an idle connection to it ends by probes, one with unsent
// bytes by the user timeout (RFC 5482), both within half a minute or so.
constexpr unsigned keepalive_seconds = 15;
constexpr unsigned unacknowledged_ms_max = 30'000;

void bound_silence(uv_tcp_t* tcp) {
  uv_tcp_keepalive(tcp, 1, keepalive_seconds);
  uv_os_fd_t descriptor = -1;
  if (uv_fileno(reinterpret_cast<uv_handle_t*>(tcp), &descriptor) != 0) return;
  unsigned limit = unacknowledged_ms_max;
  setsockopt(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof limit);
}

}  // namespace

class TcpStream::Core : public std::enable_shared_from_this<Core> {
 public:
  explicit Core(Loop& loop) : loop_(loop), tcp_(std::in_place, this) {
    CHECK(uv_tcp_init(loop.uv(), tcp_->get()) == 0);
  }

  uv_tcp_t* uv() { return tcp_->get(); }
  std::size_t queued_bytes() const { return queued_; }

  void start(os::StreamObserver& observer) {
    observer_ = &observer;
    read(true);
  }

  void write(Bytes data) {
    if (finishing_ || broken_ || data.empty()) return;
    queued_ += data.size();
    undrained_ = true;
    queue_.push_back(std::move(data));
    flush_soon();
  }

  void finish() {
    finishing_ = true;
    flush_soon();
  }

  void set_reading(bool enabled) {
    if (!ended_ && observer_ != nullptr && tcp_) read(enabled);
  }

  void close() {
    observer_ = nullptr;
    tcp_.reset();
  }

 private:
  /// One uv_write under way, holding what it sends and this core.
  struct Writing {
    uv_write_t request{};
    std::shared_ptr<Core> core;
    std::deque<Bytes> data;
    std::size_t size = 0;
  };

  void read(bool enabled) {
    if (!enabled) {
      uv_read_stop(tcp_->stream());
      return;
    }
    uv_read_start(
        tcp_->stream(),
        [](uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
          *buffer = owner_of<Core>(handle)->loop_.read_buffer();
        },
        [](uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
          if (auto* core = owner_of<Core>(stream)) core->received(size, buffer->base);
        });
  }

  void received(ssize_t size, const char* data) {
    if (size == 0 || observer_ == nullptr) return;
    auto self = shared_from_this();
    if (size > 0) {
      observer_->on_data(BytesView(data, static_cast<std::size_t>(size)));
      return;
    }
    uv_read_stop(tcp_->stream());
    if (size == UV_EOF) {
      end({ErrorCode::closed, "the peer closed the connection"});
    } else {
      fail_with(static_cast<int>(size), "reading");
    }
  }

  void flush_soon() {
    if (flush_posted_) return;
    flush_posted_ = true;
    loop_.post([self = shared_from_this()] { self->flush(); });
  }

  void flush() {
    flush_posted_ = false;
    if (!tcp_ || broken_) return;
    if (!queue_.empty() && writing_ == 0) write_now();
    if (!tcp_ || broken_) return;
    while (!queue_.empty() && writing_ == 0) write_later();
    if (queue_.empty() && writing_ == 0) sent_everything();
  }

  /// What the socket takes at once needs no request.
  void write_now() {
    std::array<uv_buf_t, buffers_per_write_max> buffers;
    unsigned count = 0;
    for (Bytes& data : queue_) {
      if (count == buffers.size()) break;
      buffers[count++] = uv_buf_init(data.data(), static_cast<unsigned>(data.size()));
    }
    int sent = uv_try_write(tcp_->stream(), buffers.data(), count);
    if (sent == UV_EAGAIN) return;
    if (sent < 0) {
      fail_with(sent, "writing");
      return;
    }
    drop_sent(static_cast<std::size_t>(sent));
  }

  void drop_sent(std::size_t sent) {
    queued_ -= sent;
    while (sent > 0) {
      Bytes& front = queue_.front();
      if (sent < front.size()) {
        front.erase(0, sent);
        return;
      }
      sent -= front.size();
      queue_.pop_front();
    }
  }

  void write_later() {
    auto writing = std::make_unique<Writing>();
    writing->core = shared_from_this();
    writing->request.data = writing.get();
    std::vector<uv_buf_t> buffers;
    writing->data.swap(queue_);
    for (Bytes& data : writing->data) {
      buffers.push_back(uv_buf_init(data.data(), static_cast<unsigned>(data.size())));
      writing->size += data.size();
    }
    int status =
        uv_write(&writing->request, tcp_->stream(), buffers.data(),
                 static_cast<unsigned>(buffers.size()), [](uv_write_t* request, int result) {
                   std::unique_ptr<Writing> done(owner_of<Writing>(request));
                   done->core->written(done->size, result);
                 });
    if (status != 0) {
      fail_with(status, "writing");
      return;
    }
    ++writing_;
    std::ignore = writing.release();  // libuv gives it back in the callback
  }

  void written(std::size_t size, int status) {
    --writing_;
    queued_ -= std::min(size, queued_);
    if (!tcp_ || broken_) return;
    if (status != 0) {
      fail_with(status, "writing");
    } else {
      flush();
    }
  }

  void sent_everything() {
    if (std::exchange(undrained_, false) && observer_ != nullptr) observer_->on_drained();
    if (!tcp_ || !finishing_ || shut_) return;
    shut_ = true;
    auto request = std::make_unique<uv_shutdown_t>();
    int status =
        uv_shutdown(request.get(), tcp_->stream(), [](uv_shutdown_t* done, int) { delete done; });
    if (status == 0) std::ignore = request.release();
  }

  void fail_with(int status, std::string_view doing) {
    if (broken_) return;
    broken_ = true;
    queue_.clear();
    queued_ = 0;
    if (tcp_) uv_read_stop(tcp_->stream());
    if (ended_) {
      if (observer_ != nullptr) observer_->on_drained();  // nobody will take it any more
      return;
    }
    // From a posted callback or a libuv callback, never from within the user's call.
    end(uv_error(status, doing));
  }

  void end(Error reason) {
    if (ended_) return;
    ended_ = true;
    if (observer_ != nullptr) observer_->on_closed(std::move(reason));
  }

  Loop& loop_;
  std::optional<UvHandle<uv_tcp_t>> tcp_;
  os::StreamObserver* observer_ = nullptr;
  std::deque<Bytes> queue_;
  std::size_t queued_ = 0;
  int writing_ = 0;
  bool undrained_ = false;  // on_drained is due once everything is sent
  bool flush_posted_ = false;
  bool finishing_ = false;
  bool shut_ = false;
  bool ended_ = false;   // on_closed was called
  bool broken_ = false;  // nothing can be sent any more
};

TcpStream::TcpStream(Loop& loop) : core_(std::make_shared<Core>(loop)) {}
TcpStream::~TcpStream() {
  core_->close();
}

uv_tcp_t* TcpStream::uv() {
  return core_->uv();
}

void TcpStream::connected() {
  uv_tcp_nodelay(uv(), 1);
  bound_silence(uv());
  sockaddr_storage storage{};
  int size = sizeof storage;
  if (uv_tcp_getpeername(uv(), reinterpret_cast<sockaddr*>(&storage), &size) == 0) {
    remote_ = to_address(storage);
  }
  size = sizeof storage;
  if (uv_tcp_getsockname(uv(), reinterpret_cast<sockaddr*>(&storage), &size) == 0) {
    local_ = to_address(storage);
  }
}

void TcpStream::start(os::StreamObserver& observer) {
  core_->start(observer);
}
void TcpStream::write(Bytes data) {
  core_->write(std::move(data));
}
std::size_t TcpStream::queued_bytes() const {
  return core_->queued_bytes();
}
void TcpStream::finish() {
  core_->finish();
}
void TcpStream::set_reading(bool enabled) {
  core_->set_reading(enabled);
}

os::Address to_address(const sockaddr_storage& storage) {
  std::array<char, 64> text{};
  const auto* address = reinterpret_cast<const sockaddr*>(&storage);
  uv_ip_name(address, text.data(), text.size());
  std::uint16_t port = storage.ss_family == AF_INET6
                           ? reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port
                           : reinterpret_cast<const sockaddr_in*>(&storage)->sin_port;
  return {text.data(), ntohs(port)};
}

Result<sockaddr_storage> to_sockaddr(const os::Address& address) {
  sockaddr_storage storage{};
  int status =
      address.ip.contains(':')
          ? uv_ip6_addr(address.ip.c_str(), address.port, reinterpret_cast<sockaddr_in6*>(&storage))
          : uv_ip4_addr(address.ip.c_str(), address.port, reinterpret_cast<sockaddr_in*>(&storage));
  if (status != 0) return std::unexpected(uv_error(status, address.to_string()));
  return storage;
}

}  // namespace tripod::linux_os
