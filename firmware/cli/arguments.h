#pragma once
// Command-line flags of the subcommands: --name VALUE or --name=VALUE; where a subcommand takes
// them, switches (--name, or --name=true and --name=false) and plain arguments between them.

#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/result.h"

namespace tripod::cli {

class Flags {
 public:
  bool has(std::string_view name) const { return values_.contains(name); }
  std::string get(std::string_view name, std::string_view fallback = "") const;
  /// Of a switch.
  bool on(std::string_view name) const { return get(name, "false") == "true"; }
  /// What is no flag.
  const std::vector<std::string>& plain() const { return plain_; }

 private:
  friend Result<Flags> parse_flags(std::span<const std::string>,
                                   std::initializer_list<std::string_view>);
  friend Result<Flags> parse_arguments(std::span<const std::string>,
                                       std::initializer_list<std::string_view>,
                                       std::initializer_list<std::string_view>);

  std::map<std::string, std::string, std::less<>> values_;
  std::vector<std::string> plain_;
};

/// Fails on a flag that is not `known`, names what is, and on a value that is missing.
Result<Flags> parse_flags(std::span<const std::string> arguments,
                          std::initializer_list<std::string_view> known);

/// The same, with switches and plain arguments.
Result<Flags> parse_arguments(std::span<const std::string> arguments,
                              std::initializer_list<std::string_view> known,
                              std::initializer_list<std::string_view> switches);

}  // namespace tripod::cli
