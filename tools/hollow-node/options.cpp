#include "tools/hollow-node/options.h"

namespace tripod::hollow {
namespace {

constexpr int nodes_max = 1000;

Result<int> number(std::string_view flag, const std::string& text, int min, int max) {
  int value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < min || value > max) {
    return fail(ErrorCode::invalid, std::format("{} {}: expected {} to {}", flag, text, min, max));
  }
  return value;
}

/// "300ms", "2s", "0".
Result<std::chrono::milliseconds> duration(std::string_view flag, std::string text) {
  int factor = 1;
  if (text.ends_with("ms")) {
    text.resize(text.size() - 2);
  } else if (text.ends_with("s")) {
    text.resize(text.size() - 1);
    factor = 1000;
  }
  auto value = number(flag, text, 0, 3'600'000);
  if (!value)
    return fail(ErrorCode::invalid,
                std::format("{} {}: expected a duration such as 300ms or 2s", flag, text));
  return std::chrono::milliseconds(std::int64_t{*value} * factor);
}

Result<LogLevel> level(const std::string& text) {
  for (LogLevel each : {LogLevel::debug, LogLevel::info, LogLevel::warn, LogLevel::error}) {
    std::string name(name_of(each));
    std::ranges::transform(name, name.begin(), [](char c) {
      return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    });
    while (name.ends_with(' ')) name.pop_back();
    if (name == text) return each;
  }
  return fail(ErrorCode::invalid,
              std::format("--log-level {}: expected debug, info, warn or error", text));
}

template <typename T, typename U>
Result<> keep(Result<T> parsed, U& into) {
  if (!parsed) return std::unexpected(parsed.error());
  into = *parsed;
  return {};
}

Result<> set(Options& options, const std::string& flag, const std::string& value) {
  if (flag == "--kubeconfig") {
    options.kubeconfig = value;
  } else if (flag == "--nodes") {
    return keep(number(flag, value, 1, nodes_max), options.nodes);
  } else if (flag == "--name-prefix") {
    options.name_prefix = value;
  } else if (flag == "--startup-latency") {
    return keep(duration(flag, value), options.node.startup_latency);
  } else if (flag == "--pods-max") {
    return keep(number(flag, value, 1, 250), options.node.pods_max);
  } else if (flag == "--cpu") {
    options.node.cpu = value;
  } else if (flag == "--memory") {
    options.node.memory = value;
  } else if (flag == "--log-level") {
    return keep(level(value), options.log_level);
  } else {
    return fail(ErrorCode::invalid, std::format("unknown flag {}; see --help", flag));
  }
  return {};
}

}  // namespace

std::string_view usage() {
  return "usage: hollow-node --kubeconfig FILE [--nodes N] [--name-prefix hollow-] "
         "[--startup-latency 300ms]\n"
         "                   [--pods-max 110] [--cpu 4] [--memory 8Gi] [--log-level info]\n";
}

Result<Options> parse_options(const std::vector<std::string>& arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string flag = arguments[i];
    if (flag == "--help" || flag == "-h") {
      options.help = true;
      return options;
    }
    std::string value;
    if (std::size_t equals = flag.find('='); equals != std::string::npos) {
      value = flag.substr(equals + 1);
      flag.resize(equals);
    } else if (i + 1 < arguments.size()) {
      value = arguments[++i];
    } else {
      return fail(ErrorCode::invalid, std::format("{} needs a value", flag));
    }
    if (auto done = set(options, flag, value); !done) return std::unexpected(done.error());
  }
  if (options.kubeconfig.empty()) return fail(ErrorCode::invalid, "--kubeconfig is required");
  return options;
}

}  // namespace tripod::hollow
