#include "firmware/apiserver/version.h"

namespace tripod::apiserver {

namespace {

#if defined(__aarch64__)
constexpr std::string_view platform = "linux/arm64";
#elif defined(__arm__)
constexpr std::string_view platform = "linux/arm";
#else
constexpr std::string_view platform = "linux/amd64";
#endif

}  // namespace

json::Value version_info() {
  json::Object info;
  info["major"] = "1";
  info["minor"] = "34";
  info["emulationMajor"] = "1";
  info["emulationMinor"] = "34";
  info["minCompatibilityMajor"] = "1";
  info["minCompatibilityMinor"] = "33";
  info["gitVersion"] = git_version;
  info["gitCommit"] = "";
  info["gitTreeState"] = "";
  info["buildDate"] = "1970-01-01T00:00:00Z";
  info["goVersion"] = "";
  info["compiler"] = "clang";
  info["platform"] = platform;
  return info;
}

}  // namespace tripod::apiserver
