#include <format>

#include "firmware/apiserver/printers/format.h"
#include "firmware/apiserver/printers/printers.h"
#include "firmware/kube/object.h"

namespace tripod::apiserver::printers {

namespace {

std::string selector_text(const json::Value& object) {
  const json::Value* selector = json::find(object, "spec", "selector");
  const bool plain = selector && !json::find(*selector, "matchLabels") &&
                     !json::find(*selector, "matchExpressions");
  return plain ? format_labels(selector->if_object()) : format_selector(selector);
}

void push_template(const json::Value& object, json::Array& out) {
  const auto [names, images] = format_containers(json::find(object, "spec", "template", "spec"));
  out.push_back(text_cell(names));
  out.push_back(text_cell(images));
  out.push_back(text_cell(selector_text(object)));
}

std::int64_t status_count(const json::Value& object, std::string_view field) {
  return json::get_int(object, "status", field).value_or(0);
}

}  // namespace

void deployment(const json::Value& object, WallTime now, json::Array& out) {
  out.push_back(text_cell(kube::name_of(object)));
  out.push_back(text_cell(std::format("{}/{}", status_count(object, "readyReplicas"),
                                      json::get_int(object, "spec", "replicas").value_or(0))));
  out.push_back(number_cell(status_count(object, "updatedReplicas")));
  out.push_back(number_cell(status_count(object, "availableReplicas")));
  out.push_back(text_cell(age(object, now)));
  push_template(object, out);
}

void replicas(const json::Value& object, WallTime now, json::Array& out) {
  out.push_back(text_cell(kube::name_of(object)));
  out.push_back(number_cell(json::get_int(object, "spec", "replicas")));
  out.push_back(number_cell(status_count(object, "replicas")));
  out.push_back(number_cell(status_count(object, "readyReplicas")));
  out.push_back(text_cell(age(object, now)));
  push_template(object, out);
}

}  // namespace tripod::apiserver::printers
