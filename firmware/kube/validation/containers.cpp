// Containers: names, images, ports, environment, mounts, resources.

#include <format>
#include <set>

#include "firmware/kube/quantity.h"
#include "firmware/kube/validation/rules.h"

namespace tripod::kube::validation {

namespace {

void check_ports(const Scope& container) {
  std::set<std::string_view> names;
  container.each("ports", [&](const Scope& port, std::size_t) {
    if (const std::string_view name = port.text("name"); !name.empty()) {
      port.check("name", check_port_name(name));
      if (!names.insert(name).second) port.add(duplicate(port.path.child("name"), name));
    }
    const std::int64_t number = json::get_int(port.value, "containerPort").value_or(0);
    if (number == 0) {
      port.add(required(port.path.child("containerPort")));
    } else {
      port.in_range("containerPort", 1, 65535);
    }
    if (json::get_int(port.value, "hostPort").value_or(0) != 0) port.in_range("hostPort", 1, 65535);
    if (port.require("protocol")) port.one_of("protocol", {"SCTP", "TCP", "UDP"});
  });
}

/// The keys among `sources` that are set; exactly one should be.
std::size_t count_set(const Scope& scope, std::initializer_list<std::string_view> sources) {
  return static_cast<std::size_t>(
      std::ranges::count_if(sources, [&](std::string_view source) { return scope.has(source); }));
}

void check_key_reference(const Scope& source, std::string_view key) {
  source.with(key, [](const Scope& reference) {
    reference.require("name");
    if (reference.require("key")) reference.check("key", check_config_key(reference.text("key")));
  });
}

void check_value_from(const Scope& variable) {
  const json::Value* from = variable.find("valueFrom");
  if (!from || !from->is_object()) return;
  const Scope source = variable.at("valueFrom", *from);
  const std::size_t count = count_set(
      source, {"fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"});
  if (count == 0) {
    source.add(invalid(
        source.path, "",
        "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or "
        "`fileKeyRef`"));
  }
  if (!variable.text("value").empty() && count > 0) {
    source.add(invalid(source.path, "", "may not be specified when `value` is not empty"));
  } else if (count > 1) {
    source.add(invalid(source.path, "", "may not have more than one field specified at a time"));
  }
  source.with("fieldRef", [](const Scope& reference) {
    reference.require("apiVersion");
    reference.require("fieldPath");
  });
  source.with("resourceFieldRef", [](const Scope& reference) { reference.require("resource"); });
  check_key_reference(source, "configMapKeyRef");
  check_key_reference(source, "secretKeyRef");
}

void check_environment(const Scope& container) {
  container.each("env", [](const Scope& variable, std::size_t) {
    if (variable.require("name")) variable.check("name", check_env_name(variable.text("name")));
    check_value_from(variable);
  });
  container.each("envFrom", [](const Scope& source, std::size_t) {
    const std::size_t count = count_set(source, {"configMapRef", "secretRef"});
    if (count == 0)
      source.add(invalid(source.path, "", "must specify one of: `configMapRef` or `secretRef`"));
    if (count > 1)
      source.add(invalid(source.path, "", "may not have more than one field specified at a time"));
    for (std::string_view key : {"configMapRef", "secretRef"}) {
      source.with(key, [](const Scope& reference) { reference.require("name"); });
    }
  });
}

bool steps_up(std::string_view path) {
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    if (path.substr(at, end - at) == "..") return true;
    at = end + 1;
  }
  return false;
}

void check_mounts(const Scope& container, const std::vector<std::string_view>& volumes) {
  std::set<std::string_view> paths;
  container.each("volumeMounts", [&](const Scope& mount, std::size_t) {
    const std::string_view name = mount.text("name");
    if (mount.require("name") && std::ranges::find(volumes, name) == volumes.end()) {
      mount.add(not_found(mount.path.child("name"), name));
    }
    const std::string_view path = mount.text("mountPath");
    if (mount.require("mountPath") && !paths.insert(path).second) {
      mount.add(invalid(mount.path.child("mountPath"), path, "must be unique"));
    }
    const std::string_view inner = mount.text("subPath");
    if (inner.starts_with('/'))
      mount.add(invalid(mount.path.child("subPath"), inner, "must be a relative path"));
    if (steps_up(inner))
      mount.add(invalid(mount.path.child("subPath"), inner, "must not contain '..'"));
    mount.one_of("mountPropagation", {"Bidirectional", "HostToContainer", "None"});
  });
}

bool is_container_resource(std::string_view name) {
  return name == "cpu" || name == "memory" || name == "ephemeral-storage" ||
         name.starts_with("hugepages-");
}

void check_quantities(const Scope& resources, std::string_view list) {
  resources.with(list, [](const Scope& amounts) {
    for (const auto& [key, value] : amounts.value.get_object()) {
      const std::string_view name = key;
      const FieldPath path = amounts.path.key(name);
      const Complaints complaints = check_qualified_name(name);
      for (const std::string& complaint : complaints) amounts.add(invalid(path, name, complaint));
      if (complaints.empty() && !name.contains('/') && !is_container_resource(name)) {
        amounts.add(invalid(path, name, "must be a standard resource for containers"));
      }
      const std::string_view text = json::as_string(value);
      auto quantity = Quantity::parse(text);
      if (!quantity) continue;
      if (quantity->is_negative()) {
        amounts.add(invalid(path, text, non_negative_wording));
      } else if (name.contains('/') && !quantity->is_whole()) {
        amounts.add(invalid(path, text, "must be an integer"));
      }
    }
  });
}

void check_container(const Scope& container, std::set<std::string_view>& names,
                     const std::vector<std::string_view>& volumes, bool init) {
  const std::string_view name = container.text("name");
  if (container.require("name")) container.check("name", check_dns1123_label(name));
  if (!name.empty() && !names.insert(name).second)
    container.add(duplicate(container.path.child("name"), name));
  const std::string_view image = container.text("image");
  if (container.require("image") && (image.front() == ' ' || image.back() == ' ')) {
    container.add(invalid(container.path.child("image"), image,
                          "must not have leading or trailing whitespace"));
  }
  check_ports(container);
  check_environment(container);
  check_mounts(container, volumes);
  if (container.require("terminationMessagePolicy", "must be 'File' or 'FallbackToLogsOnError'")) {
    container.one_of("terminationMessagePolicy", {"FallbackToLogsOnError", "File"});
  }
  if (container.require("imagePullPolicy"))
    container.one_of("imagePullPolicy", {"Always", "IfNotPresent", "Never"});
  check_resources(container);
  check_probes(container, init);
  container.with("securityContext", [](const Scope& context) {
    context.in_range("runAsUser", 0, INT32_MAX);
    context.in_range("runAsGroup", 0, INT32_MAX);
  });
}

/// On the host's network, a container's port is the host's port.
void check_host_ports(const Scope& spec, std::string_view list) {
  spec.each(list, [](const Scope& container, std::size_t) {
    container.each("ports", [](const Scope& port, std::size_t) {
      const auto host = json::get_int(port.value, "hostPort").value_or(0);
      const auto own = json::get_int(port.value, "containerPort").value_or(0);
      if (host != own) {
        port.add(invalid(port.path.child("containerPort"), own,
                         "must match `hostPort` when `hostNetwork` is true"));
      }
    });
  });
}

}  // namespace

void check_resources(const Scope& container) {
  container.with("resources", [](const Scope& resources) {
    check_quantities(resources, "limits");
    check_quantities(resources, "requests");
    const json::Object* requests = json::get_object(resources.value, "requests");
    if (!requests) return;
    for (const auto& [key, value] : *requests) {
      const std::string_view name = key;
      const std::string_view limit_text = json::get_string(resources.value, "limits", name);
      auto request = Quantity::parse(json::as_string(value));
      auto limit = Quantity::parse(limit_text);
      if (!request || !limit) continue;
      const bool exact = name.contains('/') || name.starts_with("hugepages-");
      if (exact && *request != *limit) {
        resources.add(invalid(resources.path.child("requests"), json::as_string(value),
                              std::format("must be equal to {} limit of {}", name, limit_text)));
      } else if (*request > *limit) {
        resources.add(
            invalid(resources.path.child("requests"), json::as_string(value),
                    std::format("must be less than or equal to {} limit of {}", name, limit_text)));
      }
    }
  });
}

void check_containers(const Scope& spec, const std::vector<std::string_view>& volumes) {
  std::set<std::string_view> names;
  const json::Array* containers = json::get_array(spec.value, "containers");
  if (!containers || containers->empty()) spec.add(required(spec.path.child("containers")));
  spec.each("containers", [&](const Scope& container, std::size_t) {
    check_container(container, names, volumes, false);
  });
  spec.each("initContainers", [&](const Scope& container, std::size_t) {
    check_container(container, names, volumes, true);
    container.one_of("restartPolicy", {"Always"});
  });
  if (json::get_bool(spec.value, "hostNetwork")) {
    check_host_ports(spec, "containers");
    check_host_ports(spec, "initContainers");
  }
}

}  // namespace tripod::kube::validation
