#include "firmware/kube/schema/schema.h"

#include <format>

#include "firmware/kube/schema/tables.h"
#include "platform/base/check.h"

namespace tripod::kube::schema {

const Field* Type::field(std::string_view json_name) const {
  for (const Field& one : fields) {
    if (one.inlined) {
      if (const Field* inner = one.type->field(json_name)) return inner;
    } else if (one.name == json_name) {
      return &one;
    }
  }
  return nullptr;
}

const Field* Type::at(std::string_view dotted_path) const {
  const Type* type = this;
  const Field* found = nullptr;
  for (std::size_t start = 0; start <= dotted_path.size();) {
    const std::size_t end = std::min(dotted_path.find('.', start), dotted_path.size());
    if (!type) return nullptr;
    found = type->field(dotted_path.substr(start, end - start));
    if (!found) return nullptr;
    type = found->type;
    start = end + 1;
  }
  return found;
}

const Type* find_type(std::string_view group, std::string_view version, std::string_view name) {
  for (const Package& package : all_packages()) {
    if (package.group != group || package.version != version) continue;
    const auto types = all_types().subspan(package.type_first, package.type_count);
    const auto at = std::ranges::lower_bound(types, name, {}, &Type::name);
    if (at != types.end() && at->name == name) return &*at;
  }
  return nullptr;
}

const Type& must_find_type(std::string_view group, std::string_view version,
                           std::string_view name) {
  const Type* type = find_type(group, version, name);
  CHECK(type != nullptr, std::format("{}/{} {}", group, version, name));
  return *type;
}

std::span<const Type> all_types() {
  return tables::all();
}
std::span<const Package> all_packages() {
  return tables::all_packages();
}

}  // namespace tripod::kube::schema
