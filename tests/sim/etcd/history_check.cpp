// history_check < HISTORY: holds what clients of real processes saw against the checkers of the
// simulation. One JSON object a line:
//
//   {"call": "put|remove|swap|pair|read", "client": 0, "node": 0, "key": "", "range_end": "",
//    "value": "", "expected": 0, "serializable": false, "begin": 1.5,
//    "end": 1.7, "revision": 9, "succeeded": true, "deleted": 0, "kvs": [KV...]}   (no "end": no
//   answer) {"watch": "name", "key": "", "range_end": "", "told": [{"revision": 9, "events":
//   [{"type": "PUT|DELETE", "kv": KV, "prev_kv": KV}]}]}                           (no events: a
//   bookmark)
//
// KV is {"key", "value", "create_revision", "mod_revision", "version", "lease"}; bytes are strings,
// one character each.

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <string>

#include "platform/json/json.h"
#include "tests/sim/etcd/watcher.h"

namespace tripod::etcd::robustness {
namespace {

Revision number(const json::Value& value, std::string_view key) {
  return json::get_int(value, key).value_or(0);
}
Bytes text(const json::Value& value, std::string_view key) {
  return Bytes(json::get_string(value, key));
}
double seconds(const json::Value& value, std::string_view key) {
  const json::Value* found = json::find(value, key);
  return found != nullptr && found->is_number() ? found->to_number<double>() : -1;
}

KeyValue key_value(const json::Value& value) {
  return {.key = text(value, "key"),
          .create_revision = number(value, "create_revision"),
          .mod_revision = number(value, "mod_revision"),
          .version = number(value, "version"),
          .value = text(value, "value"),
          .lease = number(value, "lease")};
}

std::vector<KeyValue> key_values(const json::Value& value) {
  std::vector<KeyValue> all;
  if (const json::Array* found = json::get_array(value, "kvs")) {
    for (const json::Value& each : *found) all.push_back(key_value(each));
  }
  return all;
}

std::vector<Event> events_of(const json::Value& value) {
  std::vector<Event> events;
  const json::Array* found = json::get_array(value, "events");
  if (found == nullptr) return events;
  for (const json::Value& each : *found) {
    Event event;
    event.type = json::get_string(each, "type") == "DELETE" ? EventType::remove : EventType::put;
    if (const json::Value* kv = json::find(each, "kv")) event.kv = key_value(*kv);
    if (const json::Value* kv = json::find(each, "prev_kv")) event.prev_kv = key_value(*kv);
    events.push_back(std::move(event));
  }
  return events;
}

struct Call {
  Operation operation;
  double begin = 0;
  double end = -1;
  std::size_t place = 0;
};

std::optional<Call> call_of(const json::Value& line) {
  constexpr std::string_view names[] = {"put", "remove", "swap", "pair", "read"};
  const auto kind = std::ranges::find(names, json::get_string(line, "call"));
  if (kind == std::end(names)) return std::nullopt;
  Call call{.begin = seconds(line, "begin"), .end = seconds(line, "end")};
  Operation& operation = call.operation;
  operation.kind = static_cast<Operation::Kind>(kind - std::begin(names));
  operation.client = static_cast<std::size_t>(number(line, "client"));
  operation.node = static_cast<std::size_t>(number(line, "node"));
  operation.key = text(line, "key");
  operation.range_end = text(line, "range_end");
  operation.value = text(line, "value");
  operation.expected = number(line, "expected");
  operation.serializable = json::get_bool(line, "serializable");
  operation.revision = number(line, "revision");
  operation.succeeded = json::get_bool(line, "succeeded");
  operation.deleted = number(line, "deleted");
  operation.kvs = key_values(line);
  return call;
}

class Recording {
 public:
  bool take(const json::Value& line) {
    if (json::find(line, "watch") != nullptr) {
      take_watch(line);
      return true;
    }
    auto call = call_of(line);
    if (!call) return false;
    calls_.push_back(std::move(*call));
    return true;
  }

  std::vector<std::string> check() {
    std::vector<std::string> violations = replay().check(model_);
    for (const auto& watcher : watchers_) {
      std::ranges::copy(watcher->check(), std::back_inserter(violations));
    }
    return violations;
  }
  std::size_t calls() const { return calls_.size(); }
  std::size_t answered() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(calls_, [](const Call& call) { return call.end >= 0; }));
  }
  std::size_t watches() const { return watchers_.size(); }
  Revision revisions() const { return model_.known_until(); }

 private:
  void take_watch(const json::Value& line) {
    auto& watcher = watchers_.emplace_back(std::make_unique<Watcher>(
        text(line, "watch"), text(line, "key"), text(line, "range_end"), model_));
    const json::Array* told = json::get_array(line, "told");
    if (told == nullptr) return;
    for (const json::Value& batch : *told) {
      watcher->on_events(number(batch, "revision"), events_of(batch));
    }
  }

  /// Begins and ends in the order in which they happened.
  History replay() {
    struct Moment {
      double when;
      bool is_end;
      Call* call;
    };
    std::vector<Moment> moments;
    for (Call& call : calls_) {
      moments.push_back({call.begin, false, &call});
      if (call.end >= 0) moments.push_back({call.end, true, &call});
    }
    // At the same moment, begins first: that claims less.
    std::ranges::stable_sort(moments, [](const Moment& a, const Moment& b) {
      return std::pair(a.when, a.is_end) < std::pair(b.when, b.is_end);
    });
    History history;
    for (const Moment& moment : moments) {
      if (moment.is_end) {
        history.end(moment.call->place, moment.call->operation);
      } else {
        moment.call->place = history.begin(moment.call->operation);
      }
    }
    return history;
  }

  Model model_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
  std::vector<Call> calls_;
};

}  // namespace
}  // namespace tripod::etcd::robustness

int main() {
  using namespace tripod;
  using namespace tripod::etcd::robustness;
  Recording recording;
  std::size_t lines = 0;
  for (std::string line; std::getline(std::cin, line);) {
    ++lines;
    auto value = json::parse(line, {.bytes_max = std::size_t{1} << 30});
    if (!value || !recording.take(*value)) {
      std::fprintf(stderr, "line %zu is neither a call nor a watch\n", lines);
      return 2;
    }
  }
  const auto violations = recording.check();
  for (const std::string& violation : violations) std::printf("VIOLATION %s\n", violation.c_str());
  std::printf("%zu calls, %zu answered, %zu watches, %lld revisions: %s\n", recording.calls(),
              recording.answered(), recording.watches(),
              static_cast<long long>(recording.revisions()),
              violations.empty() ? "good" : "VIOLATIONS");
  return violations.empty() ? 0 : 1;
}
