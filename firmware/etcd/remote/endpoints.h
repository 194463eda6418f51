#pragma once
// The members of a remote cluster: a connection to each, made when needed, and what is known of
// their health. One of them is current and serves every call and the watch stream; another one
// takes over when it answers while the current one is under suspicion.
//
// Lives on the loop thread. drain() before it dies.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "platform/base/log.h"
#include "platform/grpc/channel.h"
#include "platform/http/network_transport.h"
#include "platform/os/board.h"

namespace tripod::etcd {

struct EndpointAddress {
  std::string host;  // a name or a numeric address
  std::uint16_t port = 2379;
  bool tls = false;
};

struct RemoteOptions {
  std::vector<EndpointAddress> endpoints;  // at least one
  std::size_t first = 0;  // where to begin; different boards spread by different numbers
  /// Makes a TLS session with ALPN "h2"; `host` is what the server's certificate must name.
  std::function<Task<Result<std::unique_ptr<os::Stream>>>(std::unique_ptr<os::Stream>,
                                                          std::string host)>
      tls;
  std::string prefix;  // a key that this client may read; asked for the newest revision

  std::chrono::milliseconds connect_timeout{3000};    // TCP and TLS
  std::chrono::milliseconds revision_timeout{500};    // first attempt to learn the newest revision
  std::chrono::milliseconds read_timeout{5000};       // first attempt to read; doubled by the next
  std::chrono::milliseconds write_timeout{8000};      // etcd itself gives up after 7 s
  std::chrono::milliseconds probe_after{800};         // a call waits for so long: is anybody there?
  std::chrono::milliseconds probe_timeout{2000};      // nobody is: the connection is closed
  std::chrono::milliseconds call_timeout{10'000};     // all attempts of a call together
  std::chrono::milliseconds suspicion{5000};          // how long a failed endpoint is avoided
  std::chrono::milliseconds watch_ack_timeout{5000};  // for a watch to be acknowledged
  std::chrono::milliseconds progress_timeout{100};    // then progress is asked for again
  /// How old the place may be from which a watch without events resumes: well below what compaction
  /// leaves.
  std::chrono::milliseconds progress_interval{60'000};
  std::size_t partial_events_bytes_max = 256U << 20U;  // fragments of one revision
};

struct Endpoint {
  Endpoint(const os::World& world, const RemoteOptions& options, const EndpointAddress& address);

  std::string name;  // "https://10.0.0.1:2379"
  http::NetworkTransport transport;
  grpc::Channel channel;
  MonotonicTime suspect_until{};
};

class Endpoints {
 public:
  Endpoints(const os::World& world, const RemoteOptions& options);

  /// The current endpoint, or the best one while that is under suspicion.
  Endpoint& pick();
  /// It answered, whatever it said. Makes it the current one.
  void answered(Endpoint& endpoint);
  /// It did not answer, or cannot serve; avoided for `time`.
  void failed(Endpoint& endpoint, Duration time, const grpc::Status& why);
  bool suspect(const Endpoint& endpoint) const;
  /// Others answer and this one does not: time to leave it.
  bool left(const Endpoint& endpoint) const;
  /// Closes every connection.
  Task<void> drain();

 private:
  os::Clock& clock_;
  Logger log_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
  std::size_t current_ = 0;
};

}  // namespace tripod::etcd
