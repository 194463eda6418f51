#pragma once
// components.schemas of an OpenAPI document: the types that paths mention and all they reach. Used
// by openapi.cpp.

#include <map>
#include <string>
#include <string_view>

#include "firmware/kube/schema/schema.h"

namespace tripod::kube::openapi {

/// "io.k8s.api.core.v1.Pod"
std::string name_of(const schema::Type& type);
/// {"$ref":"#/components/schemas/io.k8s.api.core.v1.Pod"}
std::string reference(const schema::Type& type);
std::string json_text(std::string_view text);

class Schemas {
 public:
  /// `home` is what the types that belong to every group (DeleteOptions, WatchEvent) claim as
  /// theirs.
  explicit Schemas(const GroupVersion& home) : home_(home) {}

  /// Adds a type and what it reaches.
  void add(const schema::Type& type);
  /// {"io.k8s...":{...},...}, sorted by name.
  void write(std::string& out) const;

 private:
  void write_type(std::string& out, const schema::Type& type) const;

  GroupVersion home_;
  std::map<std::string, const schema::Type*> types_;
};

}  // namespace tripod::kube::openapi
