#include "platform/ini/schema.h"

#include <algorithm>
#include <charconv>
#include <format>

#include "platform/base/check.h"
#include "platform/ini/problems.h"

namespace tripod::ini {
namespace {

constexpr std::size_t problems_max = 20;

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 253 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.';
  });
}

bool one_of(std::string_view choices, std::string_view text) {
  while (!choices.empty()) {
    std::size_t bar = choices.find('|');
    if (choices.substr(0, bar) == text) return true;
    choices = bar == std::string_view::npos ? std::string_view() : choices.substr(bar + 1);
  }
  return false;
}

std::string in_words(std::string_view choices) {
  std::string words;
  for (char c : choices) {
    if (c == '|') {
      words += ", ";
    } else {
      words += c;
    }
  }
  return words;
}

bool parse_integer(std::string_view text, std::int64_t& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

bool is_ip(std::string_view text) {
  std::string with_port =
      text.contains(':') ? std::format("[{}]:1", text) : std::format("{}:1", text);
  return os::parse_address(with_port).has_value();
}

bool is_cidr(std::string_view text) {
  std::size_t slash = text.find('/');
  std::int64_t bits = 0;
  return slash != std::string_view::npos && is_ip(text.substr(0, slash)) &&
         parse_integer(text.substr(slash + 1), bits) && bits >= 0 &&
         bits <= (text.contains(':') ? 128 : 32);
}

bool accepts_list(const Key& key, std::string_view text) {
  return std::ranges::all_of(split_list(text), [&](const std::string& item) {
    switch (key.kind) {
      case Kind::addresses: return os::parse_address(item).has_value();
      case Kind::urls: return parse_url(item).has_value();
      case Kind::text:
      case Kind::name:
      case Kind::boolean:
      case Kind::integer:
      case Kind::duration:
      case Kind::address:
      case Kind::ip:
      case Kind::cidr:
      case Kind::url:
      case Kind::path:
      case Kind::list: return key.accepts.empty() || one_of(key.accepts, item);
    }
    return false;
  });
}

bool accepts(const Key& key, std::string_view text) {
  std::int64_t number = 0;
  switch (key.kind) {
    case Kind::text: return key.accepts.empty() || one_of(key.accepts, text);
    case Kind::name: return is_name(text);
    case Kind::boolean: return text == "true" || text == "false";
    case Kind::integer:
      return parse_integer(text, number) && number >= key.min && number <= key.max;
    case Kind::duration: {
      auto duration = parse_duration(text);
      return duration && duration->count() >= key.min && duration->count() <= key.max;
    }
    case Kind::address: return os::parse_address(text).has_value();
    case Kind::ip: return is_ip(text);
    case Kind::cidr: return is_cidr(text);
    case Kind::url: return parse_url(text).has_value();
    case Kind::path: return !text.empty();
    case Kind::addresses:
    case Kind::urls:
    case Kind::list: return accepts_list(key, text);
  }
  return false;
}

std::string bounds(const Key& key, std::string_view unit) {
  return key.max == INT64_MAX ? std::format("at least {}{}", key.min, unit)
                              : std::format("from {}{} to {}{}", key.min, unit, key.max, unit);
}

std::string expectation(const Key& key) {
  switch (key.kind) {
    case Kind::text:
      return key.accepts.empty() ? "text" : std::format("one of {}", in_words(key.accepts));
    case Kind::name: return "a name of letters, digits, '-' and '.'";
    case Kind::boolean: return "true or false";
    case Kind::integer: return std::format("a whole number {}", bounds(key, ""));
    case Kind::duration: return std::format("a duration as 10s or 100ms, {}", bounds(key, "ms"));
    case Kind::address: return "IP:port, as 127.0.0.1:6443";
    case Kind::ip: return "an IP address, as 192.168.1.11";
    case Kind::cidr: return "an IP address and a prefix length, as 10.96.0.0/16";
    case Kind::addresses: return "a list of IP:port, as 127.0.0.11:6444, 127.0.0.12:6444";
    case Kind::url: return "a URL with an IP address and a port, as https://127.0.0.1:2379";
    case Kind::urls: return "a list of URLs with IP addresses and ports, as https://127.0.0.1:2379";
    case Kind::path: return "a path";
    case Kind::list:
      return key.accepts.empty() ? "a list, as a, b"
                                 : std::format("a list of any of {}", in_words(key.accepts));
  }
  return "something else";
}

/// Levenshtein distance; for short names.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t above = row[j];
      std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({changed, above + 1, row[j - 1] + 1});
      diagonal = above;
    }
  }
  return row[b.size()];
}

/// What an unknown section or key may have meant.
std::string suggestion(std::span<const Key> keys, const Entry& entry) {
  std::string_view best;
  std::size_t best_distance = 4;
  std::string sections;
  bool section_known =
      std::ranges::any_of(keys, [&](const Key& k) { return k.section == entry.section; });
  for (const Key& key : keys) {
    std::string_view candidate = section_known ? key.key : key.section;
    if (section_known && key.section != entry.section) continue;
    std::size_t d = distance(candidate, section_known ? entry.key : entry.section);
    if (d < best_distance) {
      best = candidate;
      best_distance = d;
    }
    if (!section_known && !sections.contains(std::format("[{}]", key.section))) {
      sections += std::format("{}[{}]", sections.empty() ? "" : ", ", key.section);
    }
  }
  if (!best.empty()) return std::format("; did you mean \"{}\"?", best);
  return section_known ? "" : std::format("; expected one of {}", sections);
}

}  // namespace

class Reader {
 public:
  explicit Reader(std::span<const Key> keys) : keys_(keys) {
    for (const Key& key : keys) {
      Values::Value value{key, std::string(key.fallback), {"default", 0}, false};
      values_.values_.emplace(std::pair(std::string(key.section), std::string(key.key)), value);
    }
  }

  void take(const Entry& entry) {
    auto found = values_.values_.find(std::pair(entry.section, entry.key));
    if (found == values_.values_.end()) {
      bool known =
          std::ranges::any_of(keys_, [&](const Key& k) { return k.section == entry.section; });
      problem(entry,
              std::format("unknown {}{}", known ? "key" : "section", suggestion(keys_, entry)));
      return;
    }
    Values::Value& value = found->second;
    if (value.set && value.origin.file == entry.origin.file) {
      problem(entry, std::format("given twice, first at {}", value.origin.to_string()));
      return;
    }
    if (!accepts(value.key, entry.value)) {
      problem(entry, std::format("expected {}", expectation(value.key)));
      return;
    }
    value.text = entry.value;
    value.origin = entry.origin;
    value.set = true;
  }

  Result<Values> finish() {
    if (problems_.any()) return problems_.error();
    return std::move(values_);
  }

 private:
  void problem(const Entry& entry, std::string_view what) {
    if (++count_ > problems_max) return;
    problems_.add(std::format("{}: [{}] {} = \"{}\": {}", entry.origin.to_string(), entry.section,
                              entry.key, entry.value, what));
  }

  std::span<const Key> keys_;
  Values values_;
  Problems problems_;
  std::size_t count_ = 0;
};

Result<Values> read(std::span<const Key> keys, std::span<const Entry> entries) {
  Reader reader(keys);
  for (const Entry& entry : entries) reader.take(entry);
  return reader.finish();
}

const Values::Value& Values::find(std::string_view section, std::string_view key) const {
  auto found = values_.find(std::pair(std::string(section), std::string(key)));
  CHECK(found != values_.end(), std::format("[{}] {} is not in the table", section, key));
  return found->second;
}

bool Values::is_set(std::string_view section, std::string_view key) const {
  return find(section, key).set;
}

bool Values::has_section(std::string_view section) const {
  return std::ranges::any_of(
      values_, [&](const auto& item) { return item.first.first == section && item.second.set; });
}

std::string Values::where(std::string_view section, std::string_view key) const {
  const Value& value = find(section, key);
  return std::format("{}: [{}] {} = \"{}\"", value.origin.to_string(), section, key, value.text);
}

const std::string& Values::text(std::string_view section, std::string_view key) const {
  return find(section, key).text;
}

bool Values::boolean(std::string_view section, std::string_view key) const {
  const Value& value = find(section, key);
  CHECK(value.key.kind == Kind::boolean, key);
  return value.text == "true";
}

std::int64_t Values::integer(std::string_view section, std::string_view key) const {
  const Value& value = find(section, key);
  CHECK(value.key.kind == Kind::integer, key);
  std::int64_t number = 0;
  CHECK(parse_integer(value.text, number), key);
  return number;
}

std::chrono::milliseconds Values::duration(std::string_view section, std::string_view key) const {
  const Value& value = find(section, key);
  CHECK(value.key.kind == Kind::duration, key);
  return parse_duration(value.text).value_or(std::chrono::milliseconds(0));
}

os::Address Values::address(std::string_view section, std::string_view key) const {
  const Value& value = find(section, key);
  CHECK(value.key.kind == Kind::address, key);
  return os::parse_address(value.text).value_or(os::Address{});
}

std::vector<os::Address> Values::addresses(std::string_view section, std::string_view key) const {
  std::vector<os::Address> out;
  for (const std::string& item : list(section, key)) {
    out.push_back(os::parse_address(item).value_or(os::Address{}));
  }
  return out;
}

std::vector<Url> Values::urls(std::string_view section, std::string_view key) const {
  std::vector<Url> out;
  for (const std::string& item : list(section, key)) out.push_back(parse_url(item).value_or(Url{}));
  return out;
}

std::vector<std::string> Values::list(std::string_view section, std::string_view key) const {
  return split_list(find(section, key).text);
}

std::string Url::to_string() const {
  return std::format("{}://{}", tls ? "https" : "http", address.to_string());
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  auto wrong = [&] {
    return fail(ErrorCode::invalid,
                std::format("\"{}\" is not a duration; expected as 10s or 100ms", text));
  };
  if (text == "0") return std::chrono::milliseconds(0);
  std::chrono::milliseconds total{0};
  std::string_view rest = text;
  if (rest.empty()) return wrong();
  while (!rest.empty()) {
    std::int64_t number = 0;
    auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (error != std::errc{} || number < 0 || number > 1'000'000'000) return wrong();
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    std::string_view unit = rest.substr(0, rest.find_first_of("0123456789"));
    rest.remove_prefix(unit.size());
    if (unit == "ms") {
      total += std::chrono::milliseconds(number);
    } else if (unit == "s") {
      total += std::chrono::seconds(number);
    } else if (unit == "m") {
      total += std::chrono::minutes(number);
    } else if (unit == "h") {
      total += std::chrono::hours(number);
    } else {
      return wrong();
    }
  }
  return total;
}

Result<Url> parse_url(std::string_view text) {
  std::string_view rest = text;
  Url url;
  if (rest.starts_with("https://")) {
    url.tls = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return fail(ErrorCode::invalid, std::format("\"{}\": expected http:// or https://", text));
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  auto address = os::parse_address(rest);
  if (!address) return std::unexpected(address.error());
  url.address = std::move(*address);
  return url;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    std::size_t comma = text.find(',');
    std::string_view item = trim(text.substr(0, comma));
    if (!item.empty()) items.emplace_back(item);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  return items;
}

}  // namespace tripod::ini
