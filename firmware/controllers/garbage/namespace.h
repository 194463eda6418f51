#pragma once
// Empties a namespace that is being deleted, kind by kind, then lets it go. Its conditions say what
// is left and why.

#include "firmware/controllers/shell/controller.h"
#include "firmware/controllers/shell/discovery.h"

namespace tripod::controllers {

class NamespaceController final : public Controller {
 public:
  explicit NamespaceController(Hub& hub);

 private:
  struct Emptied;
  Task<kube::ApiResult<>> sync(std::string key) override;
  Task<Emptied> empty(std::string ns, const Discovery* discovery);
  Task<kube::ApiResult<>> report(json::Value object, Emptied emptied);

  kube::Store& namespaces_;
};

}  // namespace tripod::controllers
