#pragma once
// What the watch cache keeps: each object once, as the bytes that answers carry, beside the few
// values that selectors read. Immutable and shared by lists, watches and the ring of recent events.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "firmware/apiserver/registry/resource.h"
#include "firmware/kube/selector.h"
#include "platform/base/bytes.h"

namespace tripod::apiserver {

struct StoredObject {
  std::string name_space;
  std::string name;
  etcd::Revision revision = 0;
  Bytes json;                                               // with metadata.resourceVersion
  std::vector<std::pair<std::string, std::string>> labels;  // sorted by key
  std::vector<std::string> fields;  // values of Resource::fields, in that order

  std::size_t cost_bytes() const { return json.size() + 256; }
};

using ObjectRef = std::shared_ptr<const StoredObject>;

/// Which objects a list or a watch is about.
struct Selection {
  std::string name_space;  // empty: all
  std::string name;        // empty: all; from the path, or a field selector that demands one
  kube::LabelSelector labels;
  kube::FieldSelector fields;

  bool everything() const { return name.empty() && labels.everything() && fields.everything(); }
  /// `resource` is the row whose names the field selector uses.
  bool matches(const Resource& resource, const StoredObject& object) const;
};

/// Fails on a field that the row does not offer, in upstream's words.
kube::Outcome<> check_fields(const Resource& resource, const kube::FieldSelector& selector);

/// Puts the revision into the document and reads what selectors need. `document` is what etcd
/// stores, parsed.
ObjectRef make_object(const Resource& resource, json::Value document, etcd::Revision revision);
/// Parses what etcd stores.
Result<ObjectRef> decode_object(const Resource& resource, BytesView stored,
                                etcd::Revision revision);
/// The same object at another revision: what watchers see of a deletion.
ObjectRef at_revision(const Resource& resource, const StoredObject& object,
                      etcd::Revision revision);

}  // namespace tripod::apiserver
