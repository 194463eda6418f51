#pragma once
// One HTTP version on one connection, without the connection: bytes in, bytes out. Implemented by
// v1/ and v2/ for servers and clients; driven by Connection, by tests and by fuzzers.

#include "platform/base/bytes.h"
#include "platform/base/result.h"

namespace tripod::http {

/// What a connection waits for, and so which time limit holds.
enum class Phase : std::uint8_t {
  head,  // the peer owes the rest of a preface or of a message head
  body,  // the peer owes the rest of a message, and nothing else is under way (HTTP/1)
  busy,  // messages are under way
  idle,  // nothing is
};

/// The connection, as its protocol sees it.
class ProtocolHost {
 public:
  virtual ~ProtocolHost() = default;
  /// produce() has something to give, or a state below changed: look soon, not now.
  virtual void output_ready() = 0;
};

class Protocol {
 public:
  virtual ~Protocol() = default;
  /// Consumes what the peer sent. A protocol error is answered by the protocol itself, which then
  /// wants_close().
  virtual void receive(BytesView data) = 0;
  /// Appends what is to be sent, little more than `bytes_max` of it.
  virtual void produce(Bytes& out, std::size_t bytes_max) = 0;
  /// Nothing more will be received or produced: close once everything produced is sent.
  virtual bool wants_close() const = 0;
  /// False while the peer must be slowed down.
  virtual bool wants_data() const { return true; }
  /// The connection is gone; everything under way fails with `reason`.
  virtual void connection_lost(Error reason) = 0;
  /// No coroutine is left that borrows from this object: it may be destroyed.
  virtual bool at_rest() const = 0;
  virtual Phase phase() const = 0;
  /// Takes no new messages, ends when the ones under way have ended.
  virtual void drain() = 0;
  /// The limit of phase() has passed: say so to the peer and want to close.
  virtual void timed_out() = 0;
  /// Asks the peer for a sign of life; false where the version has no way to.
  virtual bool ping() { return false; }
};

}  // namespace tripod::http
