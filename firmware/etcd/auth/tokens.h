#pragma once
// Simple tokens: which of them stands for whom, until when. Made by the log (so all members know
// them), kept in memory alone. Pure: time arrives in calls.
//
// Lives on the loop thread.

#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "platform/base/bytes.h"
#include "platform/base/time.h"

namespace tripod::etcd {

class Tokens {
 public:
  static constexpr std::size_t tokens_max = 65'536;  // then the one that ends first goes
  static constexpr std::size_t prefix_length = 16;

  explicit Tokens(Duration ttl = std::chrono::minutes(5)) : ttl_(ttl) {}
  void set_ttl(Duration ttl) { ttl_ = ttl; }

  void assign(std::string token, std::string user, MonotonicTime now);
  /// The user, whose token then lasts its whole time again; nullptr when it is unknown or over.
  const std::string* use(const std::string& token, MonotonicTime now);
  void forget_user(const std::string& user);
  void clear();
  /// Lets go of tokens that are over.
  void expire(MonotonicTime now);
  std::size_t size() const { return tokens_.size(); }

 private:
  struct Entry {
    std::string user;
    std::multimap<MonotonicTime, std::string>::iterator end;
  };

  void erase(std::unordered_map<std::string, Entry>::iterator entry);

  Duration ttl_;
  std::unordered_map<std::string, Entry> tokens_;
  std::multimap<MonotonicTime, std::string> ends_;
};

/// "prefix.index"
std::string make_token(const std::string& prefix, std::uint64_t index);
/// The log index that made a token; nullopt when it does not look like one.
std::optional<std::uint64_t> index_of_token(std::string_view token);
/// Letters from random bytes.
std::string token_prefix(BytesView random);

}  // namespace tripod::etcd
