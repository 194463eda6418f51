#include "firmware/appliance/status_screen.h"

#include <format>
#include <string_view>

namespace tripod::appliance {
namespace {

constexpr std::size_t label_columns = 10;

class Screen {
 public:
  explicit Screen(std::size_t columns) : columns_(columns) {}

  /// Long texts go on below, indented.
  void row(std::string_view label, std::string_view text) {
    const std::size_t room = columns_ - label_columns;
    do {
      out_ += std::format("{:<{}}{}\n", label, label_columns, text.substr(0, room));
      label = "";
      text.remove_prefix(std::min(room, text.size()));
    } while (!text.empty());
  }

  void rule() { out_ += std::string(columns_, '-') + "\n"; }

  std::string take() { return std::move(out_); }

 private:
  std::size_t columns_;
  std::string out_;
};

std::string joined(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : ", ") + item;
  return out;
}

}  // namespace

std::string render_status(const StatusFacts& facts, std::size_t columns) {
  Screen screen(columns);
  screen.rule();
  screen.row("tripod", std::format("{} on {}", facts.version,
                                   facts.board.empty() ? "a board without a name" : facts.board));
  screen.row("name", facts.hostname.empty() ? "(none)" : facts.hostname);
  for (const StatusFacts::Interface& each : facts.interfaces) {
    std::string text = each.addresses.empty() ? "no address yet" : joined(each.addresses);
    if (!each.carrier) text += " (no cable)";
    screen.row(each.name.empty() ? "network" : each.name, text);
  }
  if (facts.interfaces.empty()) screen.row("network", "not set up");
  if (!facts.roles.empty()) screen.row("roles", joined(facts.roles));
  screen.row("health", facts.health);
  if (!facts.memory.empty()) screen.row("memory", facts.memory);
  screen.row("clock", std::format("{}, {}", facts.time, facts.clock));
  if (facts.restarts != 0) {
    screen.row("restarts", std::format("{}, last: {}", facts.restarts, facts.last_end));
  }
  if (!facts.update.empty()) screen.row("update", facts.update);
  std::string_view rest = facts.problem;
  std::string_view label = "MEND";
  while (!rest.empty()) {
    std::size_t end = rest.find('\n');
    screen.row(label, rest.substr(0, end));
    label = "";
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  }
  screen.rule();
  return screen.take();
}

}  // namespace tripod::appliance
