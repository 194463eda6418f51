#include "platform/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace tripod {
namespace {

constexpr int exit_software = 70;  // EX_SOFTWARE of sysexits(3)

int length_of(std::string_view text) {
  return static_cast<int>(text.size());
}

[[noreturn]] void say_and_exit(std::string_view message, int code) {
  std::fprintf(stderr, "fatal: %.*s\n", length_of(message), message.data());
  std::fflush(stderr);
  std::_Exit(code);
}

}  // namespace

void check_failed(const char* file, int line, const char* expression, std::string_view detail) {
  std::fprintf(stderr, "%s:%d: CHECK failed: %s %.*s\n", file, line, expression, length_of(detail),
               detail.data());
  std::fflush(stderr);
  std::abort();
}

void fatal(std::string_view message) {
  say_and_exit(message, exit_software);
}

void fatal_data_lost(std::string_view message) {
  say_and_exit(message, exit_data_lost);
}

}  // namespace tripod
