#pragma once
// The query parameters of list and watch, checked as upstream checks them, and the continue token.
// Pure.

#include <optional>
#include <string>

#include "firmware/apiserver/request_info.h"
#include "firmware/apiserver/watch_cache/object.h"

namespace tripod::apiserver {

enum class VersionMatch : std::uint8_t { unset, not_older_than, exact };

struct ContinueToken {
  etcd::Revision revision = 0;  // -1: whatever is newest
  std::string start;            // key behind the storage prefix

  std::string encode() const;
  static kube::Outcome<ContinueToken> decode(std::string_view text);
};

struct ListOptions {
  Selection selection;
  std::string resource_version;  // "", "0" or a number
  etcd::Revision revision = 0;   // that number
  VersionMatch match = VersionMatch::unset;
  std::int64_t limit = 0;
  std::optional<ContinueToken> continuation;
  // watch
  std::optional<std::int64_t> timeout_seconds;
  bool bookmarks = false;
  std::optional<bool> send_initial_events;
};

kube::Outcome<ListOptions> parse_list_options(const Resource& resource, const RequestInfo& info);

/// The 410 for a token whose revision is gone; carries a token that goes on inconsistently.
kube::StatusError expired_token(const ContinueToken& token);

}  // namespace tripod::apiserver
