#pragma once
// A board's paths for updates, in front of its API server, which gets everything else:
//
//   GET  /tripod/v1/board          what runs here, from which slot, and how its last update ended
//   POST /tripod/v1/update/check   the head of an update file: would this board take it?
//   PUT  /tripod/v1/update         an update file: checked, written to the other slot, tried once
//
// For members of system:masters. Answers are JSON; a refusal has "message". Of a file that is
// refused for its head, nothing is written; one whose image turns out to be damaged has been
// written to the slot that does not run, which is then not started. Files come one at a time; one
// that stops coming is given up, so that the next can begin.
//
// Loop thread; what blocks runs on the crypto lane, so that the member's log never waits for it.

#include <chrono>
#include <functional>
#include <string>

#include "firmware/update/slots.h"
#include "platform/http/message.h"
#include "platform/os/board.h"

namespace tripod::update {

inline constexpr std::string_view board_path = "/tripod/v1/board";
inline constexpr std::string_view check_path = "/tripod/v1/update/check";
inline constexpr std::string_view update_path = "/tripod/v1/update";

class Door final : public http::Handler {
 public:
  struct Options {
    std::string name;                        // of the board
    std::function<bool()> ready;             // it serves
    std::function<bool()> leads;             // its member leads etcd
    Slots* slots = nullptr;                  // null: none, and files are refused
    std::size_t piece_bytes = 1 << 20;       // written and synced at once
    std::chrono::seconds piece_timeout{30};  // for one to come; the head, too
  };

  /// What is given outlives the door.
  Door(Options options, http::Handler& next, os::World world);

  Task<void> handle(std::unique_ptr<http::Exchange> exchange) override;

 private:
  struct Answer {
    int status = 200;
    std::string body;
  };

  Task<Answer> answer(http::Exchange* exchange);
  Task<Answer> describe();
  Task<Answer> check(http::Exchange* exchange);
  Task<Answer> take(http::Exchange* exchange);
  Task<Result<boards::UpdateManifest>> write(http::Exchange* exchange);
  static Answer refuse(const Error& error);

  Options options_;
  http::Handler& next_;
  os::World world_;
  Logger log_;
  bool busy_ = false;
};

}  // namespace tripod::update
