#pragma once
// Command-line flags of the subcommands: --name VALUE or --name=VALUE.

#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "platform/base/result.h"

namespace tripod::cli {

class Flags {
 public:
  bool has(std::string_view name) const { return values_.contains(name); }
  std::string get(std::string_view name, std::string_view fallback = "") const;

 private:
  friend Result<Flags> parse_flags(std::span<const std::string>,
                                   std::initializer_list<std::string_view>);

  std::map<std::string, std::string, std::less<>> values_;
};

/// Fails on a flag that is not `known`, names what is, and on a value that is missing.
Result<Flags> parse_flags(std::span<const std::string> arguments,
                          std::initializer_list<std::string_view> known);

}  // namespace tripod::cli
