// Volumes of a pod.

#include <set>

#include "firmware/kube/validation/rules.h"

namespace tripod::kube::validation {

namespace {

/// The field that each source must have.
struct Source {
  std::string_view kind;
  std::string_view needs;
};
constexpr Source sources[] = {
    {"secret", "secretName"}, {"configMap", "name"},    {"persistentVolumeClaim", "claimName"},
    {"hostPath", "path"},     {"nfs", "server"},        {"csi", "driver"},
    {"nfs", "path"},          {"iscsi", "targetPortal"}};

void check_source(const Scope& volume) {
  bool one = false;
  for (const auto& [key, value] : volume.value.get_object()) {
    const std::string_view kind = key;
    if (kind == "name" || value.is_null()) continue;
    if (one)
      volume.add(forbidden(volume.path.child(kind), "may not specify more than 1 volume type"));
    one = true;
  }
  if (!one) volume.add(required(volume.path, "must specify a volume type"));
  for (const Source& source : sources) {
    volume.with(source.kind, [&source](const Scope& inner) { inner.require(source.needs); });
  }
  volume.with("hostPath", [](const Scope& inner) {
    inner.one_of("type", {"", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File",
                          "FileOrCreate", "Socket"});
  });
  for (std::string_view kind : {"secret", "configMap", "downwardAPI", "projected"}) {
    volume.with(kind, [](const Scope& inner) {
      const auto mode = json::get_int(inner.value, "defaultMode");
      if (mode && (*mode < 0 || *mode > 0777)) {
        inner.add(invalid(inner.path.child("defaultMode"), *mode,
                          "must be a number between 0 and 0777 (octal), both inclusive"));
      }
    });
  }
}

}  // namespace

std::vector<std::string_view> check_volumes(const Scope& spec) {
  std::vector<std::string_view> names;
  std::set<std::string_view> seen;
  spec.each("volumes", [&](const Scope& volume, std::size_t) {
    if (!volume.value.is_object()) return;
    const std::string_view name = volume.text("name");
    if (volume.require("name")) volume.check("name", check_dns1123_label(name));
    if (!name.empty() && !seen.insert(name).second)
      volume.add(duplicate(volume.path.child("name"), name));
    check_source(volume);
    names.push_back(name);
  });
  return names;
}

}  // namespace tripod::kube::validation
