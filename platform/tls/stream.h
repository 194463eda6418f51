#pragma once
// TLS sessions as os::Stream on top of an os::Stream.
//
// The expensive part, the handshake, runs on the crypto lane; while it does, the loop only collects
// what arrives. After it, records are protected on the loop thread. A session costs about 34 KiB, a
// record each way: the library has these sizes built in. A server sets them up with the first bytes
// from the peer. Sessions are not resumed.

#include <memory>
#include <string>

#include "platform/async/task.h"
#include "platform/os/board.h"
#include "platform/tls/context.h"

namespace tripod::tls {

inline constexpr std::chrono::seconds handshake_timeout{10};
inline constexpr std::size_t handshake_bytes_max = 128 * 1024;  // from a peer, before it is done

/// The server's side of a handshake on `lower`, which is not started yet. Fails with `denied` when
/// the peer's certificate is missing or bad, `timeout`, `closed`, or `invalid` for bytes that are
/// no TLS.
Task<Result<std::unique_ptr<os::Stream>>> accept(os::World world,
                                                 std::shared_ptr<const Context> context,
                                                 std::unique_ptr<os::Stream> lower);

/// The client's side. The server's certificate must name `server_name`, a host name or an IP
/// address.
Task<Result<std::unique_ptr<os::Stream>>> connect(os::World world,
                                                  std::shared_ptr<const Context> context,
                                                  std::unique_ptr<os::Stream> lower,
                                                  std::string server_name);

}  // namespace tripod::tls
