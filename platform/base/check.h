#pragma once
// CHECK: an impossible state is a bug; log it and abort, in every build. The board restarts the
// process. fatal: ground is lost (failed fsync, corrupt page, out of memory); log and stop, never
// retry. fatal_data_lost: the same where no restart helps, only a person.

#include <string_view>

namespace tripod {

[[noreturn]] void check_failed(const char* file, int line, const char* expression,
                               std::string_view detail = {});

/// Ends the process with exit code 70 (EX_SOFTWARE) after writing `message` to standard error.
[[noreturn]] void fatal(std::string_view message);
/// The same with exit code 65 (EX_DATAERR).
[[noreturn]] void fatal_data_lost(std::string_view message);

inline constexpr int exit_data_lost = 65;

}  // namespace tripod

/// CHECK(applied <= committed) or CHECK(applied <= committed, std::format("applied {}", applied)).
#define CHECK(expression, ...)                                                            \
  do {                                                                                    \
    if (!(expression)) [[unlikely]]                                                       \
      ::tripod::check_failed(__FILE__, __LINE__, #expression __VA_OPT__(, ) __VA_ARGS__); \
  } while (false)
