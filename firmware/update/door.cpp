#include "firmware/update/door.h"

#include <format>

#include "firmware/apiserver/auth/identity.h"
#include "platform/async/sync.h"
#include "platform/base/sha256.h"
#include "platform/boards/update/boot_choice.h"
#include "platform/json/json.h"
#include "platform/pki/signature.h"

namespace tripod::update {
namespace {

bool is_own(std::string_view path) {
  return path == board_path || path == check_path || path == update_path;
}

constexpr std::pair<ErrorCode, int> statuses[] = {
    {ErrorCode::invalid, 400},   {ErrorCode::corrupt, 400},  {ErrorCode::unsupported, 400},
    {ErrorCode::too_large, 400}, {ErrorCode::denied, 403},   {ErrorCode::not_found, 404},
    {ErrorCode::timeout, 408},   {ErrorCode::conflict, 409}, {ErrorCode::no_space, 507}};

int status_of(ErrorCode code) {
  for (const auto& [each, status] : statuses) {
    if (each == code) return status;
  }
  return 500;
}

std::string message_body(std::string_view message) {
  return json::serialize(json::Object{{"message", json::String(message)}}) + "\n";
}

/// Takes a request's body in pieces of a size of the caller's, each of which has to come in time: a
/// peer that answers pings and sends nothing would hold the door for ever. Pieces and not the whole
/// have a deadline, for links are slow.
class Upload {
 public:
  Upload(http::Exchange& exchange, os::Clock& clock, std::chrono::seconds piece_timeout)
      : exchange_(exchange), clock_(clock), piece_timeout_(piece_timeout) {
    begin_piece();
  }

  /// The next one has its time from now on.
  void begin_piece() { deadline_ = clock_.now() + piece_timeout_; }
  /// Until there are `bytes` at least, or no more come.
  Task<Result<>> fill(std::size_t bytes) {
    auto filled = co_await async::with_timeout(clock_, deadline_ - clock_.now(), read_until(bytes));
    if (filled || filled.error() != ErrorCode::timeout) co_return filled;
    co_return fail(ErrorCode::timeout,
                   std::format("the update file stopped coming: its next piece was not there "
                               "within {}; nothing is tried, send it again",
                               piece_timeout_));
  }
  BytesView seen() const { return buffer_; }
  bool ended() const { return ended_; }
  Bytes take(std::size_t bytes_max) {
    Bytes out = buffer_.substr(0, bytes_max);
    buffer_.erase(0, out.size());
    return out;
  }

 private:
  Task<Result<>> read_until(std::size_t bytes) {
    while (buffer_.size() < bytes && !ended_) {
      auto piece = co_await exchange_.read();
      if (!piece) co_return std::unexpected(piece.error());
      if (*piece) buffer_ += **piece;
      ended_ = !piece->has_value();
    }
    co_return Result<>{};
  }

  http::Exchange& exchange_;
  os::Clock& clock_;
  std::chrono::seconds piece_timeout_;
  MonotonicTime deadline_;
  Bytes buffer_;
  bool ended_ = false;
};

Task<Result<boards::UpdateHead>> read_head(Upload* upload) {
  for (std::size_t wanted = 1; wanted <= boards::update_head_bytes_max + 1;) {
    if (auto filled = co_await upload->fill(wanted); !filled) {
      co_return std::unexpected(filled.error());
    }
    auto head = boards::decode_update_head(upload->seen());
    if (!head) co_return std::unexpected(head.error());
    if (*head) co_return std::move(**head);
    if (upload->ended()) break;
    wanted = upload->seen().size() + 1;
  }
  co_return fail(ErrorCode::corrupt, "the update file is damaged: it ends within its head");
}

/// May this image be tried on this machine now?
Result<> judge(Slots& slots, const boards::UpdateHead& head) {
  auto key = slots.public_key();
  if (!key) return std::unexpected(key.error());
  auto signed_by_us = pki::verify(*key, head.signed_text, head.signature);
  if (!signed_by_us && signed_by_us.error() == ErrorCode::denied) {
    return fail(ErrorCode::denied,
                "the update file's signature is not by the key that this board trusts (update.pub "
                "in pki/); nothing was changed");
  }
  if (!signed_by_us) return signed_by_us;
  auto facts = slots.facts();
  if (!facts) return std::unexpected(facts.error());
  auto fits = boards::check_update_fits(head.manifest, facts->board, facts->version);
  if (!fits) return fits;
  if (facts->boot.partition == 0) {
    return fail(ErrorCode::unsupported,
                "this board's firmware does not say which slot it has booted, so that none can be "
                "updated");
  }
  if (facts->on_trial()) {
    return fail(
        ErrorCode::conflict,
        std::format("the board is still trying tripod {}; wait until it is kept or given up",
                    facts->last.version));
  }
  if (facts->boot.partition != facts->boot.rule) {
    return fail(ErrorCode::conflict,
                "the board runs a slot that it does not boot as a rule; restart it first");
  }
  return {};
}

json::Object describe_update(const boards::UpdateRecord& record) {
  json::Object out{{"phase", json::String(boards::name_of(record.phase))}};
  if (record.phase == boards::UpdatePhase::none) return out;
  out["slot"] = json::String(boards::slot_name(record.partition));
  out["version"] = json::String(record.version);
  out["build"] = record.build;
  if (!record.reason.empty()) out["reason"] = json::String(record.reason);
  return out;
}

/// Flags a member as long as it lives.
class Busy {
 public:
  explicit Busy(bool& flag) : flag_(flag) { flag_ = true; }
  ~Busy() { flag_ = false; }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  bool& flag_;
};

}  // namespace

Door::Door(Options options, http::Handler& next, os::World world)
    : options_(std::move(options)), next_(next), world_(world), log_(world.log, "update") {}

Task<void> Door::handle(std::unique_ptr<http::Exchange> exchange) {
  if (!is_own(exchange->request().path)) {
    co_await next_.handle(std::move(exchange));
    co_return;
  }
  Answer answered = co_await answer(exchange.get());
  http::ResponseHead head{.status = answered.status,
                          .headers = {{"content-type", "application/json"}}};
  co_await http::send(*exchange, std::move(head), share(std::move(answered.body)));
}

Door::Answer Door::refuse(const Error& error) {
  return {status_of(error.code), message_body(error.message)};
}

Task<Door::Answer> Door::answer(http::Exchange* exchange) {
  const http::RequestHead& request = exchange->request();
  const apiserver::Identity who = apiserver::identify(exchange->peer());
  if (!who.authenticated) co_return Answer{401, message_body("a client certificate is needed")};
  if (!who.in_group("system:masters")) {
    co_return Answer{403,
                     message_body(std::format("{} is not in the group system:masters", who.user))};
  }
  if (request.path == board_path && request.method == "GET") co_return co_await describe();
  if (request.path == check_path && request.method == "POST") co_return co_await check(exchange);
  if (request.path == update_path && request.method == "PUT") co_return co_await take(exchange);
  co_return Answer{405, message_body(std::format("expected GET {}, POST {} or PUT {}", board_path,
                                                 check_path, update_path))};
}

Task<Door::Answer> Door::describe() {
  json::Object out{{"name", json::String(options_.name)},
                   {"ready", options_.ready()},
                   {"leader", options_.leads()}};
  if (options_.slots != nullptr) {
    auto facts = co_await async::run_on(world_.crypto_lane,
                                        [slots = options_.slots] { return slots->facts(); });
    if (!facts) co_return refuse(facts.error());
    out["board"] = json::String(facts->board);
    out["version"] = json::String(facts->version);
    out["build"] = facts->build;
    out["slot"] = json::String(boards::slot_name(facts->boot.partition));
    out["update"] = describe_update(facts->last);
  }
  co_return Answer{200, json::serialize(std::move(out)) + "\n"};
}

Task<Door::Answer> Door::check(http::Exchange* exchange) {
  Upload upload(*exchange, world_.clock, options_.piece_timeout);
  auto head = co_await read_head(&upload);
  if (!head) co_return refuse(head.error());
  if (options_.slots == nullptr) {
    co_return Answer{501, message_body("this board runs under another operating system, which "
                                       "has to update it")};
  }
  auto judged = co_await async::run_on(
      world_.crypto_lane,
      [slots = options_.slots, found = std::move(*head)] { return judge(*slots, found); });
  if (!judged) co_return refuse(judged.error());
  co_return Answer{200, message_body("this board would take it")};
}

Task<Door::Answer> Door::take(http::Exchange* exchange) {
  if (options_.slots == nullptr) {
    co_return Answer{501, message_body("this board runs under another operating system, which "
                                       "has to update it")};
  }
  if (busy_) co_return Answer{409, message_body("another update file is being written")};
  const Busy busy(busy_);
  auto written = co_await write(exchange);
  if (!written) {
    log_.error("update refused", LogField("error", written.error().message));
    co_return refuse(written.error());
  }
  log_.warn("update written; restarting to try it", LogField("version", written->version),
            LogField("build", written->build));
  auto asked = co_await async::run_on(
      world_.crypto_lane,
      [slots = options_.slots, manifest = *written] { return slots->try_once(manifest); });
  if (!asked) co_return refuse(asked.error());
  co_return Answer{200, message_body(std::format("tripod {} is written; the board restarts to try "
                                                 "it",
                                                 written->version))};
}

Task<Result<boards::UpdateManifest>> Door::write(http::Exchange* exchange) {
  exchange->set_body_limit(boards::update_image_bytes_max + boards::update_head_bytes_max);
  Upload upload(*exchange, world_.clock, options_.piece_timeout);
  auto head = co_await read_head(&upload);
  if (!head) co_return std::unexpected(head.error());
  const boards::UpdateManifest manifest = head->manifest;
  std::ignore = upload.take(head->bytes);
  os::Lane& lane = world_.crypto_lane;
  using Writing = std::unique_ptr<SlotWriting>;
  auto begun = co_await async::run_on(
      lane, [slots = options_.slots, found = std::move(*head)]() -> Result<Writing> {
        if (auto judged = judge(*slots, found); !judged) return std::unexpected(judged.error());
        return slots->begin(found.manifest);
      });
  if (!begun) co_return std::unexpected(begun.error());
  Writing writing = std::move(*begun);
  log_.info("writing an update", LogField("version", manifest.version),
            LogField("bytes", manifest.image_bytes));
  Sha256 received;
  for (std::uint64_t left = manifest.image_bytes; left > 0;) {
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(options_.piece_bytes, left));
    upload.begin_piece();
    if (auto filled = co_await upload.fill(wanted); !filled) {
      co_return std::unexpected(filled.error());
    }
    Bytes piece = upload.take(wanted);
    if (piece.size() < wanted) {
      co_return fail(ErrorCode::corrupt,
                     std::format("the update file ends {} bytes too early", left - piece.size()));
    }
    received.update(piece);
    left -= piece.size();
    auto done = co_await async::run_on(
        lane, [to = writing.get(), bytes = std::move(piece)] { return to->append(bytes); });
    if (!done) co_return std::unexpected(done.error());
  }
  upload.begin_piece();
  auto filled = co_await upload.fill(1);
  if (!filled && filled.error() != ErrorCode::too_large) co_return std::unexpected(filled.error());
  if (!filled || !upload.seen().empty()) {
    co_return fail(ErrorCode::corrupt, "the update file has bytes behind its image");
  }
  if (to_hex(received.finish()) != manifest.image_sha256) {
    co_return fail(ErrorCode::corrupt,
                   "the update file is damaged: its image is not the one that was signed");
  }
  auto kept = co_await async::run_on(lane, [from = writing.get()] { return from->read_back(); });
  if (!kept) co_return std::unexpected(kept.error());
  if (*kept != manifest.image_sha256) {
    co_return fail(ErrorCode::io, "the card returns other bytes than were written; replace it");
  }
  co_return manifest;
}

}  // namespace tripod::update
