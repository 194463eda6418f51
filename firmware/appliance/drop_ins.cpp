#include "firmware/appliance/drop_ins.h"

#include <map>

#include "platform/base/sha256.h"

namespace tripod::appliance {
namespace {

constexpr std::size_t file_bytes_max = 1 << 20;
constexpr std::size_t files_max = 256;
constexpr int depth_max = 4;
constexpr std::size_t hash_characters = 2 * Sha256::digest_bytes;

std::string hash_of(BytesView bytes) {
  Sha256 hash;
  hash.update(bytes);
  return to_hex(hash.finish());
}

/// name -> hash, of lines "HASH NAME".
std::map<std::string, std::string> parse_record(std::string_view text) {
  std::map<std::string, std::string> record;
  while (!text.empty()) {
    std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.size() > hash_characters + 1) {
      record.emplace(line.substr(hash_characters + 1), line.substr(0, hash_characters));
    }
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return record;
}

/// Files below a folder, relative to it. A name that cannot be listed is a file.
void collect(os::Storage& storage, const std::string& folder, const std::string& prefix, int depth,
             std::vector<std::string>& files) {
  auto names = storage.list(folder + "/" + prefix);
  if (!names) {
    if (!prefix.empty() && files.size() < files_max) files.push_back(prefix);
    return;
  }
  if (depth == depth_max) return;
  for (const std::string& name : *names) {
    if (name == "." || name == "..") continue;
    collect(storage, folder, prefix.empty() ? name : prefix + "/" + name, depth + 1, files);
  }
}

Result<> copy(os::Storage& storage, const DropIns& drop_ins, const std::string& name,
              BytesView bytes) {
  const std::string target = drop_ins.to + "/" + name;
  auto made = storage.make_directories(target.substr(0, target.rfind('/')), 0700);
  if (!made) return made;
  return storage.replace_file(target, bytes, name.ends_with(".key") ? 0600 : 0644);
}

}  // namespace

Result<std::vector<std::string>> copy_drop_ins(os::Storage& storage, const DropIns& drop_ins) {
  std::vector<std::string> files;
  if (storage.exists(drop_ins.from)) collect(storage, drop_ins.from, "", 0, files);
  std::map<std::string, std::string> record;
  if (auto text = storage.read_file(drop_ins.record, file_bytes_max)) record = parse_record(*text);
  std::vector<std::string> copied;
  for (const std::string& name : files) {
    auto bytes = storage.read_file(drop_ins.from + "/" + name, file_bytes_max);
    if (!bytes) return std::unexpected(bytes.error());
    std::string hash = hash_of(*bytes);
    if (record[name] == hash && storage.exists(drop_ins.to + "/" + name)) continue;
    if (auto done = copy(storage, drop_ins, name, *bytes); !done)
      return std::unexpected(done.error());
    record[name] = std::move(hash);
    copied.push_back(name);
  }
  if (copied.empty()) return copied;
  std::string text;
  for (const auto& [name, hash] : record) text += std::format("{} {}\n", hash, name);
  auto made = storage.make_directories(drop_ins.record.substr(0, drop_ins.record.rfind('/')), 0700);
  if (!made) return std::unexpected(made.error());
  if (auto kept = storage.replace_file(drop_ins.record, text, 0600); !kept) {
    return std::unexpected(kept.error());
  }
  return copied;
}

}  // namespace tripod::appliance
