#include "firmware/kube/client/kubeconfig.h"

#include "firmware/kube/protobuf/wire.h"
#include "platform/base/base64.h"

namespace tripod::kube {
namespace {

constexpr std::size_t lines_max = 10'000;
constexpr int depth_max = 16;

struct Line {
  std::size_t number = 0;
  std::size_t indent = 0;
  std::string_view text;  // without indent, comment and trailing blanks
};

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\r' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return text;
}

/// Cuts " # ..." outside quotes.
std::string_view without_comment(std::string_view text) {
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (quote) {
      if (text[i] == quote) quote = 0;
    } else if (text[i] == '"' || text[i] == '\'') {
      quote = text[i];
    } else if (text[i] == '#' && (i == 0 || text[i - 1] == ' ')) {
      return text.substr(0, i);
    }
  }
  return text;
}

Result<std::vector<Line>> split_lines(std::string_view text) {
  std::vector<Line> lines;
  std::size_t number = 0;
  while (!text.empty()) {
    std::size_t end = text.find('\n');
    std::string_view raw = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (++number > lines_max) return fail(ErrorCode::too_large, "more than 10000 lines");
    std::size_t indent = raw.find_first_not_of(' ');
    if (indent == std::string_view::npos) continue;
    std::string_view body = trim(without_comment(raw.substr(indent)));
    if (body.empty() || body == "---") continue;
    lines.push_back({number, indent, body});
  }
  return lines;
}

class Reader {
 public:
  explicit Reader(std::vector<Line> lines) : lines_(std::move(lines)) {}

  Result<json::Value> document() {
    if (lines_.empty()) return json::Value(json::Object());
    auto value = block(lines_[0].indent, 0);
    if (value && at_ < lines_.size()) return bad("unexpected indentation");
    return value;
  }

 private:
  std::unexpected<Error> bad(std::string_view what) const {
    std::size_t number = at_ < lines_.size() ? lines_[at_].number : lines_.back().number;
    return fail(ErrorCode::invalid, std::format("line {}: {}", number, what));
  }

  static bool is_item(std::string_view text) { return text == "-" || text.starts_with("- "); }

  Result<json::Value> block(std::size_t indent, int depth) {
    if (depth > depth_max) return bad("nested too deeply");
    return is_item(lines_[at_].text) ? list(indent, depth) : map(indent, depth);
  }

  Result<json::Value> list(std::size_t indent, int depth) {
    json::Array items;
    while (at_ < lines_.size() && lines_[at_].indent == indent && is_item(lines_[at_].text)) {
      Line& line = lines_[at_];
      std::string_view rest = trim(line.text.substr(1));
      if (rest.empty()) {
        ++at_;
        auto value = nested(indent, depth, false);
        if (!value) return value;
        items.push_back(std::move(*value));
      } else if (key_end(rest) != std::string_view::npos) {
        line.indent = indent + static_cast<std::size_t>(rest.data() - line.text.data());
        line.text = rest;
        auto value = map(line.indent, depth + 1);
        if (!value) return value;
        items.push_back(std::move(*value));
      } else {
        auto value = scalar(rest);
        if (!value) return value;
        items.push_back(std::move(*value));
        ++at_;
      }
    }
    return json::Value(std::move(items));
  }

  Result<json::Value> map(std::size_t indent, int depth) {
    json::Object object;
    while (at_ < lines_.size() && lines_[at_].indent == indent && !is_item(lines_[at_].text)) {
      std::string_view text = lines_[at_].text;
      std::size_t end = key_end(text);
      if (end == std::string_view::npos) return bad("expected \"key: value\"");
      auto key = scalar(text.substr(0, end));
      if (!key) return key;
      std::string_view rest = trim(text.substr(end + 1));
      ++at_;
      auto value = rest.empty() ? nested(indent, depth, true) : scalar(rest);
      if (!value) return value;
      object[json::as_string(*key)] = std::move(*value);
    }
    return json::Value(std::move(object));
  }

  /// What stands below a key or a dash. A list may stand at the indent of its key.
  Result<json::Value> nested(std::size_t indent, int depth, bool of_key) {
    if (at_ >= lines_.size()) return json::Value(nullptr);
    const Line& next = lines_[at_];
    if (next.indent > indent) return block(next.indent, depth + 1);
    if (of_key && next.indent == indent && is_item(next.text)) return list(indent, depth + 1);
    return json::Value(nullptr);
  }

  /// The position of the colon that ends a key, or npos.
  static std::size_t key_end(std::string_view text) {
    std::size_t from = 0;
    if (text.front() == '"' || text.front() == '\'') {
      from = text.find(text.front(), 1);
      if (from == std::string_view::npos) return from;
    }
    for (std::size_t i = from; i < text.size(); ++i) {
      if (text[i] == ':' && (i + 1 == text.size() || text[i + 1] == ' ')) return i;
    }
    return std::string_view::npos;
  }

  Result<json::Value> scalar(std::string_view text) const {
    if (text == "{}") return json::Value(json::Object());
    if (text == "[]") return json::Value(json::Array());
    if (text == "null" || text == "~") return json::Value(nullptr);
    if (text == "true") return json::Value(true);
    if (text == "false") return json::Value(false);
    if (text.front() == '"') return json::parse(text);
    if (text.front() == '\'') {
      if (text.size() < 2 || text.back() != '\'') return bad("unterminated quote");
      return json::Value(std::string(text.substr(1, text.size() - 2)));
    }
    if (std::string_view("|>&*{[!").contains(text.front()))
      return bad("this YAML form is not read here");
    return json::Value(std::string(text));
  }

  std::vector<Line> lines_;
  std::size_t at_ = 0;
};

const json::Value* named(const json::Value& root, std::string_view list, std::string_view name,
                         std::string_view part) {
  const json::Array* items = json::get_array(root, list);
  if (!items) return nullptr;
  for (const json::Value& item : *items) {
    if (json::get_string(item, "name") == name) return json::find(item, part);
  }
  return nullptr;
}

Result<> read_server(Kubeconfig& config) {
  std::string_view rest = config.server;
  constexpr std::string_view scheme = "https://";
  if (!rest.starts_with(scheme)) {
    return fail(ErrorCode::invalid,
                std::format("server {}: expected https://host:port", config.server));
  }
  rest.remove_prefix(scheme.size());
  rest = rest.substr(0, rest.find('/'));
  std::size_t colon = rest.rfind(':');
  if (colon != std::string_view::npos && rest.find(']', colon) == std::string_view::npos) {
    std::string_view port = rest.substr(colon + 1);
    auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), config.port);
    if (error != std::errc() || end != port.data() + port.size() || config.port == 0) {
      return fail(ErrorCode::invalid, std::format("server {}: bad port", config.server));
    }
    rest = rest.substr(0, colon);
  }
  if (rest.starts_with('[') && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
  if (rest.empty())
    return fail(ErrorCode::invalid, std::format("server {}: no host", config.server));
  config.host = rest;
  return {};
}

}  // namespace

Result<json::Value> parse_simple_yaml(std::string_view text) {
  if (!protobuf::is_utf8(text)) return fail(ErrorCode::invalid, "the file is not UTF-8");
  auto lines = split_lines(text);
  if (!lines) return std::unexpected(lines.error());
  return Reader(std::move(*lines)).document();
}

Result<Kubeconfig> Kubeconfig::parse(std::string_view text) {
  std::size_t first = text.find_first_not_of(" \t\r\n");
  auto root = first != std::string_view::npos && text[first] == '{' ? json::parse(text)
                                                                    : parse_simple_yaml(text);
  if (!root) return std::unexpected(root.error());
  std::string_view context_name = json::get_string(*root, "current-context");
  const json::Value* context = named(*root, "contexts", context_name, "context");
  if (!context) {
    return fail(ErrorCode::invalid,
                std::format("current-context \"{}\" is not among contexts", context_name));
  }
  const json::Value* cluster =
      named(*root, "clusters", json::get_string(*context, "cluster"), "cluster");
  const json::Value* user = named(*root, "users", json::get_string(*context, "user"), "user");
  if (!cluster) return fail(ErrorCode::invalid, "the context's cluster is not among clusters");
  if (!user) return fail(ErrorCode::invalid, "the context's user is not among users");
  Kubeconfig config;
  config.server = json::get_string(*cluster, "server");
  config.tls_server_name = json::get_string(*cluster, "tls-server-name");
  config.certificate_authority = json::get_string(*cluster, "certificate-authority");
  config.client_certificate = json::get_string(*user, "client-certificate");
  config.client_key = json::get_string(*user, "client-key");
  struct Data {
    const json::Value& where;
    std::string_view field;
    std::string& out;
  };
  for (const Data& data :
       {Data{*cluster, "certificate-authority-data", config.certificate_authority_data},
        Data{*user, "client-certificate-data", config.client_certificate_data},
        Data{*user, "client-key-data", config.client_key_data}}) {
    auto decoded = from_base64(json::get_string(data.where, data.field));
    if (!decoded) return fail(ErrorCode::invalid, std::format("{}: not base64", data.field));
    data.out = std::move(*decoded);
  }
  if (auto server = read_server(config); !server) return std::unexpected(server.error());
  return config;
}

}  // namespace tripod::kube
