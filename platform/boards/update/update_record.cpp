#include "platform/boards/update/update_record.h"

#include <array>
#include <charconv>
#include <format>

#include "platform/boards/update/boot_choice.h"

namespace tripod::boards {
namespace {

constexpr std::string_view format_line = "update-record 1\n";
constexpr std::size_t reason_bytes_max = 512;
constexpr std::array<std::pair<UpdatePhase, std::string_view>, 4> names = {
    {{UpdatePhase::none, "none"},
     {UpdatePhase::trying, "trying"},
     {UpdatePhase::kept, "kept"},
     {UpdatePhase::failed, "failed"}}};
constexpr std::string_view never_came_up =
    "it did not come up: its kernel or process 1 did not start, or the firmware did not try it";

std::string one_line(std::string_view text) {
  std::string out(text.substr(0, reason_bytes_max));
  for (char& c : out) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return out;
}

template <typename Number>
bool read_number(std::string_view text, Number& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

/// The value of the next line, which has to be "name value".
std::optional<std::string_view> take(BytesView& text, std::string_view name) {
  const std::size_t end = text.find('\n');
  if (end == BytesView::npos || !text.starts_with(name) || end < name.size() + 1 ||
      text[name.size()] != ' ') {
    return {};
  }
  const std::string_view value = text.substr(name.size() + 1, end - name.size() - 1);
  text.remove_prefix(end + 1);
  return value;
}

}  // namespace

std::string_view name_of(UpdatePhase phase) {
  for (const auto& [each, name] : names) {
    if (each == phase) return name;
  }
  return "unknown";
}

std::string encode_update_record(const UpdateRecord& record) {
  return std::format("{}phase {}\npartition {}\nversion {}\nbuild {}\nreason {}\n", format_line,
                     name_of(record.phase), record.partition, one_line(record.version),
                     record.build, one_line(record.reason));
}

std::optional<UpdateRecord> decode_update_record(BytesView text) {
  if (!text.starts_with(format_line)) return {};
  text.remove_prefix(format_line.size());
  auto phase = take(text, "phase");
  auto partition = take(text, "partition");
  auto version = take(text, "version");
  auto build = take(text, "build");
  auto reason = take(text, "reason");
  UpdateRecord record;
  if (!phase || !partition || !version || !build || !reason || !text.empty() ||
      !read_number(*partition, record.partition) || !read_number(*build, record.build)) {
    return {};
  }
  bool known = false;
  for (const auto& [each, name] : names) {
    if (name != *phase) continue;
    record.phase = each;
    known = true;
  }
  if (!known) return {};
  record.version = *version;
  record.reason = *reason;
  return record;
}

Awakening wake_up(const UpdateRecord& record, const BootFacts& facts) {
  Awakening out{.trial = facts.tried && facts.partition != facts.rule, .record = record};
  if (record.phase != UpdatePhase::trying || facts.partition == 0) return out;
  if (facts.partition != record.partition) {
    out.record.phase = UpdatePhase::failed;
    if (out.record.reason.empty()) out.record.reason = never_came_up;
    return out;
  }
  if (facts.rule == record.partition) {
    // The power went between the choice and this record.
    out.record.phase = UpdatePhase::kept;
    out.record.reason.clear();
    out.trial = false;
    return out;
  }
  out.trial = true;
  return out;
}

}  // namespace tripod::boards
