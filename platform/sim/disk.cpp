#include "platform/sim/disk.h"

#include <sqlite3.h>

#include <format>

#include "platform/base/check.h"

namespace tripod::sim {
namespace {

/// What a disk writes in one piece.
constexpr std::size_t sector_bytes = 512;

}  // namespace

void DiskFile::apply(Bytes& content, const Change& change, std::size_t bytes) {
  if (change.truncates) {
    content.resize(change.offset);
    return;
  }
  if (content.size() < change.offset + bytes) content.resize(change.offset + bytes);
  content.replace(change.offset, bytes, change.data, 0, bytes);
}

void DiskFile::write(std::size_t offset, BytesView data) {
  changes_.push_back({offset, Bytes(data), false});
  apply(current_, changes_.back(), data.size());
}

void DiskFile::truncate(std::size_t size) {
  changes_.push_back({size, {}, true});
  apply(current_, changes_.back(), 0);
}

void DiskFile::sync() {
  for (const Change& change : changes_) apply(durable_, change, change.data.size());
  changes_.clear();
  ever_synced_ = true;
}

std::optional<Bytes> DiskFile::after_crash(Random& random) const {
  if (!ever_synced_ && random.chance(0.5)) return std::nullopt;
  Bytes left = durable_;
  // Three kinds of loss: everything, a tail, or any of them (the drive reorders). The last one kept
  // may be torn.
  std::uint64_t kind = random.below(3);
  std::size_t keep = kind == 0 ? 0 : static_cast<std::size_t>(random.below(changes_.size() + 1));
  for (std::size_t i = 0; i < changes_.size(); ++i) {
    bool kept = kind == 2 ? random.chance(0.5) : i < keep;
    if (!kept) continue;
    std::size_t bytes = changes_[i].data.size();
    if (bytes > 0 && random.chance(0.2)) {
      std::uint64_t sectors = random.below(bytes / sector_bytes + 1);
      bytes = std::min(bytes, sector_bytes * static_cast<std::size_t>(sectors));
    }
    apply(left, changes_[i], bytes);
  }
  return left;
}

Disk::Disk(const std::string& name, Random& random)
    // SQLite's list of VFSes is the process's: other worlds may have a disk of that name.
    : name_(std::format("{}@{}", name, static_cast<const void*>(this))), random_(random) {
  vfs_ = register_vfs(*this, name_);
}

Disk::~Disk() {
  withdraw_vfs(*vfs_);
}

std::shared_ptr<DiskFile> Disk::find(const std::string& path) const {
  auto found = files_.find(path);
  return found == files_.end() ? nullptr : found->second;
}

std::shared_ptr<DiskFile> Disk::create(const std::string& path) {
  auto& file = files_[path];
  if (!file) file = std::make_shared<DiskFile>();
  return file;
}

void Disk::rename(const std::string& from, const std::string& to) {
  auto node = files_.extract(from);
  CHECK(!node.empty());
  files_[to] = std::move(node.mapped());
}

std::vector<std::string> Disk::paths() const {
  std::vector<std::string> all;
  for (const auto& [path, file] : files_) all.push_back(path);
  return all;
}

std::uint64_t Disk::used_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [path, file] : files_) sum += file->content().size();
  return sum;
}

void Disk::crash() {
  std::map<std::string, std::shared_ptr<DiskFile>> left;
  for (const auto& [path, file] : files_) {
    std::optional<Bytes> content = file->after_crash(random_);
    if (!content) continue;
    auto survivor = std::make_shared<DiskFile>();
    survivor->write(0, *content);
    survivor->sync();
    left.emplace(path, std::move(survivor));
  }
  files_ = std::move(left);
  ++life_;
  tripped_ = false;
  trip_in_ = 0;
  fail_in_ = 0;
}

void Disk::fail_after(std::uint64_t operations, DiskError error) {
  fail_in_ = operations + 1;
  failure_ = error;
}

DiskError Disk::admit(std::uint64_t life, std::uint64_t grow_bytes, bool is_sync) {
  if (life != life_ || tripped_) return DiskError::io;
  ++operations_;
  if (is_sync) ++syncs_;
  if (trip_in_ != 0 && --trip_in_ == 0) {
    tripped_ = true;
    return DiskError::io;
  }
  if (fail_in_ != 0 && --fail_in_ == 0) return failure_;
  if (grow_bytes > 0 && capacity_bytes_ != UINT64_MAX &&
      used_bytes() + grow_bytes > capacity_bytes_) {
    return DiskError::full;
  }
  return DiskError::none;
}

}  // namespace tripod::sim
