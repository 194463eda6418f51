#pragma once
// An update of all boards of a cluster, from a workstation: every board is asked first whether it
// would take the file; then one after another gets it, restarts and proves itself, the leader of
// etcd last. The first that does not come to run it ends the rollout: the others keep what they
// have.
//
// Loop thread. A board is a transport to its door (door.h).

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "platform/base/result.h"
#include "platform/boards/update/update_file.h"
#include "platform/http/message.h"
#include "platform/os/clock.h"

namespace tripod::update {

/// What a board says of itself.
struct BoardStatus {
  std::string name;
  std::string board;
  std::string version;
  std::string slot;
  std::int64_t build = 0;
  bool ready = false;
  bool leader = false;
  bool updatable = false;    // it has slots
  std::string update_phase;  // as boards::UpdatePhase is named
  std::string update_version;
  std::string update_reason;
  std::int64_t update_build = 0;
};
Result<BoardStatus> parse_status(BytesView text);
/// One line for people.
std::string describe(const BoardStatus& status);

struct RolloutBoard {
  std::string address;  // for messages
  http::Transport* transport = nullptr;
};

struct RolloutOptions {
  std::vector<RolloutBoard> boards;
  Bytes file;                                      // the whole update file
  std::function<void(std::string_view line)> say;  // progress
  std::chrono::seconds request_timeout{30};
  std::chrono::seconds board_timeout{900};  // from the restart until it is kept or given up
  std::chrono::seconds poll_interval{2};
};

class Rollout {
 public:
  Rollout(RolloutOptions options, os::Clock& clock);

  /// Fails with what is wrong with the file, or the first board that does not come to run it.
  Task<Result<>> run();
  /// In the boards' order, of all that were asked at once; of one that does not say, why.
  Task<std::vector<Result<BoardStatus>>> statuses();

 private:
  struct Known {
    RolloutBoard board;
    BoardStatus status;
  };

  Task<Result<BoardStatus>> ask(http::Transport* transport);
  Task<void> ask_into(http::Transport* transport, Result<BoardStatus>* out);
  Task<Result<>> ask_all();
  Task<Result<>> update(Known* known);
  Task<Result<>> send(http::Transport* transport);
  Task<Result<>> wait_until_kept(Known* known);
  Task<Result<>> wait_until_all_ready();
  bool runs_it(const BoardStatus& status) const;

  RolloutOptions options_;
  os::Clock& clock_;
  boards::UpdateHead head_;
  std::vector<Known> known_;
};

/// Which of these is next: the first that does not lead and does not run it yet, then the leader;
/// nothing when all run it. Pure.
struct RolloutChoice {
  bool done = false;  // runs it already
  bool leader = false;
};
std::optional<std::size_t> next_board(const std::vector<RolloutChoice>& boards);

/// The head of a whole update file, when its image is as the head says.
Result<boards::UpdateHead> check_update_file(BytesView file);

}  // namespace tripod::update
