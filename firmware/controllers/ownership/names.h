#pragma once
// Names that look like Kubernetes' generated ones but follow from what the object is for, so that
// two leaders who want the same object cannot make it twice: the second is told AlreadyExists.
// Pure.

#include <cstdint>
#include <string>
#include <string_view>

#include "platform/json/json.h"

namespace tripod::controllers {

/// Five characters of Kubernetes' alphabet without vowels, from a hash of these.
std::string name_suffix(std::string_view owner_uid, std::uint64_t slot);
/// "web-5d89bdfbf9-" + suffix; the base is cut so that the name fits.
std::string slot_name(std::string_view base, std::string_view owner_uid, std::uint64_t slot);

/// Digits of `hash` in that alphabet, as rand.SafeEncodeString does.
std::string safe_encode(std::uint32_t hash);
/// A pod-template-hash: follows from the template alone, whatever the order of its keys, and the
/// collision count.
std::string template_hash(const json::Value& pod_template, std::int64_t collision_count);

}  // namespace tripod::controllers
