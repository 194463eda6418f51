#include "firmware/controllers/ownership/names.h"

#include "platform/base/bytes.h"

namespace tripod::controllers {
namespace {

constexpr std::string_view alphabet = "bcdfghjklmnpqrstvwxz2456789";
constexpr std::size_t suffix_length = 5;
constexpr std::size_t name_length_max = 63;

void canonical(const json::Value& value, std::string& out) {
  if (const json::Object* object = value.if_object()) {
    std::map<std::string_view, const json::Value*> sorted;
    for (const auto& [key, member] : *object)
      sorted[std::string_view(key.data(), key.size())] = &member;
    out += '{';
    for (const auto& [key, member] : sorted) {
      json::serialize_string_to(out, key);
      out += ':';
      canonical(*member, out);
      out += ',';
    }
    out += '}';
  } else if (const json::Array* array = value.if_array()) {
    out += '[';
    for (const json::Value& member : *array) {
      canonical(member, out);
      out += ',';
    }
    out += ']';
  } else {
    json::serialize_to(out, value);
  }
}

}  // namespace

std::string name_suffix(std::string_view owner_uid, std::uint64_t slot) {
  // fnv1a alone leaves neighbouring slots alike in their high bits; the multiply-and-fold spreads
  // them.
  std::uint64_t hash = fnv1a(std::format("{}/{}", owner_uid, slot));
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccdULL;
  hash ^= hash >> 33;
  std::string suffix;
  for (std::size_t i = 0; i < suffix_length; ++i) {
    suffix += alphabet[hash % alphabet.size()];
    hash /= alphabet.size();
  }
  return suffix;
}

std::string slot_name(std::string_view base, std::string_view owner_uid, std::uint64_t slot) {
  return std::format("{}-{}", base.substr(0, name_length_max - suffix_length - 1),
                     name_suffix(owner_uid, slot));
}

std::string safe_encode(std::uint32_t hash) {
  std::string text = std::to_string(hash);
  for (char& c : text) c = alphabet[static_cast<unsigned char>(c) % alphabet.size()];
  return text;
}

std::string template_hash(const json::Value& pod_template, std::int64_t collision_count) {
  std::string text;
  canonical(pod_template, text);
  if (collision_count > 0) text += std::to_string(collision_count);
  const std::uint64_t hash = fnv1a(text);
  return safe_encode(static_cast<std::uint32_t>(hash ^ hash >> 32));
}

}  // namespace tripod::controllers
