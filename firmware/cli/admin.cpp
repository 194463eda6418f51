#include "firmware/cli/admin.h"

#include <format>
#include <ranges>

namespace tripod::cli {
namespace {

constexpr std::size_t pem_bytes_max = 256 * 1024;

constexpr std::string_view expectation =
    "expected an administrator's kubeconfig: --kubeconfig FILE, else KUBECONFIG, else admin.conf";

/// As kubectl: of the files that KUBECONFIG names, the first that is there.
std::string file_of(os::World world, const Flags& flags) {
  if (flags.has("kubeconfig")) return flags.get("kubeconfig");
  const std::string listed = world.board.environment("KUBECONFIG");
  std::string named;
  for (const auto part : std::views::split(listed, ':')) {
    const std::string file(std::string_view(part.begin(), part.end()));
    if (file.empty()) continue;
    if (world.storage.read_file(file, pem_bytes_max)) return file;
    if (named.empty()) named = file;
  }
  return named.empty() ? "admin.conf" : named;
}

/// A pair of a kubeconfig: the text itself, or of the file it names, relative to the kubeconfig.
Result<std::string> pem_of(os::Storage& storage, const std::string& kubeconfig,
                           const std::string& data, const std::string& path) {
  if (!data.empty() || path.empty()) return data;
  const std::size_t slash = kubeconfig.rfind('/');
  const bool relative = !path.starts_with('/') && slash != std::string::npos;
  return storage.read_file(relative ? kubeconfig.substr(0, slash + 1) + path : path, pem_bytes_max);
}

}  // namespace

Result<Admin> read_admin(os::World world, const Flags& flags) {
  Admin admin;
  admin.file = file_of(world, flags);
  auto text = world.storage.read_file(admin.file, pem_bytes_max);
  if (!text) {
    return fail(text.error().code, std::format("{}; {}", text.error().message, expectation));
  }
  auto config = kube::Kubeconfig::parse(*text);
  if (!config) return wrap(admin.file, config.error());
  admin.config = std::move(*config);
  const kube::Kubeconfig& read = admin.config;
  const std::tuple<std::string_view, const std::string&, const std::string&, std::string*> parts[] =
      {{"certificate-authority", read.certificate_authority_data, read.certificate_authority,
        &admin.authority_pem},
       {"client-certificate", read.client_certificate_data, read.client_certificate,
        &admin.certificate_pem},
       {"client-key", read.client_key_data, read.client_key, &admin.key_pem}};
  for (const auto& [name, data, path, out] : parts) {
    auto pem = pem_of(world.storage, admin.file, data, path);
    if (!pem) return wrap(std::format("{}: {}", admin.file, name), pem.error());
    if (pem->empty()) {
      return fail(ErrorCode::invalid,
                  std::format("{}: expected {}-data, or {} with a file", admin.file, name, name));
    }
    *out = std::move(*pem);
  }
  return admin;
}

}  // namespace tripod::cli
