#pragma once
// Commands on their way through Raft: collected into one entry per turn, proposed, and matched with
// their results when they are applied here. What was refused, or may have got lost with a leader,
// is proposed again; a command that comes twice is applied once (mvcc/books/applied_once.h).
// Callers hear the result, or "request timed out": then it may still be applied later.
//
// Lives on the loop thread.

#include <functional>
#include <map>
#include <unordered_map>

#include "firmware/etcd/mvcc/store.h"
#include "firmware/etcd/raft/actions.h"
#include "firmware/etcd/server/deadlines.h"
#include "platform/async/oneshot.h"
#include "platform/base/metrics.h"

namespace tripod::etcd {

class Proposals {
 public:
  struct Limits {
    std::size_t request_bytes_max = 1536 * 1024;
    std::size_t batch_bytes_max = 64 * 1024;  // a larger single command makes a batch of its own
    std::size_t pending_max = 8192;
    std::size_t pending_bytes_max = 32 * 1024 * 1024;
  };
  using Send = std::function<void(std::uint64_t token, SharedBytes data)>;

  /// `life` is random, so that commands of a former life match nothing. `why_timeout` words a
  /// timeout.
  Proposals(os::Clock& clock, MemberId self, std::uint64_t life, Limits limits, Duration patience,
            Send send, std::function<Outcome(MonotonicTime started)> why_timeout,
            metrics::Registry& metrics);

  /// The result of the command once it was applied here. `caller` as of Command.
  Task<CommandReply> propose(CommandRequest request, OnBehalfOf caller = {});

  /// Proposes what was collected. Called as the turn begins.
  void flush();
  bool has_collected() const { return !collected_.sequences.empty() || !refused_.empty(); }
  /// A command was applied, by whomever proposed.
  void applied(CommandId id, CommandReply reply);
  /// False: the token is none of these.
  bool refused(std::uint64_t token, raft::Refused reason);
  /// What was refused may go out again.
  void retry();
  /// There is another leader: everything that waits goes out again.
  void resend();
  std::size_t pending() const { return pending_.size(); }
  /// Fails everything, and all that comes.
  void stop();

  /// Called when something was collected, to have a turn.
  std::function<void()> want_turn;

 private:
  struct Batch {
    Bytes data;
    std::vector<std::uint64_t> sequences;
  };
  struct Sent {
    SharedBytes data;
    std::vector<std::uint64_t> sequences;
    std::size_t open = 0;  // of these, how many wait
  };
  struct Waiter {
    async::Oneshot<CommandReply> done;
    std::uint64_t token = 0;  // 0: not sent yet
    std::size_t bytes = 0;
    MonotonicTime started;
  };

  void send_collected();
  void finish(std::uint64_t sequence, CommandReply reply);
  void fail_batch(std::uint64_t token, const Outcome& outcome);

  os::Clock& clock_;
  MemberId self_;
  std::uint64_t life_;
  std::uint64_t next_sequence_ = 1;
  Limits limits_;
  Send send_;
  std::function<Outcome(MonotonicTime)> why_timeout_;
  Deadlines<std::uint64_t> deadlines_;
  Batch collected_;
  std::unordered_map<std::uint64_t, Waiter> pending_;
  std::map<std::uint64_t, Sent> sent_;
  std::vector<std::uint64_t> refused_;  // tokens to send again
  std::unique_ptr<os::Operation> retry_timer_;
  std::size_t pending_bytes_ = 0;
  std::uint64_t next_token_ = 2;  // even; reads take the odd ones
  metrics::Counter& failed_;
  bool stopped_ = false;
};

}  // namespace tripod::etcd
