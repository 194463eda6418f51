#include "firmware/controllers/shell/decision.h"

namespace tripod::controllers {
namespace {

Write about(Write::Verb verb, const kube::Resource& resource, const json::Value& object) {
  Write write;
  write.verb = verb;
  write.resource = resource;
  write.name_space = kube::namespace_of(object);
  write.name = kube::name_of(object);
  return write;
}

}  // namespace

Write check_owner(const kube::Resource& resource, const json::Value& owner) {
  Write write = about(Write::Verb::check, resource, owner);
  write.uid = kube::uid_of(owner);
  write.generation = kube::generation_of(owner);
  return write;
}

Write create(const kube::Resource& resource, json::Value object) {
  Write write = about(Write::Verb::create, resource, object);
  object.as_object()["apiVersion"] = resource.api_version();
  object.as_object()["kind"] = resource.kind;
  write.body = std::move(object);
  return write;
}

Write update(const kube::Resource& resource, json::Value object) {
  Write write = about(Write::Verb::update, resource, object);
  object.as_object()["apiVersion"] = resource.api_version();
  object.as_object()["kind"] = resource.kind;
  write.body = std::move(object);
  return write;
}

Write update_status(const kube::Resource& resource, json::Value object) {
  Write write = update(resource, std::move(object));
  write.verb = Write::Verb::update_status;
  write.subresource = "status";
  return write;
}

Write remove(const kube::Resource& resource, const json::Value& object) {
  Write write = about(Write::Verb::remove, resource, object);
  write.options.uid = kube::uid_of(object);
  write.uid = write.options.uid;
  return write;
}

Write patch(const kube::Resource& resource, const json::Value& object, json::Value body) {
  Write write = about(Write::Verb::patch, resource, object);
  json::set(body, {"metadata", "uid"}, json::Value(kube::uid_of(object)));
  write.body = std::move(body);
  return write;
}

}  // namespace tripod::controllers
