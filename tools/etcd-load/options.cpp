#include "tools/etcd-load/options.h"

namespace tripod::load {
namespace {

constexpr std::array kinds = {Kind::put, Kind::get,   Kind::list,
                              Kind::mix, Kind::watch, Kind::lease};

Result<> number(const std::string& flag, const std::string& text, int min, int max, int& into) {
  int value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < min || value > max) {
    return fail(ErrorCode::invalid, std::format("{} {}: expected {} to {}", flag, text, min, max));
  }
  into = value;
  return {};
}

Result<> endpoints(const std::string& flag, std::string_view text, Options& options) {
  while (true) {
    const std::size_t comma = text.find(',');
    auto address = os::parse_address(text.substr(0, comma));
    if (!address) return wrap(flag, address.error());
    options.endpoints.push_back(std::move(*address));
    if (comma == std::string_view::npos) return {};
    text.remove_prefix(comma + 1);
  }
}

Result<> set_text(Options& options, const std::string& flag, const std::string& value) {
  if (flag == "--endpoints") return endpoints(flag, value, options);
  if (flag == "--cacert") {
    options.authority_file = value;
  } else if (flag == "--cert") {
    options.certificate_file = value;
  } else if (flag == "--key") {
    options.key_file = value;
  } else {
    return fail(ErrorCode::invalid, std::format("unknown flag {}; see --help", flag));
  }
  return {};
}

Result<> set(Options& options, const std::string& flag, const std::string& value) {
  if (flag == "--clients") return number(flag, value, 1, 100'000, options.clients);
  if (flag == "--connections") return number(flag, value, 1, 1000, options.connections);
  if (flag == "--keys") return number(flag, value, 1, 10'000'000, options.keys);
  if (flag == "--value-bytes") return number(flag, value, 0, 1'000'000, options.value_bytes);
  if (flag == "--operations") return number(flag, value, 0, 10'000'000, options.operations);
  if (flag == "--seconds") return number(flag, value, 1, 3600, options.seconds);
  return set_text(options, flag, value);
}

Result<Kind> kind_named(const std::string& name) {
  for (const Kind kind : kinds) {
    if (name_of(kind) == name) return kind;
  }
  return fail(ErrorCode::invalid,
              std::format("load \"{}\": expected put, get, list, mix, watch or lease", name));
}

Result<> check(const Options& options) {
  if (options.endpoints.empty()) return fail(ErrorCode::invalid, "--endpoints is required");
  const int files = static_cast<int>(!options.authority_file.empty()) +
                    static_cast<int>(!options.certificate_file.empty()) +
                    static_cast<int>(!options.key_file.empty());
  if (files != 0 && files != 3) {
    return fail(ErrorCode::invalid, "--cacert, --cert and --key come together");
  }
  return {};
}

}  // namespace

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::put: return "put";
    case Kind::get: return "get";
    case Kind::list: return "list";
    case Kind::mix: return "mix";
    case Kind::watch: return "watch";
    case Kind::lease: return "lease";
  }
  return "";
}

std::string_view usage() {
  return "usage: etcd-load put|get|list|mix|watch|lease --endpoints HOST:PORT,...\n"
         "                 [--cacert FILE --cert FILE --key FILE] [--clients 1] [--connections 1]\n"
         "                 [--keys 10000] [--value-bytes 256] [--operations N | --seconds 5]\n"
         "                 [--serializable] [--keep]\n";
}

Result<Options> parse_options(const std::vector<std::string>& arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string flag = arguments[i];
    if (flag == "--help" || flag == "-h") {
      options.help = true;
      return options;
    }
    if (flag == "--serializable" || flag == "--keep") {
      (flag == "--keep" ? options.keep : options.serializable) = true;
      continue;
    }
    if (i == 0) {
      auto kind = kind_named(flag);
      if (!kind) return std::unexpected(kind.error());
      options.kind = *kind;
      continue;
    }
    std::string value;
    if (const std::size_t equals = flag.find('='); equals != std::string::npos) {
      value = flag.substr(equals + 1);
      flag.resize(equals);
    } else if (i + 1 < arguments.size()) {
      value = arguments[++i];
    } else {
      return fail(ErrorCode::invalid, std::format("{} needs a value", flag));
    }
    if (auto done = set(options, flag, value); !done) return std::unexpected(done.error());
  }
  if (auto good = check(options); !good) return std::unexpected(good.error());
  options.connections = std::min(options.connections, options.clients);
  return options;
}

}  // namespace tripod::load
