#pragma once
// Whose cluster a command is about: an administrator's kubeconfig.

#include <string>

#include "firmware/cli/arguments.h"
#include "firmware/kube/client/kubeconfig.h"
#include "platform/os/board.h"

namespace tripod::cli {

struct Admin {
  std::string file;
  kube::Kubeconfig config;
  // What the kubeconfig holds or names:
  std::string authority_pem;
  std::string certificate_pem;
  std::string key_pem;
};

/// The file of --kubeconfig; without it the first that is there of those that KUBECONFIG names;
/// else admin.conf, here.
Result<Admin> read_admin(os::World world, const Flags& flags);

}  // namespace tripod::cli
