#include "firmware/update/rollout.h"

#include <format>

#include "firmware/update/door.h"
#include "platform/async/sync.h"
#include "platform/base/sha256.h"
#include "platform/json/json.h"

namespace tripod::update {
namespace {

constexpr std::size_t answer_bytes_max = 64 * 1024;
constexpr std::size_t piece_bytes = 256 * 1024;
constexpr std::chrono::minutes transfer_timeout{30};
constexpr int ok_status = 200;

Result<> outcome_of(int status, BytesView body) {
  if (status == ok_status) return {};
  auto document = json::parse(body);
  std::string message =
      document ? std::string(json::get_string(*document, "message")) : std::string();
  if (message.empty()) message = std::format("it answered with the status {}", status);
  return fail(ErrorCode::denied, std::move(message));
}

Task<Result<Bytes>> read_answer(http::Call* call) {
  Bytes body;
  while (true) {
    auto piece = co_await call->read();
    if (!piece) co_return std::unexpected(piece.error());
    if (!*piece) co_return body;
    body += **piece;
    if (body.size() > answer_bytes_max) {
      co_return fail(ErrorCode::too_large, "its answer is too long");
    }
  }
}

Task<Result<http::Response>> request(http::Transport* transport, std::string method,
                                     std::string path, Bytes body) {
  http::RequestHead head{.method = std::move(method), .path = std::move(path)};
  co_return co_await http::fetch(*transport, std::move(head), std::move(body), answer_bytes_max);
}

Task<Result<>> upload(http::Transport* transport, const Bytes* file) {
  http::RequestHead head{.method = "PUT",
                         .path = std::string(update_path),
                         .headers = {{"content-type", std::string(boards::update_media_type)},
                                     {"content-length", std::to_string(file->size())}}};
  auto call = co_await transport->open(std::move(head), std::nullopt);
  if (!call) co_return std::unexpected(call.error());
  for (std::size_t at = 0; at < file->size(); at += piece_bytes) {
    // A board that has seen enough answers at once; its answer says more than the broken pipe.
    if (auto done = co_await (*call)->write(file->substr(at, piece_bytes)); !done) break;
  }
  (*call)->finish();
  auto answer = co_await (*call)->head();
  if (!answer) co_return std::unexpected(answer.error());
  auto body = co_await read_answer(call->get());
  if (!body) co_return std::unexpected(body.error());
  co_return outcome_of(answer->status, *body);
}

std::string text_of(const json::Value& document, std::string_view key) {
  return std::string(json::get_string(document, key));
}

}  // namespace

Result<BoardStatus> parse_status(BytesView text) {
  auto document = json::parse(text);
  if (!document || !document->is_object()) {
    return fail(ErrorCode::invalid, "its answer is not what a board says of itself");
  }
  BoardStatus out{.name = text_of(*document, "name"),
                  .board = text_of(*document, "board"),
                  .version = text_of(*document, "version"),
                  .slot = text_of(*document, "slot"),
                  .build = json::get_int(*document, "build").value_or(0),
                  .ready = json::get_bool(*document, "ready"),
                  .leader = json::get_bool(*document, "leader")};
  out.updatable = !out.board.empty();
  out.update_phase = json::get_string(*document, "update", "phase");
  out.update_version = json::get_string(*document, "update", "version");
  out.update_reason = json::get_string(*document, "update", "reason");
  out.update_build = json::get_int(*document, "update", "build").value_or(0);
  return out;
}

std::string describe(const BoardStatus& status) {
  if (!status.updatable) {
    return std::format("{}: runs under another operating system, which has to update it",
                       status.name);
  }
  std::string text =
      std::format("{}: {}, tripod {} (build {}) in slot {}, {}{}", status.name, status.board,
                  status.version, status.build, status.slot, status.ready ? "ready" : "not ready",
                  status.leader ? ", leads etcd" : "");
  if (status.update_phase == "failed") {
    text += std::format("; went back from {}: {}", status.update_version, status.update_reason);
  }
  if (status.update_phase == "trying") text += std::format("; tries {}", status.update_version);
  return text;
}

std::optional<std::size_t> next_board(const std::vector<RolloutChoice>& boards) {
  std::optional<std::size_t> leader;
  for (std::size_t i = 0; i < boards.size(); ++i) {
    if (boards[i].done) continue;
    if (!boards[i].leader) return i;
    leader = i;
  }
  return leader;
}

Result<boards::UpdateHead> check_update_file(BytesView file) {
  auto head = boards::decode_update_head(file);
  if (!head) return std::unexpected(head.error());
  if (!*head || file.size() - (*head)->bytes != (*head)->manifest.image_bytes) {
    return fail(ErrorCode::corrupt, "the update file is damaged: it is not as long as it says");
  }
  Sha256 hash;
  hash.update(file.substr((*head)->bytes));
  if (to_hex(hash.finish()) != (*head)->manifest.image_sha256) {
    return fail(ErrorCode::corrupt,
                "the update file is damaged: its image is not the one that was signed");
  }
  return std::move(**head);
}

Rollout::Rollout(RolloutOptions options, os::Clock& clock)
    : options_(std::move(options)), clock_(clock) {
  for (const RolloutBoard& board : options_.boards) known_.push_back({board, {}});
}

bool Rollout::runs_it(const BoardStatus& status) const {
  return status.version == head_.manifest.version && status.build == head_.manifest.build &&
         status.update_phase != "trying";
}

Task<Result<BoardStatus>> Rollout::ask(http::Transport* transport) {
  auto answer = co_await async::with_timeout(
      clock_, options_.request_timeout, request(transport, "GET", std::string(board_path), {}));
  if (!answer) co_return std::unexpected(answer.error());
  if (auto fine = outcome_of(answer->head.status, answer->body); !fine) {
    co_return std::unexpected(fine.error());
  }
  co_return parse_status(answer->body);
}

Task<Result<>> Rollout::ask_all() {
  for (Known& known : known_) {
    auto status = co_await ask(known.board.transport);
    if (!status) co_return wrap(known.board.address, status.error());
    known.status = std::move(*status);
  }
  co_return Result<>{};
}

Task<void> Rollout::ask_into(http::Transport* transport, Result<BoardStatus>* out) {
  *out = co_await ask(transport);
}

Task<std::vector<Result<BoardStatus>>> Rollout::statuses() {
  std::vector<Result<BoardStatus>> out(known_.size(), fail(ErrorCode::cancelled, "interrupted"));
  async::ScopeCore& outer = co_await async::current_scope();
  Scope scope(outer.executor());
  {
    async::detail::CancelLink link(outer, scope);
    for (std::size_t i = 0; i < known_.size(); ++i) {
      scope.spawn(ask_into(known_[i].board.transport, &out[i]));
    }
    co_await scope.join();
  }
  co_return out;
}

Task<Result<>> Rollout::run() {
  auto head = check_update_file(options_.file);
  if (!head) co_return std::unexpected(head.error());
  head_ = std::move(*head);
  if (auto asked = co_await ask_all(); !asked) co_return asked;
  for (const Known& known : known_) {
    if (!known.status.ready) {
      co_return fail(
          ErrorCode::unavailable,
          std::format("{} is not ready; mend it before boards are updated", known.status.name));
    }
    // Of one that runs it already, too: it may be a file for other boards, or by another key.
    auto answer =
        co_await async::with_timeout(clock_, options_.request_timeout,
                                     request(known.board.transport, "POST", std::string(check_path),
                                             options_.file.substr(0, head_.bytes)));
    if (!answer) co_return wrap(known.status.name, answer.error());
    auto fine = outcome_of(answer->head.status, answer->body);
    if (!fine)
      co_return fail(fine.error().code,
                     std::format("{}: {}", known.status.name, fine.error().message));
  }
  std::size_t sent = 0;
  for (;; ++sent) {
    std::vector<RolloutChoice> choices;
    for (const Known& known : known_) {
      choices.push_back({runs_it(known.status), known.status.leader});
    }
    auto next = next_board(choices);
    if (!next) break;
    if (auto done = co_await update(&known_[*next]); !done) co_return done;
    if (auto ready = co_await wait_until_all_ready(); !ready) co_return ready;
  }
  // Version and build are all that boards know of what they run.
  options_.say(
      sent > 0 ? std::format("all {} boards run tripod {} (build {})", known_.size(),
                             head_.manifest.version, head_.manifest.build)
               : std::format("nothing was sent: all {} boards run tripod {} (build {}) already; "
                             "another image of it needs another build, which is the time of "
                             "the commit, or SOURCE_DATE_EPOCH",
                             known_.size(), head_.manifest.version, head_.manifest.build));
  co_return Result<>{};
}

Task<Result<>> Rollout::update(Known* known) {
  const std::string name = known->status.name;
  options_.say(std::format("{}: sending tripod {}", name, head_.manifest.version));
  if (auto sent = co_await send(known->board.transport); !sent) {
    co_return fail(sent.error().code, std::format("{}: {}", name, sent.error().message));
  }
  options_.say(std::format("{}: restarts to try it", name));
  if (auto kept = co_await wait_until_kept(known); !kept) co_return kept;
  options_.say(std::format("{}: healthy, keeps it", name));
  co_return Result<>{};
}

Task<Result<>> Rollout::send(http::Transport* transport) {
  co_return co_await async::with_timeout(clock_, transfer_timeout,
                                         upload(transport, &options_.file));
}

Task<Result<>> Rollout::wait_until_kept(Known* known) {
  const MonotonicTime deadline = clock_.now() + options_.board_timeout;
  std::string last = "it has not answered since";
  while (clock_.now() < deadline) {
    if (auto slept = co_await async::sleep_for(clock_, options_.poll_interval); !slept) {
      co_return slept;
    }
    auto status = co_await ask(known->board.transport);
    if (!status) continue;  // it restarts
    const bool ours = status->update_build == head_.manifest.build &&
                      status->update_version == head_.manifest.version;
    if (ours && status->update_phase == "failed") {
      co_return fail(ErrorCode::unavailable,
                     std::format("{} went back to what it had: {}; the other boards were left as "
                                 "they are",
                                 known->status.name, status->update_reason));
    }
    if (runs_it(*status) && status->update_phase == "kept") {
      known->status = std::move(*status);
      co_return Result<>{};
    }
    last = describe(*status);
  }
  co_return fail(ErrorCode::timeout,
                 std::format("{} did not come back within {} s: {}", known->status.name,
                             options_.board_timeout.count(), last));
}

Task<Result<>> Rollout::wait_until_all_ready() {
  const MonotonicTime deadline = clock_.now() + options_.board_timeout;
  while (true) {
    auto asked = co_await ask_all();
    std::string missing = asked ? "" : asked.error().message;
    for (const Known& known : known_) {
      if (asked && !known.status.ready) missing = std::format("{} is not ready", known.status.name);
    }
    if (missing.empty()) co_return Result<>{};
    if (clock_.now() >= deadline) co_return fail(ErrorCode::timeout, missing);
    if (auto slept = co_await async::sleep_for(clock_, options_.poll_interval); !slept) {
      co_return slept;
    }
  }
}

}  // namespace tripod::update
