#pragma once
// Structured, leveled logging without globals: a Logger is a cheap value that names its component
// and points at the board's sink. One line per event, `key=value` pairs as logfmt:
//   2026-11-21T09:08:42.123456Z INFO  etcd.raft became leader term=4 members=3
// Thread-safe as far as the sink is; the sinks of platform/linux and platform/sim are.

#include <cstdint>
#include <format>
#include <string>
#include <string_view>

namespace tripod {

enum class LogLevel : std::uint8_t { debug, info, warn, error };

std::string_view name_of(LogLevel level);

/// Where lines end up; adds the time, for it knows the clock.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual LogLevel level() const = 0;
  virtual void write(LogLevel level, std::string_view component, std::string_view line) = 0;
};

/// One key=value pair; values with blanks, quotes or control characters are quoted.
struct LogField {
  template <typename T>
  LogField(std::string_view name, const T& value) : key(name), text(std::format("{}", value)) {}

  std::string_view key;
  std::string text;
};

class Logger {
 public:
  /// `sink` outlives the logger.
  Logger(LogSink& sink, std::string component) : sink_(&sink), component_(std::move(component)) {}

  /// A logger of a part: "etcd" -> "etcd.raft".
  Logger named(std::string_view part) const;

  template <typename... Fields>
  void debug(std::string_view message, const Fields&... fields) const {
    write(LogLevel::debug, message, {fields...});
  }
  template <typename... Fields>
  void info(std::string_view message, const Fields&... fields) const {
    write(LogLevel::info, message, {fields...});
  }
  template <typename... Fields>
  void warn(std::string_view message, const Fields&... fields) const {
    write(LogLevel::warn, message, {fields...});
  }
  template <typename... Fields>
  void error(std::string_view message, const Fields&... fields) const {
    write(LogLevel::error, message, {fields...});
  }
  bool enabled(LogLevel level) const { return level >= sink_->level(); }

 private:
  void write(LogLevel level, std::string_view message,
             std::initializer_list<LogField> fields) const;

  LogSink* sink_;
  std::string component_;
};

}  // namespace tripod
