#pragma once
// What a pure reconcile function answers with: writes to the API, in order, each guarded by what it
// was decided from, and events to record about them. Plain values; the shell (hub.h) carries them
// out.

#include <optional>
#include <string>
#include <vector>

#include "firmware/kube/client/client.h"
#include "firmware/kube/client/event_recorder.h"

namespace tripod::controllers {

struct Note {
  kube::Resource resource;
  json::Value about;  // kind is not needed, metadata is
  kube::EventType type = kube::EventType::normal;
  std::string reason;
  std::string message;
};

struct Write {
  enum class Verb : std::uint8_t {
    check,  // no write: goes on only if the live object still has `uid` and `generation` and is not
            // deleted
    create,         // `body`; when it exists and has the same controller, that counts as done
    update,         // `body`, guarded by its resourceVersion
    update_status,  //
    patch,   // strategic merge `body`; carries metadata.uid, and resourceVersion where it matters
    remove,  // `options` carry the uid
  };

  Verb verb = Verb::update;
  kube::Resource resource;
  std::string name_space;
  std::string name;
  json::Value body;
  std::string subresource;
  kube::DeleteOptions options;
  std::string uid;
  std::int64_t generation = 0;
  bool parallel =
      false;  // neighbours with this go out together, in slow-start batches of 1, 2, 4, ...
  std::optional<Note> on_success;
  std::optional<Note> on_failure;  // its message is followed by the error's
};

struct Decision {
  std::vector<Write> writes;
  std::vector<Note> notes;              // recorded after the writes succeeded
  std::optional<Duration> again_after;  // look at the key again, even if nothing changes

  void look_again_in(Duration delay) {
    if (!again_after || delay < *again_after) again_after = delay;
  }
};

Write check_owner(const kube::Resource& resource, const json::Value& owner);
Write create(const kube::Resource& resource, json::Value object);
Write update(const kube::Resource& resource, json::Value object);
Write update_status(const kube::Resource& resource, json::Value object);
/// Deletes exactly this object, by uid.
Write remove(const kube::Resource& resource, const json::Value& object);
/// Patches exactly this object, by uid.
Write patch(const kube::Resource& resource, const json::Value& object, json::Value body);

}  // namespace tripod::controllers
