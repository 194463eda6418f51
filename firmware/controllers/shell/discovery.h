#pragma once
// Which kinds the server has, with the verbs they know: asked from the server, so that kinds that
// come later are cleaned up too.

#include <set>
#include <string>
#include <vector>

#include "firmware/kube/client/client.h"

namespace tripod::controllers {

/// Names that resources may borrow for as long as the pool lives. Bounded by the kinds a server
/// ever had.
class NamePool {
 public:
  std::string_view keep(std::string_view text) { return *names_.emplace(text).first; }

 private:
  std::set<std::string> names_;
};

class Discovery {
 public:
  struct Kind {
    kube::Resource resource;  // borrows from the pool
    std::vector<std::string> verbs;

    bool can(std::string_view verb) const;
  };

  /// The preferred version of every group. A group that does not answer is left out and named in
  /// `missing`.
  static Task<kube::ApiResult<std::unique_ptr<Discovery>>> ask(kube::Client* client,
                                                               NamePool* names);

  const std::vector<Kind>& kinds() const { return kinds_; }
  const std::vector<std::string>& missing() const { return missing_; }

 private:
  void read(NamePool& names, std::string_view group, std::string_view version,
            const json::Value& list);

  std::vector<Kind> kinds_;
  std::vector<std::string> missing_;
};

}  // namespace tripod::controllers
