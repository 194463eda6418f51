#include "firmware/etcd/auth/tokens.h"

#include <charconv>
#include <format>
#include <vector>

namespace tripod::etcd {

void Tokens::assign(std::string token, std::string user, MonotonicTime now) {
  if (const auto found = tokens_.find(token); found != tokens_.end()) erase(found);
  while (tokens_.size() >= tokens_max) erase(tokens_.find(ends_.begin()->second));
  const auto end = ends_.emplace(now + ttl_, token);
  tokens_.emplace(std::move(token), Entry{std::move(user), end});
}

const std::string* Tokens::use(const std::string& token, MonotonicTime now) {
  const auto found = tokens_.find(token);
  if (found == tokens_.end() || found->second.end->first < now) return nullptr;
  auto node = ends_.extract(found->second.end);
  node.key() = now + ttl_;
  found->second.end = ends_.insert(std::move(node));
  return &found->second.user;
}

void Tokens::erase(std::unordered_map<std::string, Entry>::iterator entry) {
  ends_.erase(entry->second.end);
  tokens_.erase(entry);
}

void Tokens::forget_user(const std::string& user) {
  for (auto entry = tokens_.begin(); entry != tokens_.end();) {
    const auto next = std::next(entry);
    if (entry->second.user == user) erase(entry);
    entry = next;
  }
}

void Tokens::clear() {
  tokens_.clear();
  ends_.clear();
}

void Tokens::expire(MonotonicTime now) {
  while (!ends_.empty() && ends_.begin()->first < now) erase(tokens_.find(ends_.begin()->second));
}

std::string make_token(const std::string& prefix, std::uint64_t index) {
  return std::format("{}.{}", prefix, index);
}

std::optional<std::uint64_t> index_of_token(std::string_view token) {
  const std::size_t dot = token.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string_view digits = token.substr(dot + 1);
  std::uint64_t index = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  if (error != std::errc() || digits.empty() || end != digits.data() + digits.size()) {
    return std::nullopt;
  }
  return index;
}

std::string token_prefix(BytesView random) {
  constexpr std::string_view letters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  std::string prefix;
  for (const char byte : random)
    prefix += letters[static_cast<std::uint8_t>(byte) % letters.size()];
  return prefix;
}

}  // namespace tripod::etcd
