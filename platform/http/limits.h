#pragma once
// Every bound of the HTTP stack, in one place. Servers may lower them by configuration.

#include <chrono>
#include <cstddef>

namespace tripod::http {

struct Limits {
  std::size_t connections_max = 1000;
  std::size_t streams_per_connection_max =
      250;  // HTTP/2 SETTINGS_MAX_CONCURRENT_STREAMS, as Go's default
  std::size_t header_bytes_max = 64 * 1024;  // names and values of one message
  std::size_t header_fields_max = 100;
  std::size_t body_bytes_max = 3 * 1024 * 1024;     // of one request, as kube-apiserver
  std::size_t stream_queue_bytes_max = 256 * 1024;  // write() waits above this
  std::chrono::seconds header_timeout{10};  // from accept or previous response to a whole head
  std::chrono::seconds body_timeout{60};    // HTTP/1: from a whole head to a whole request
  std::chrono::seconds stall_timeout{120};  // for a peer to take 256 KiB that wait for it
  std::chrono::seconds idle_timeout{180};   // a connection without streams
  std::chrono::seconds ping_interval{120};  // of silence on a busy HTTP/2 connection
  std::chrono::seconds ping_timeout{20};    // for the answer
};

}  // namespace tripod::http
