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

}  // namespace tripod::cli
