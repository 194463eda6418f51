#include "firmware/cli/arguments.h"

#include <algorithm>
#include <format>

namespace tripod::cli {

std::string Flags::get(std::string_view name, std::string_view fallback) const {
  auto found = values_.find(name);
  return found == values_.end() ? std::string(fallback) : found->second;
}

Result<Flags> parse_flags(std::span<const std::string> arguments,
                          std::initializer_list<std::string_view> known) {
  Flags flags;
  std::string names;
  for (std::string_view name : known)
    names += std::format("{}--{}", names.empty() ? "" : ", ", name);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string_view argument = arguments[i];
    std::size_t equals = argument.find('=');
    std::string_view name =
        argument.starts_with("--") ? argument.substr(2, equals - 2) : std::string_view();
    if (equals == std::string_view::npos && !name.empty()) name = argument.substr(2);
    if (name.empty() || std::ranges::find(known, name) == known.end()) {
      return fail(ErrorCode::invalid,
                  std::format("unknown argument \"{}\"; expected {}", argument, names));
    }
    if (equals == std::string_view::npos && i + 1 == arguments.size()) {
      return fail(ErrorCode::invalid, std::format("--{}: expected a value", name));
    }
    std::string value(equals == std::string_view::npos ? std::string_view(arguments[++i])
                                                       : argument.substr(equals + 1));
    flags.values_.insert_or_assign(std::string(name), std::move(value));
  }
  return flags;
}

Result<Flags> parse_arguments(std::span<const std::string> arguments,
                              std::initializer_list<std::string_view> known,
                              std::initializer_list<std::string_view> switches) {
  std::vector<std::string> flags;
  std::vector<std::string> plain;
  std::vector<std::string_view> on;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (!argument.starts_with("-") || argument == "-") {
      plain.emplace_back(argument);
      continue;
    }
    const std::string_view name = argument.starts_with("--") ? argument.substr(2) : argument;
    const std::size_t equals = name.find('=');
    if (std::ranges::find(switches, name.substr(0, equals)) != switches.end()) {
      const std::string_view value =
          equals == std::string_view::npos ? "true" : name.substr(equals + 1);
      if (value != "true" && value != "false") {
        return fail(ErrorCode::invalid,
                    std::format("--{}: expected true or false", name.substr(0, equals)));
      }
      if (value == "true") on.push_back(name.substr(0, equals));
      continue;
    }
    flags.emplace_back(argument);
    if (equals == std::string_view::npos && i + 1 < arguments.size())
      flags.push_back(arguments[++i]);
  }
  auto parsed = parse_flags(flags, known);
  if (!parsed) {
    std::string more;
    for (const std::string_view name : switches) more += std::format(", --{}", name);
    return fail(parsed.error().code, parsed.error().message + more);
  }
  for (const std::string_view name : on)
    parsed->values_.insert_or_assign(std::string(name), "true");
  parsed->plain_ = std::move(plain);
  return parsed;
}

}  // namespace tripod::cli
