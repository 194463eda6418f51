#include <format>

#include "firmware/kube/selector.h"

namespace tripod::kube {

namespace {

/// Terms between unescaped commas.
std::vector<std::string_view> split_terms(std::string_view text) {
  std::vector<std::string_view> terms;
  std::size_t start = 0;
  bool escaped = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (escaped) {
      escaped = false;
    } else if (text[i] == '\\') {
      escaped = true;
    } else if (text[i] == ',') {
      terms.push_back(text.substr(start, i - start));
      start = i + 1;
    }
  }
  terms.push_back(text.substr(start));
  return terms;
}

Result<std::string> unescape(std::string_view text) {
  std::string value;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\') {
      const char next = i + 1 < text.size() ? text[i + 1] : '\0';
      if (next != '\\' && next != ',' && next != '=') {
        return fail(
            ErrorCode::invalid,
            std::format("invalid field selector: invalid escape sequence: {}", text.substr(i, 2)));
      }
      value += next;
      ++i;
    } else if (c == '=' || c == ',') {
      return fail(ErrorCode::invalid,
                  std::format("invalid field selector: unescaped character in value: {}",
                              static_cast<int>(c)));
    } else {
      value += c;
    }
  }
  return value;
}

}  // namespace

Result<FieldSelector> FieldSelector::parse(std::string_view text) {
  if (text.size() > 16 * 1024)
    return fail(ErrorCode::too_large, "field selector is longer than 16384 bytes");
  FieldSelector selector;
  for (std::string_view term : split_terms(text)) {
    if (term.empty()) continue;
    std::size_t at = term.find('=');
    const bool negated = at != term.npos && at > 0 && term[at - 1] == '!';
    if (at == term.npos) {
      return fail(ErrorCode::invalid,
                  std::format("invalid selector: '{}'; can't understand '{}'", text, term));
    }
    std::string_view right = term.substr(at + 1);
    if (negated) {
      --at;
    } else if (right.starts_with('=')) {
      right.remove_prefix(1);
    }
    auto value = unescape(right);
    if (!value) return std::unexpected(value.error());
    selector.terms_.push_back({std::string(term.substr(0, at)), std::move(*value), !negated});
  }
  std::ranges::stable_sort(selector.terms_, {}, &Term::field);
  return selector;
}

bool FieldSelector::matches(const json::Value& object) const {
  for (const Term& term : terms_) {
    const json::Value* at = &object;
    for (std::size_t start = 0; at && start <= term.field.size();) {
      const std::size_t end = std::min(term.field.find('.', start), term.field.size());
      at = json::find(*at, std::string_view(term.field).substr(start, end - start));
      start = end + 1;
    }
    std::string text;
    if (at && at->is_string()) {
      text = json::as_string(*at);
    } else if (at && !at->is_null()) {
      text = json::serialize(*at);
    }
    if ((text == term.value) != term.equals) return false;
  }
  return true;
}

std::optional<std::string_view> FieldSelector::exact(std::string_view field) const {
  for (const Term& term : terms_) {
    if (term.equals && term.field == field) return term.value;
  }
  return std::nullopt;
}

std::string FieldSelector::to_string() const {
  std::string text;
  for (const Term& term : terms_) {
    if (!text.empty()) text += ',';
    text += term.field;
    text += term.equals ? "=" : "!=";
    for (char c : term.value) {
      if (c == '\\' || c == ',' || c == '=') text += '\\';
      text += c;
    }
  }
  return text;
}

}  // namespace tripod::kube
